"""Who leads, by a clock of everyone's own."""

import asyncio

import pytest
from wentlive_common.errors import StoreUnavailable
from wentlive_orchestrator.leadership import LEASE_SECONDS, Leadership
from wentlive_orchestrator.testing import InMemoryRecordings


class BrokenStore(InMemoryRecordings):
    def __init__(self) -> None:
        super().__init__()
        self.broken = False

    async def lease(self):
        if self.broken:
            raise StoreUnavailable
        return await super().lease()


@pytest.fixture
def store():
    return BrokenStore()


async def test_the_first_one_leads_and_the_second_waits(store, clock):
    first, second = Leadership(store, "a:1", clock), Leadership(store, "b:1", clock)
    assert await first.beat()
    assert not await second.beat()
    for _ in range(20):
        clock.advance(LEASE_SECONDS / 5)
        assert await first.beat()
        assert not await second.beat()


async def test_a_lease_that_does_not_change_is_taken_over_after_its_time(store, clock):
    first, second = Leadership(store, "a:1", clock), Leadership(store, "b:1", clock)
    assert await first.beat()
    assert not await second.beat()
    clock.advance(LEASE_SECONDS - 0.1)
    assert not await second.beat()
    clock.advance(0.2)
    assert await second.beat()
    assert not await first.beat(), "who slept has lost it"


async def test_one_that_takes_the_place_of_the_dead_leads_at_once(store, clock):
    assert await Leadership(store, "a:1", clock).beat()
    assert await Leadership(store, "a:1", clock).beat()


async def test_one_that_resigns_leaves_it_to_the_next(store, clock):
    first, second = Leadership(store, "a:1", clock), Leadership(store, "b:1", clock)
    await first.beat()
    assert not await second.beat()
    await first.resign()
    assert await second.beat()


async def test_while_the_store_is_away_the_leader_leads_no_longer_than_its_lease(store, clock):
    first = Leadership(store, "a:1", clock)
    assert await first.beat()
    store.broken = True
    clock.advance(LEASE_SECONDS - 1)
    assert await first.beat()
    clock.advance(2)
    assert not await first.beat()
    store.broken = False
    assert await first.beat()


class Term:
    """One spell of leading."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.ended = asyncio.Event()

    async def __call__(self, over: asyncio.Event) -> None:
        self.begun.set()
        await over.wait()
        self.ended.set()


class TickingClock:
    """Time that passes at every look, so that loops turn without waiting."""

    def __init__(self) -> None:
        self.time = 0.0

    def now(self):
        raise NotImplementedError

    def monotonic(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.time += seconds
        await asyncio.sleep(0)


async def test_leading_ends_with_the_lease(store):
    term, stop = Term(), asyncio.Event()
    leadership = Leadership(store, "a:1", TickingClock())
    async with asyncio.timeout(5), asyncio.TaskGroup() as tasks:
        tasks.create_task(leadership.run(term, stop))
        await term.begun.wait()
        thief = await store.lease()
        await store.swap_lease(thief, thief.model_copy(update={"holder": "b:1", "beat": thief.beat + 1}))
        await term.ended.wait()
        assert not leadership.leading
        stop.set()


async def test_a_stop_ends_leading_and_leaves_the_lease_free(store):
    term, stop = Term(), asyncio.Event()
    async with asyncio.timeout(5), asyncio.TaskGroup() as tasks:
        tasks.create_task(Leadership(store, "a:1", TickingClock()).run(term, stop))
        await term.begun.wait()
        stop.set()
    assert term.ended.is_set()
    lease = await store.lease()
    assert lease is not None
    assert lease.holder == ""
