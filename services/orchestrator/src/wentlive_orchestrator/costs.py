"""What recorders cost this month and who they recorded, and the limits at which no new recording is begun."""

import asyncio
from datetime import UTC, datetime

import structlog
from pydantic import Field
from wentlive_common.clock import Clock
from wentlive_common.errors import WentliveError
from wentlive_common.ids import first_ulid_at
from wentlive_common.lifecycle import wait_any
from wentlive_common.model import Model, UtcDatetime

from wentlive_orchestrator.domain import CreatorCosts, PriceTable, Recording, add_bills, running_bill
from wentlive_orchestrator.metrics import OrchestratorMetrics
from wentlive_orchestrator.ports import RecordingStore

log = structlog.get_logger(__name__)

REFRESH_SECONDS = 60.0


class BudgetLimits(Model):
    """In US dollars, for the recordings begun in one calendar month (UTC). None: no limit."""

    monthly_usd: float | None = Field(default=None, ge=0)
    creator_monthly_usd: float | None = Field(default=None, ge=0)

    @property
    def any(self) -> bool:
        return self.monthly_usd is not None or self.creator_monthly_usd is not None


class MonthlyCosts(Model):
    """Bills, and what runs still as it stood at `taken_at`."""

    month: str
    taken_at: UtcDatetime
    usd: float
    running_usd: float
    """The part of it that still grows."""
    creators: tuple[CreatorCosts, ...]
    """The dearest first."""


class CostMeter:
    """Adds up bills from the store and what runs right now. A recording counts for the month it was begun in."""

    def __init__(self, store: RecordingStore, prices: PriceTable, clock: Clock) -> None:
        self._store = store
        self._prices = prices
        self._clock = clock

    def this_month(self) -> datetime:
        return month_of(self._clock.now())

    async def month(self, first: datetime) -> MonthlyCosts:
        now = self._clock.now()
        begin, end = first_ulid_at(first), first_ulid_at(next_month(first))
        # Those that run are read first: what is billed between the two reads is counted twice, for a moment, not never.
        running = [recording for recording in await self._store.active() if begin <= recording.recording_id < end]
        costs = {creator.creator_id: creator for creator in await self._store.billed(begin, end)}
        billed = sum(creator.usd for creator in costs.values())
        for recording in running:
            bills = (running_bill(attempt, now, self._prices) for attempt in recording.attempts)
            add_bills(costs, recording, [bill for bill in bills if bill])
        total = sum(creator.usd for creator in costs.values())
        dearest = sorted(costs.values(), key=lambda creator: (-creator.usd, creator.creator_id))
        return MonthlyCosts(
            month=f"{first:%Y-%m}", taken_at=now, usd=total, running_usd=total - billed, creators=tuple(dearest)
        )


class Budget:
    """`Admission` by money: what goes on is never cut off, but no new recording is begun above a limit.

    The sums are up to `REFRESH_SECONDS` old. A failure to read them leaves the last ones in force.
    """

    def __init__(self, meter: CostMeter, limits: BudgetLimits, metrics: OrchestratorMetrics) -> None:
        self._meter = meter
        self._limits = limits
        self._metrics = metrics
        self._known: MonthlyCosts | None = None

    async def run(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            await self.refresh()
            await wait_any(stop.wait(), asyncio.sleep(REFRESH_SECONDS))

    async def refresh(self) -> None:
        try:
            self._known = await self._meter.month(self._meter.this_month())
        except WentliveError as error:
            log.warning("costs_unknown", error=error.message)
            return
        self._metrics.month_usd.set(self._known.usd)

    def refusal(self, recording: Recording) -> str:
        begun = not all(attempt.refused for attempt in recording.attempts)
        if begun or not self._limits.any:
            return ""
        first = self._meter.this_month()
        if self._known is None or self._known.month != f"{first:%Y-%m}":
            return "What was spent this month is not known yet."
        return _over_limit(self._known, self._limits, recording, next_month(first))


def _over_limit(costs: MonthlyCosts, limits: BudgetLimits, recording: Recording, until: datetime) -> str:
    """In words that stay the same as long as it is true: the sums are shown elsewhere."""
    way_out = f"New recordings begin when the limit is raised, or on {until:%Y-%m-%d} (UTC)."
    if limits.monthly_usd is not None and costs.usd >= limits.monthly_usd:
        return f"This month's budget of {limits.monthly_usd:.2f} USD is spent. {way_out}"
    limit = limits.creator_monthly_usd
    spent = next((c.usd for c in costs.creators if c.creator_id == recording.broadcast.creator_id), 0.0)
    if limit is not None and spent >= limit:
        return f"This month's budget of {limit:.2f} USD for @{recording.handle} is spent. {way_out}"
    return ""


def month_of(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def next_month(first: datetime) -> datetime:
    return first.replace(year=first.year + first.month // 12, month=first.month % 12 + 1)
