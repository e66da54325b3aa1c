"""An egress keeps its budget and rests when it is refused, whatever comes in whatever order."""

import asyncio
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry
from wentlive_tiktok.status import Blocked, LiveStatus, NotFound, Unknown
from wentlive_tiktok.testing import FakeLiveStatusSource
from wentlive_watcher.asking import Asking
from wentlive_watcher.breaker import Breaker
from wentlive_watcher.domain import Follow, new_watch
from wentlive_watcher.egress import Budget, Egress, Egresses
from wentlive_watcher.gauges import WatcherGauges
from wentlive_watcher.pace import Pace

ANSWERED = NotFound(handle="ann")
WAF = Blocked(how="waf")
COUNTED = Blocked(how="rate_limited")
SILENT = Unknown(why="timeout")


@pytest.fixture
def breaker(clock):
    return Breaker(clock, backoff=60, limit=400, chance=lambda: 0.0)


def probe(breaker, answer):
    assert breaker.state == "half_open"
    breaker.probing = True
    breaker.learn(answer, probe=True)


def test_one_refusal_may_be_about_one_creator(breaker):
    breaker.learn(WAF, probe=False)
    breaker.learn(ANSWERED, probe=False)
    breaker.learn(WAF, probe=False)
    assert breaker.state == "closed"
    breaker.learn(SILENT, probe=False)
    assert breaker.state == "closed"
    breaker.learn(WAF, probe=False)
    assert (breaker.state, breaker.why) == ("open", "waf")


@pytest.mark.parametrize("how", ["waf", "forbidden", "login", "country"])
def test_every_kind_of_refusal_is_told_apart(breaker, how):
    for _ in range(2):
        breaker.learn(Blocked(how=how), probe=False)
    assert (breaker.state, breaker.why) == ("open", how)


def test_a_rest_is_as_long_as_tiktok_asks(breaker, clock):
    breaker.learn(Blocked(how="rate_limited", retry_after=timedelta(seconds=900)), probe=False)
    assert breaker.retry_at == clock.now() + timedelta(seconds=900)
    clock.advance(899)
    assert breaker.state == "open"
    clock.advance(1)
    assert breaker.state == "half_open"


def test_rests_double_up_to_a_limit_until_a_probe_is_answered(breaker, clock):
    breaker.learn(COUNTED, probe=False)
    for rest in (60, 120, 240, 400, 400):
        clock.advance(rest - 1)
        assert breaker.state == "open"
        clock.advance(1)
        probe(breaker, WAF)
    clock.advance(400)
    probe(breaker, ANSWERED)
    assert (breaker.state, breaker.why, breaker.retry_at) == ("closed", None, None)
    breaker.learn(COUNTED, probe=False)
    clock.advance(399)
    assert breaker.state == "open", "refused again so soon, it rests for long"


def test_after_a_calm_time_it_begins_anew(breaker, clock):
    breaker.learn(COUNTED, probe=False)
    clock.advance(60)
    probe(breaker, ANSWERED)
    clock.advance(601)
    breaker.learn(COUNTED, probe=False)
    clock.advance(60)
    assert breaker.state == "half_open"


def test_a_probe_that_learns_nothing_is_tried_again_later(breaker, clock):
    breaker.learn(COUNTED, probe=False)
    clock.advance(60)
    probe(breaker, SILENT)
    assert breaker.state == "open"
    clock.advance(60)
    assert breaker.state == "half_open"


def test_a_probe_that_learns_nothing_does_not_wait_for_a_day_again(breaker, clock):
    breaker.learn(Blocked(how="rate_limited", retry_after=timedelta(days=1)), probe=False)
    clock.advance(86_400)
    probe(breaker, SILENT)
    clock.advance(400)
    assert breaker.state == "half_open", "TikTok's day was over; the longest rest of our own is 400 s"


def test_it_says_since_when_a_probe_may_go_out(breaker, clock):
    breaker.learn(COUNTED, probe=False)
    breaker.learn(Blocked(how="rate_limited", retry_after=timedelta(seconds=300)), probe=False)
    clock.advance(310)
    assert breaker.state == "half_open"
    assert breaker.since == clock.now() - timedelta(seconds=10)


def test_answers_that_were_under_way_neither_end_nor_double_a_rest(breaker, clock):
    breaker.learn(COUNTED, probe=False)
    breaker.learn(ANSWERED, probe=False)
    breaker.learn(COUNTED, probe=False)
    assert breaker.state == "open"
    clock.advance(60)
    assert breaker.state == "half_open"


def make(clock, name="direct", **budget):
    values = {"requests_per_second": 2.0, "asked_per_minute": 6.0, "ramp": 0.0, "block_backoff": 60.0}
    budget = Budget(**{**values, "block_backoff_limit": 1800.0, **budget})
    connected = []

    def connect(may_ask):
        connected.append(may_ask)
        return FakeLiveStatusSource()

    egress = Egress(name, budget, connect, clock=clock, gauges=WatcherGauges(CollectorRegistry()))
    return egress, connected[0]


@settings(max_examples=150, deadline=None)
@given(
    steps=st.lists(
        st.tuples(st.sampled_from([ANSWERED, ANSWERED, WAF, COUNTED, SILENT]), st.floats(0, 90)), max_size=60
    )
)
def test_whatever_comes_the_budget_holds_and_one_probe_goes_out(steps, manual_clock):
    clock = manual_clock()
    egress, _ = make(clock)
    taken, under_way = [], []
    for answer, seconds in steps:
        clock.advance(seconds)
        state = egress.report().state
        for _ in range(egress.free()):
            under_way.append(egress.take())
            taken.append(clock.monotonic())
        if state == "open":
            assert not egress.free()
        assert sum(turn.probe for turn in under_way) <= 1
        assert egress.free() == 0
        if under_way:
            under_way.pop(0).learn(answer)
    for first in taken:
        window = [at for at in taken if first <= at < first + 10]
        assert len(window) <= 2 * 10 + 2 + 2


@settings(max_examples=100, deadline=None)
@given(waits=st.lists(st.floats(0, 5), max_size=80), per_second=st.floats(0.1, 50), ramp=st.sampled_from([0, 30]))
def test_a_pace_is_never_exceeded(waits, per_second, ramp, manual_clock):
    clock = manual_clock()
    pace, taken = Pace(per_second, clock, burst=per_second, ramp=ramp), 0
    for wait in waits:
        clock.advance(wait)
        available = pace.available()
        pace.take(available)
        taken += available
        assert taken <= 1 + per_second * clock.monotonic() + 1e-6
        if ramp:
            assert taken <= 1 + per_second * clock.monotonic() * max(0.1, min(1, clock.monotonic() / ramp)) + 1e-6


def test_a_debt_is_paid_before_anybody_asks(clock):
    pace = Pace(1, clock)
    pace.take(4)
    clock.advance(3)
    assert pace.available() == 0
    clock.advance(1)
    assert pace.available() == 1


async def test_fallbacks_ask_out_of_the_same_budget_and_not_while_it_rests(clock):
    egress, may_ask = make(clock)
    assert await may_ask()
    assert egress.free() == 0
    assert not await may_ask()
    clock.advance(60)
    egress.learn(COUNTED, probe=False)
    clock.advance(70)
    assert egress.free() == 1, "the probe"
    assert not await may_ask()


def test_what_is_asked_for_is_no_probe_and_no_part_of_the_budget(clock):
    egress, _ = make(clock)
    egress.take()
    assert (egress.free(), egress.free(asked_for=True)) == (0, 1)
    egress.learn(COUNTED, probe=False)
    clock.advance(70)
    assert (egress.free(), egress.free(asked_for=True)) == (1, 0)


def test_the_one_that_may_ask_most_is_taken(clock):
    slow, _ = make(clock, "slow", requests_per_second=1.0)
    fast, _ = make(clock, "fast", requests_per_second=5.0)
    egresses = Egresses([slow, fast])
    clock.advance(1)
    assert egresses.free() == 6
    taken = [egresses.take(tied_to) for tied_to in (None, "slow", "gone")]
    assert [turn and turn.egress for turn in taken] == [fast, slow, fast], "tied to what is gone is tied to nothing"
    assert egresses.busy() == {"slow"}
    assert egresses.instead("fast", {"fast"}) is None
    assert egresses.instead(None, {"fast"}) is None
    other = egresses.instead(None, {"slow"})
    assert other is not None
    assert other.egress is fast


def test_one_that_rested_is_probed_though_another_could_carry_all(clock):
    rested, _ = make(clock, "rested", requests_per_second=1.0)
    works, _ = make(clock, "works", requests_per_second=50.0)
    egresses = Egresses([works, rested])
    rested.learn(COUNTED, probe=False)
    clock.advance(70)
    assert rested.report().state == "half_open"
    person = egresses.take(None, asked_for=True)
    assert person is not None
    assert (person.egress, person.probe) == (works, False), "nobody who waits for an answer finds out"
    probe, next_one = egresses.take(None), egresses.take(None)
    assert probe is not None
    assert next_one is not None
    assert (probe.egress, probe.probe) == (rested, True)
    assert (next_one.egress, next_one.probe) == (works, False)


def test_there_is_no_turn_over_one_that_has_none_left(clock):
    slow, _ = make(clock, "slow", requests_per_second=1.0)
    fast, _ = make(clock, "fast", requests_per_second=50.0)
    egresses = Egresses([slow, fast])
    clock.advance(1)
    assert egresses.take("slow") is not None
    assert egresses.take("slow") is None
    assert egresses.take(None) is not None


async def test_who_has_a_turn_already_does_not_ask_once_another_was_refused(clock):
    egress, _ = make(clock)
    source = egress.source = FakeLiveStatusSource()
    clock.advance(1)
    first, second = egress.take(), egress.take()
    first.learn(COUNTED)
    answer = await Asking(Egresses([egress]), timeout=5).ask(new_watch(Follow(handle="ann"), clock.now()), second)
    assert (answer, source.asked) == (COUNTED, [])


async def test_a_probe_that_is_cut_short_leaves_room_for_another(clock):
    class Hanging(FakeLiveStatusSource):
        async def live_status(
            self, handle: str, *, creator_id: str | None = None, open_room: str | None = None
        ) -> LiveStatus:
            await asyncio.Event().wait()
            raise AssertionError("unreachable")

    egress, _ = make(clock)
    egress.source = Hanging()
    egress.learn(COUNTED, probe=False)
    clock.advance(70)
    asking = Asking(Egresses([egress]), timeout=60)
    task = asyncio.create_task(asking.ask(new_watch(Follow(handle="ann"), clock.now()), egress.take()))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    clock.advance(70)
    assert egress.free() == 1
