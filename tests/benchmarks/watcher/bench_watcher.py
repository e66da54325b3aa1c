"""What a watcher costs, how it grows, how several share, and how soon a live is told, against the simulator.

`python tests/benchmarks/watcher/bench_watcher.py` takes about two minutes with small numbers; `--full` takes about a
quarter of an hour and prints the table of docs/watcher.md. The store is SQLite, one file for all watchers. On a machine
with two cores or more the watchers share one and the simulator has another.
"""

import argparse
import asyncio
import json
import os
import random
import statistics
import sys
import tempfile
import time
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
from pydantic import SecretStr
from wentlive_common.bus.memory import InMemoryBus
from wentlive_common.events import BroadcastWentLive
from wentlive_common.lifecycle import stop_on_signals
from wentlive_common.logging import configure_logging
from wentlive_common.sqlite import open_sqlite
from wentlive_devkit.tiktok import Scenario, TikTokSimulator
from wentlive_devkit.tiktok.crowd import CrowdScript
from wentlive_watcher.adapters.sqlite_watches import MIGRATIONS
from wentlive_watcher.bootstrap import bootstrap
from wentlive_watcher.domain import Follow, new_watch
from wentlive_watcher.settings import WatcherSettings

PAGE = os.sysconf("SC_PAGE_SIZE")
TICKS = os.sysconf("SC_CLK_TCK")
JITTER = 0.02


@dataclass(frozen=True)
class Plan:
    creators: int
    watchers: int
    interval: float
    seconds: float
    lives: int = 100

    @property
    def checks_per_second(self) -> float:
        return self.creators / self.interval


QUICK = [Plan(500, 1, 5, 15), Plan(1000, 1, 10, 20), Plan(1000, 2, 10, 20), Plan(1000, 4, 10, 20)]
FULL = [
    Plan(1_000, 1, 60, 90),
    Plan(10_000, 1, 60, 90),
    Plan(50_000, 1, 300, 305),
    Plan(10_000, 2, 60, 90),
    Plan(10_000, 4, 60, 90),
]


@dataclass(frozen=True)
class Usage:
    cpu: float
    memory: int


@dataclass(frozen=True)
class Result:
    plan: Plan
    rate: float
    cpu_ms: float
    core: float
    memory: float
    asked: int
    shortest: float
    longest: float
    shares: list[float]
    latencies: list[float]

    def row(self) -> str:
        plan = self.plan
        p99 = (
            statistics.quantiles(self.latencies, n=100, method="inclusive")[98]
            if len(self.latencies) > 1
            else float("nan")
        )
        shares = "-" if plan.watchers == 1 else " / ".join(f"{share:+.0%}" for share in self.shares)
        return (
            f"| {plan.creators:,} | {plan.watchers} | {plan.interval:g} s | {self.rate:.0f} | {self.cpu_ms:.2f} ms "
            f"| {self.core:.0%} | {self.memory:.0f} MB | {self.asked:,} | {self.shortest:.1f} s | {self.longest:.1f} s "
            f"| {shares} | {statistics.median(self.latencies):.1f} s | {p99:.1f} s |"
        )


HEAD = """\
| creators | watchers | interval | checks/s | CPU a check | of one core | memory each | creators asked | shortest gap \
| longest gap | shares | told after, median | p99 |
|---|---|---|---|---|---|---|---|---|---|---|---|---|"""


async def simulate(size: int) -> None:
    async with TikTokSimulator.start(Scenario(creators=(), crowd=CrowdScript(size=size))) as simulator:
        print(simulator.base_url, flush=True)
        await asyncio.Event().wait()


async def watch(store: Path, base_url: str, plan: Plan) -> None:
    """One watcher over a bus that only notes when a live was told."""
    settings = WatcherSettings(
        store_url=SecretStr(f"sqlite://{store}"), tiktok_base_url=base_url, health_port=0, jitter=JITTER, start_ramp=0,
        hot_interval=plan.interval, check_interval=plan.interval, cold_interval=plan.interval,
        requests_per_second=min(1000, plan.checks_per_second * 2),
    )  # fmt: skip
    bus = InMemoryBus()

    async def told(event) -> None:
        print(json.dumps({"room": event.data.room_id, "at": time.monotonic()}), flush=True)

    await bus.subscribe("bench.lives", (BroadcastWentLive,), told)
    async with bootstrap(settings, bus=bus) as app, stop_on_signals() as stop:
        await app.run(stop)
        checks = app.health.metrics.get_sample_value("wentlive_watcher_checks_total", {"outcome": "offline"}) or 0
        print(json.dumps({"checks": checks}), flush=True)
    await bus.close()


async def seed(store: Path, plan: Plan) -> None:
    """Everybody is followed, and due at some moment of the first interval."""
    now = datetime.now(UTC)
    rows = []
    for number in range(plan.creators):
        due = now + timedelta(seconds=3 + plan.interval * number / plan.creators)
        watch = new_watch(Follow(handle=f"crowd{number:05}"), due)
        rows.append((watch.handle, watch.model_dump_json(), ""))
    random.Random(1).shuffle(rows)
    async with open_sqlite(store, MIGRATIONS) as database, database.write() as connection:
        await connection.executemany("INSERT INTO watches (handle, body, followed_at) VALUES (?, ?, ?)", rows)


class Child:
    """A process of this script's, held to one core."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.lines: list[dict] = []

    @classmethod
    @asynccontextmanager
    async def start(cls, core: int, *arguments: str):
        process = await asyncio.create_subprocess_exec(
            sys.executable, __file__, *arguments, stdout=asyncio.subprocess.PIPE, limit=1 << 20
        )
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(process.pid, {cores[core % len(cores)]})
        child = cls(process)
        try:
            yield child
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()

    @property
    def output(self) -> asyncio.StreamReader:
        assert self.process.stdout is not None
        return self.process.stdout

    async def read(self) -> None:
        async for line in self.output:
            self.lines.append(json.loads(line))

    def usage(self) -> Usage:
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return Usage((int(fields[11]) + int(fields[12])) / TICKS, int(fields[21]) * PAGE)


async def go_live(http: httpx.AsyncClient, plan: Plan, seconds: float) -> dict[str, float]:
    """Some of them, one after the other; room to the moment it began."""
    chance, begun = random.Random(2), {}
    for number in chance.sample(range(plan.creators), plan.lives):
        response = await http.post(f"/_sim/crowd/crowd{number:05}/go_live")
        begun[response.json()["room_id"]] = time.monotonic()
        await asyncio.sleep(seconds / plan.lives)
    return begun


async def run(plan: Plan, folder: Path) -> Result:
    store = folder / f"watches-{plan.creators}-{plan.watchers}.db"
    await seed(store, plan)
    async with AsyncExitStack() as stack:
        simulator = await stack.enter_async_context(Child.start(1, "--simulator", str(plan.creators)))
        base_url = (await simulator.output.readline()).decode().strip()
        http = await stack.enter_async_context(httpx.AsyncClient(base_url=base_url, trust_env=False, timeout=30))
        arguments = ("--watcher", str(store), base_url, json.dumps(plan.__dict__))
        children = [await stack.enter_async_context(Child.start(0, *arguments)) for _ in range(plan.watchers)]
        readers = [asyncio.create_task(child.read()) for child in children]
        await asyncio.sleep(plan.interval + 6)  # the first round tells everybody's profile
        result = await measure(plan, http, children)
        for child in children:
            child.process.terminate()
        await asyncio.gather(*readers)
    checks = [line["checks"] for child in children for line in child.lines if "checks" in line]
    mean = statistics.mean(checks)
    result.shares.extend(count / mean - 1 for count in checks)
    return result


async def measure(plan: Plan, http: httpx.AsyncClient, children: list[Child]) -> Result:
    await http.post("/_sim/crowd/reset")
    before, started = [child.usage() for child in children], time.monotonic()
    begun = await go_live(http, plan, plan.seconds - plan.interval - 3)
    await asyncio.sleep(max(0.0, started + plan.seconds - time.monotonic()))
    crowd = (await http.get("/_sim/crowd")).json()
    after, took = [child.usage() for child in children], time.monotonic() - started
    told: dict[str, float] = {}
    for line in (line for child in children for line in child.lines if "room" in line):
        room, at = str(line["room"]), float(line["at"] or 0)
        told[room] = min(told.get(room, at), at)
    missed = [room for room in begun if room not in told]
    if missed:
        print(f"never told: {len(missed)} of {len(begun)}")
    cpu = sum(last.cpu - first.cpu for first, last in zip(before, after, strict=True))
    return Result(
        plan=plan, rate=crowd["requests"] / took, cpu_ms=cpu / max(1, crowd["requests"]) * 1000, core=cpu / took,
        memory=max(usage.memory for usage in after) / 1_000_000, asked=crowd["creators_asked"],
        shortest=crowd["shortest_gap_s"], longest=crowd["longest_gap_s"], shares=[],
        latencies=[told[room] - at for room, at in begun.items() if room in told],
    )  # fmt: skip


async def main(plans: list[Plan]) -> None:
    print(HEAD, flush=True)
    for plan in plans:
        with tempfile.TemporaryDirectory(prefix="bench-watcher-") as folder:
            print((await run(plan, Path(folder))).row(), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--only", type=int, help="the n-th row alone")
    parser.add_argument("--simulator", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--watcher", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.simulator:
        asyncio.run(simulate(options.simulator))
    elif options.watcher:
        configure_logging("bench", level="ERROR")
        store, base_url, plan = options.watcher
        asyncio.run(watch(Path(store), base_url, Plan(**json.loads(plan))))
    else:
        rows = FULL if options.full else QUICK
        asyncio.run(main(rows if options.only is None else [rows[options.only]]))
