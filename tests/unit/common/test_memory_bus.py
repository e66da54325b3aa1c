"""What `InMemoryBus` adds to the contract: a clock that tests turn, quiescence, and bounds."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from wentlive_common.bus import SubscriptionPolicy
from wentlive_common.bus import memory as memory_module
from wentlive_common.bus.memory import InMemoryBus
from wentlive_common.errors import Transient
from wentlive_common.events import AnyEvent, CreatorFollowed, Event, new_event


class TurnedClock:
    """Sleeps end when a test turns it far enough."""

    def __init__(self) -> None:
        self._seconds = 0.0
        self._sleepers: list[tuple[float, asyncio.Future[None]]] = []

    def now(self) -> datetime:
        return datetime(2026, 11, 23, tzinfo=UTC) + timedelta(seconds=self._seconds)

    def monotonic(self) -> float:
        return self._seconds

    async def sleep(self, seconds: float) -> None:
        woken = asyncio.get_running_loop().create_future()
        self._sleepers.append((self._seconds + seconds, woken))
        await woken

    async def turn(self, seconds: float) -> None:
        for _ in range(5):  # lets what was started just now come to its sleep
            await asyncio.sleep(0)
        self._seconds += seconds
        for due, woken in self._sleepers:
            if due <= self._seconds and not woken.done():
                woken.set_result(None)
        await asyncio.sleep(0)


def followed(handle: str = "nora") -> Event[CreatorFollowed]:
    return new_event(CreatorFollowed(handle=handle), "catalog")


async def test_retries_wait_on_the_clock() -> None:
    clock = TurnedClock()
    bus = InMemoryBus(clock=clock)
    tries: list[float] = []

    async def never(_: AnyEvent) -> None:
        tries.append(clock.monotonic())
        raise Transient("later")

    await bus.subscribe("watcher.follows", (CreatorFollowed,), never, SubscriptionPolicy(retry_delays=(10, 100)))
    await bus.publish(followed())
    await bus.drain(retries=False)
    assert tries == [0.0]
    assert not bus.idle()
    await clock.turn(9.9)
    await bus.drain(retries=False)
    assert tries == [0.0]
    for seconds in (0.1, 100):
        await clock.turn(seconds)
        await bus.drain(retries=False)
    assert tries == [0.0, 10.0, 110.0]
    await bus.drain()
    assert len(await bus.dead_letters("watcher.follows")) == 1
    await bus.close()


async def test_draining_waits_for_what_handlers_publish() -> None:
    bus = InMemoryBus()
    seen: list[str] = []

    async def again(event: AnyEvent) -> None:
        seen.append(event.subject)
        if len(seen) < 5:
            await bus.publish(followed(f"nora{len(seen)}"))

    await bus.subscribe("watcher.follows", (CreatorFollowed,), again)
    await bus.publish(followed())
    await bus.drain()
    assert len(seen) == 5
    assert [event.subject for event in bus.published] == seen
    await bus.close()


async def test_draining_gives_up_in_time() -> None:
    bus = InMemoryBus(clock=TurnedClock())

    async def fail(_: AnyEvent) -> None:
        raise Transient("later")

    await bus.subscribe("watcher.follows", (CreatorFollowed,), fail)
    await bus.publish(followed())
    with pytest.raises(TimeoutError):
        await bus.drain(timeout=0.05)
    await bus.close()


async def test_a_full_queue_gives_up_its_oldest() -> None:
    bus = InMemoryBus(queue_limit=2)
    gate = asyncio.Event()
    handled: list[str] = []

    async def wait(event: AnyEvent) -> None:
        await gate.wait()
        handled.append(event.subject)

    await bus.subscribe("watcher.follows", (CreatorFollowed,), wait, SubscriptionPolicy(prefetch=1))
    sent = [followed(f"creator{number}") for number in range(5)]
    for event in sent:
        await bus.publish(event)
    gate.set()
    await bus.drain()
    dead = await bus.dead_letters("watcher.follows")
    assert [letter.reason for letter in dead] == ["maxlen", "maxlen"]
    assert [letter.body for letter in dead] == [sent[1].to_json(), sent[2].to_json()]
    assert handled == ["creator0", "creator3", "creator4"]
    await bus.close()


async def test_closing_stops_what_does_not_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory_module, "CLOSE_SECONDS", 0.01)
    bus = InMemoryBus(clock=TurnedClock())
    stopped = asyncio.Event()
    started = asyncio.Event()

    async def stuck(_: AnyEvent) -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()

    async def fail(_: AnyEvent) -> None:
        raise Transient("later")

    await bus.subscribe("watcher.follows", (CreatorFollowed,), stuck)
    await bus.subscribe("audit.follows", (CreatorFollowed,), fail)
    await bus.publish(followed())
    await started.wait()
    await bus.close()
    assert stopped.is_set()
    assert not [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
