"""What recording so many creators costs a month in Azure, by the formula in docs/azure-deployment.md.

    python3 deploy/azure/estimate.py 10 100 1000
    python3 deploy/azure/estimate.py 250 --hours-per-day 2 --megabits 4 --keep-months 12 --vcpu 0.5

Needs nothing but Python 3.11. Prices are of a day and of a region: pass your own.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass

DAYS = 30
# What a recorder is billed for before its first byte and after its last: its image is pulled, it is deleted.
OVERHEAD_SECONDS = 90


@dataclass(frozen=True, slots=True)
class Prices:
    """US dollars: East US, Linux, as read on 2026-10-09 (container instances); hot, locally redundant (storage)."""

    vcpu_hour: float = 0.0405
    gb_hour: float = 0.00445
    stored_gb_month: float = 0.0184


@dataclass(frozen=True, slots=True)
class Habits:
    """How much is recorded, and how."""

    hours_per_day: float = 1.0
    lives_per_day: float = 1.0
    megabits: float = 2.0
    keep_months: float = 3.0
    vcpu: float = 1.0
    memory_gb: float = 1.0
    commit_seconds: float = 4.0


@dataclass(frozen=True, slots=True)
class Month:
    creators: int
    live_hours: float
    billed_hours: float
    recorders_usd: float
    stored_gb: float
    storage_usd: float
    block_writes: float

    @property
    def usd(self) -> float:
        return self.recorders_usd + self.storage_usd


def month(creators: int, habits: Habits, prices: Prices) -> Month:
    """Of a month in which as much is deleted as is recorded."""
    live = creators * habits.hours_per_day * DAYS
    billed = live + creators * habits.lives_per_day * DAYS * OVERHEAD_SECONDS / 3600
    hour = habits.vcpu * prices.vcpu_hour + habits.memory_gb * prices.gb_hour
    # Megabits a second are 0.45 GB an hour each.
    stored = live * habits.megabits * 3600 / 8 / 1000 * habits.keep_months
    return Month(
        creators=creators,
        live_hours=live,
        billed_hours=billed,
        recorders_usd=billed * hour,
        stored_gb=stored,
        storage_usd=stored * prices.stored_gb_month,
        # A block is staged and committed, and the index told, each time.
        block_writes=live * 3600 / habits.commit_seconds * 3,
    )


def table(months: Sequence[Month]) -> str:
    """In Markdown."""
    lines = [
        "| creators | hours live | recorders | kept | storage | sum | storage writes |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {m.creators:,} | {m.live_hours:,.0f} | ${m.recorders_usd:,.2f} | {m.stored_gb:,.0f} GB"
        f" | ${m.storage_usd:,.2f} | ${m.usd:,.2f} | {m.block_writes / 1e6:,.2f} million |"
        for m in months
    ]
    return "\n".join(lines)


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("creators", nargs="*", type=int, default=[10, 100, 1000])
    for kind in (Habits(), Prices()):
        for name in kind.__slots__:
            parser.add_argument(f"--{name.replace('_', '-')}", type=float, default=getattr(kind, name))
    chosen = vars(parser.parse_args(arguments))
    habits = Habits(**{name: chosen[name] for name in Habits.__slots__})
    prices = Prices(**{name: chosen[name] for name in Prices.__slots__})
    sys.stdout.write(table([month(creators, habits, prices) for creators in chosen["creators"]]) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
