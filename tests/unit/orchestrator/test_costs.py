"""What attempts cost, what a month comes to, and when no new recording is begun."""

from datetime import UTC, datetime, timedelta

import pytest
from prometheus_client import CollectorRegistry
from ulid import ULID
from wentlive_common.errors import StoreUnavailable
from wentlive_orchestrator.costs import Budget, BudgetLimits, CostMeter, month_of, next_month
from wentlive_orchestrator.domain import (
    Attempt,
    Policy,
    PriceTable,
    on_attempt_gone,
    on_attempt_lost,
    on_attempt_planned,
    on_attempt_reaped,
    on_attempt_started,
    usage_of,
)
from wentlive_orchestrator.domain.usage import Rates, RegionPrices
from wentlive_orchestrator.ledger import RecordingLedger
from wentlive_orchestrator.metrics import OrchestratorMetrics
from wentlive_orchestrator.testing import InMemoryRecordings

POLICY = Policy()
STATE = {"runtime": "aci", "region": "eastus", "vcpu": 1.0, "memory_gb": 2.0, "priority": "regular", "group": "x"}
HOUR = 1 * 0.0405 + 2 * 0.00445


class Office:
    """Recordings whose recorders start and go by hand."""

    def __init__(self, words, monkeypatch):
        self.words = words
        self.clock = words.clock
        # The month of a recording is its identifier's.
        monkeypatch.setattr("wentlive_orchestrator.ledger.new_ulid", self._ulid)
        self.store = InMemoryRecordings()
        self.ledger = RecordingLedger(self.store, self.clock, POLICY)
        self.meter = CostMeter(self.store, self.ledger.prices, self.clock)
        self.metrics = OrchestratorMetrics(CollectorRegistry())

    def _ulid(self):
        return str(ULID.from_datetime(self.clock.now())).lower()

    def budget(self, **limits):
        return Budget(self.meter, BudgetLimits(**limits), self.metrics)

    async def live(self, room="42", creator="7"):
        seen = self.words.live(room=room).model_copy(update={"creator_id": creator})
        return await self.ledger.went_live(seen)

    async def start(self, recording, state=STATE):
        change = self.ledger.change
        planned = await change(recording.recording_id, lambda r, now: on_attempt_planned(r, "hash", now, POLICY))
        number = len(planned.attempts)
        return await change(recording.recording_id, lambda r, now: on_attempt_started(r, number, state, now))

    async def gone(self, recording):
        number = len(recording.attempts)
        change = self.ledger.change
        await change(recording.recording_id, lambda r, now: on_attempt_lost(r, number, "over", now, POLICY))
        prices = self.ledger.prices
        return await change(recording.recording_id, lambda r, now: on_attempt_gone(r, number, now, prices))

    async def containers(self):
        events = [event.data for event in await self.store.pending(100)]
        return [event for event in events if event.TYPE.startswith("container.")]


@pytest.fixture
def office(words, monkeypatch):
    return Office(words, monkeypatch)


async def test_an_hour_of_a_container_is_told_with_its_price(office):
    recording = await office.start(await office.live())
    office.clock.advance(3600)
    await office.gone(recording)
    created, deleted = await office.containers()
    assert (created.TYPE, created.runtime, created.region) == ("container.created", "aci", "eastus")
    assert (created.vcpu, created.memory_gb) == (1.0, 2.0)
    assert created.name == deleted.name == f"rec-{recording.recording_id}-1"
    assert (deleted.TYPE, deleted.vcpu_seconds, deleted.gb_seconds) == ("container.deleted", 3600, 7200)
    assert deleted.estimated_cost_usd == pytest.approx(HOUR)


async def test_what_turns_up_again_is_billed_anew_and_told_as_reaped(office):
    recording = await office.start(await office.live())
    office.clock.advance(3600)
    await office.gone(recording)
    office.clock.advance(3600)
    reason = "Nobody owned it any more."
    recording = await office.ledger.change(
        recording.recording_id, lambda r, now: on_attempt_reaped(r, 1, STATE, reason, now, office.ledger.prices)
    )
    reaped = (await office.containers())[-1]
    assert (reaped.TYPE, reaped.reason) == ("container.reaped", reason)
    assert reaped.estimated_cost_usd == pytest.approx(2 * HOUR)
    assert recording.attempts[0].bill.usd == pytest.approx(2 * HOUR)


async def test_a_process_costs_nothing_and_a_refused_start_is_no_container(office):
    recording = await office.start(await office.live(), {"pid": 1, "started": 2})
    office.clock.advance(60)
    recording = await office.gone(recording)
    assert recording.attempts[0].bill.usd == 0
    assert [(event.TYPE, event.runtime) for event in await office.containers()] == [
        ("container.created", "process"),
        ("container.deleted", "process"),
    ]
    refused = await office.live(room="43")
    await office.ledger.change(refused.recording_id, lambda r, now: on_attempt_planned(r, "hash", now, POLICY))
    refused = await office.gone(await office.store.get(refused.recording_id))
    assert refused.attempts[0].gone
    assert refused.attempts[0].bill is None
    assert len(await office.containers()) == 2


def test_prices_are_by_region_and_priority():
    prices = PriceTable()
    assert prices.rates("eastus", "regular") == prices.rates("nowhere", "regular") == prices.rates(None, "regular")
    assert prices.rates("swedencentral", "regular").vcpu == 0.0466
    assert prices.rates("eastus", "spot").vcpu == pytest.approx(0.3 * 0.0405)
    own = RegionPrices(regular=Rates(vcpu=1, gb=0), spot=Rates(vcpu=0.5, gb=0))
    assert PriceTable(regions={"here": own}).rates("here", "spot").vcpu == 0.5


async def test_a_month_is_summed_by_creator_with_what_still_runs(office):
    for creator, room, hours in (("7", "1", 2), ("7", "2", 1), ("8", "3", 4)):
        recording = await office.start(await office.live(room, creator))
        office.clock.advance(3600 * hours)
        await office.gone(recording)
    running = await office.start(await office.live("4", "8"))
    office.clock.advance(1800)
    costs = await office.meter.month(office.meter.this_month())
    assert (costs.month, costs.usd) == ("2026-05", pytest.approx(7.5 * HOUR))
    assert costs.running_usd == pytest.approx(0.5 * HOUR)
    assert [(c.creator_id, c.attempts, c.usd) for c in costs.creators] == [
        ("8", 2, pytest.approx(4.5 * HOUR)),
        ("7", 2, pytest.approx(3 * HOUR)),
    ]
    assert costs.creators[0].vcpu_seconds == pytest.approx(4.5 * 3600)
    usage = usage_of(running.attempts[0], office.clock.now())
    assert usage
    assert usage.seconds == 1800
    office.clock.advance(40 * 86400)
    assert (await office.meter.month(office.meter.this_month())).creators == ()


async def test_above_the_budget_nothing_new_is_begun_but_nothing_is_cut_off(office):
    budget = office.budget(monthly_usd=1.0)
    first = await office.start(await office.live())
    waiting = await office.live("43", "8")
    assert budget.refusal(waiting) == "What was spent this month is not known yet."
    await budget.refresh()
    assert budget.refusal(waiting) == ""
    office.clock.advance(3600 * 21)
    await budget.refresh()
    reason = budget.refusal(waiting)
    assert reason == (
        "This month's budget of 1.00 USD is spent. New recordings begin when the limit is raised, "
        "or on 2026-06-01 (UTC)."
    )
    office.clock.advance(3600)
    await budget.refresh()
    assert budget.refusal(waiting) == reason, "the same words as long as it is true"
    assert budget.refusal(first) == "", "another attempt for what was begun"
    office.clock.advance(30 * 86400)
    await budget.refresh()
    assert budget.refusal(waiting) == "", "another month"


async def test_a_creator_has_a_budget_of_their_own(office):
    budget = office.budget(creator_monthly_usd=0.1)
    await office.start(await office.live())
    office.clock.advance(3600 * 3)
    await budget.refresh()
    assert "0.10 USD for @ann is spent" in budget.refusal(await office.live("43"))
    assert budget.refusal(await office.live("44", "8")) == ""


async def test_without_limits_nothing_need_be_known(office):
    assert office.budget().refusal(await office.live()) == ""


async def test_sums_that_cannot_be_read_leave_the_last_ones_in_force(office, monkeypatch):
    budget = office.budget(monthly_usd=0.0)
    await budget.refresh()
    reason = budget.refusal(await office.live())

    async def fails(*_):
        raise StoreUnavailable

    monkeypatch.setattr(office.store, "billed", fails)
    await budget.refresh()
    assert budget.refusal(await office.live()) == reason


@pytest.mark.parametrize(
    ("moment", "first", "after"),
    [
        (datetime(2026, 12, 31, 23, 59, tzinfo=UTC), "2026-12", "2027-01"),
        (datetime(2026, 1, 1, tzinfo=UTC) - timedelta(milliseconds=1), "2025-12", "2026-01"),
        (datetime(2028, 2, 29, 12, tzinfo=UTC), "2028-02", "2028-03"),
    ],
)
def test_months_turn(moment, first, after):
    assert f"{month_of(moment):%Y-%m-%dT%H:%M:%S.%f}" == f"{first}-01T00:00:00.000000"
    assert f"{next_month(month_of(moment)):%Y-%m-%dT%H:%M:%S.%f}" == f"{after}-01T00:00:00.000000"


async def test_a_recording_that_there_was_no_room_for_is_still_a_new_one(office):
    budget = office.budget(monthly_usd=0.0)
    await budget.refresh()
    recording = await office.live()
    refused = Attempt(
        number=1, name="rec-x-1", token_hash="h", created_at=office.clock.now(), state="lost", refused=True
    )
    assert budget.refusal(recording.model_copy(update={"attempts": (refused,)})) == budget.refusal(recording) != ""
    ran = refused.model_copy(update={"refused": False})
    assert budget.refusal(recording.model_copy(update={"attempts": (ran,)})) == "", "what was begun goes on"
