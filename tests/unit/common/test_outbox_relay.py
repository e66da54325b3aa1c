"""The relay publishes what a store holds, in order, and forgets it only afterwards."""

import asyncio
from collections.abc import Sequence

import pytest
from wentlive_common import outbox as outbox_module
from wentlive_common.bus import BusUnavailable
from wentlive_common.bus.memory import InMemoryBus
from wentlive_common.events import AnyEvent, CreatorFollowed, new_event
from wentlive_common.outbox import OutboxRelay


class Shelf:
    """An outbox in memory."""

    def __init__(self, count: int = 0) -> None:
        self.events: list[AnyEvent] = []
        self.empty = asyncio.Event()
        self.put(count)

    def put(self, count: int = 1) -> None:
        self.events += [new_event(CreatorFollowed(handle=f"creator{number}"), "catalog") for number in range(count)]
        self.empty.clear()

    async def pending(self, limit: int) -> Sequence[AnyEvent]:
        return self.events[:limit]

    async def clear(self, ids: Sequence[str]) -> None:
        self.events = [event for event in self.events if event.id not in ids]
        if not self.events:
            self.empty.set()


class FailingBus(InMemoryBus):
    """Refuses every publishing whose number is named."""

    def __init__(self, *refused: int) -> None:
        super().__init__()
        self._refused = refused
        self.calls = 0

    async def publish(self, event: AnyEvent) -> None:
        self.calls += 1
        if self.calls in self._refused:
            raise BusUnavailable("away")
        await super().publish(event)


async def test_everything_is_published_in_order_and_cleared() -> None:
    shelf, bus = Shelf(450), InMemoryBus()
    expected = [event.id for event in shelf.events]
    relay = OutboxRelay(shelf, bus)
    assert await relay.relay_once()
    assert await relay.relay_once()
    assert not await relay.relay_once()
    assert [event.id for event in bus.published] == expected
    assert not shelf.events


async def test_what_was_published_before_an_outage_is_cleared_and_the_rest_kept() -> None:
    shelf, bus = Shelf(5), FailingBus(3)
    kept = shelf.events[2:]
    with pytest.raises(BusUnavailable):
        await OutboxRelay(shelf, bus).relay_once()
    assert shelf.events == kept


async def test_the_relay_outlives_outages_and_wakes_at_once() -> None:
    shelf, bus = Shelf(3), FailingBus(1, 2)
    relay, stop = OutboxRelay(shelf, bus), asyncio.Event()
    running = asyncio.create_task(relay.run(stop))
    async with asyncio.timeout(5):
        await shelf.empty.wait()
        shelf.put()
        relay.wake()
        await shelf.empty.wait()
        stop.set()
        await running
    assert len(bus.published) == 4


async def test_stopping_publishes_what_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox_module, "POLL_SECONDS", 60)
    shelf, bus = Shelf(2), InMemoryBus()
    stop = asyncio.Event()
    stop.set()
    await OutboxRelay(shelf, bus).run(stop)
    assert len(bus.published) == 2


async def test_stopping_during_an_outage_keeps_it() -> None:
    shelf, stop = Shelf(2), asyncio.Event()
    stop.set()
    await OutboxRelay(shelf, FailingBus(1)).run(stop)
    assert len(shelf.events) == 2
