"""What every `EventBus` does, whatever stands behind it."""

import asyncio
import time
from collections.abc import Callable

import pytest
from wentlive_common.bus import BusUnavailable, EventBus, SubscriptionPolicy
from wentlive_common.errors import InvalidInput, Permanent, Transient
from wentlive_common.events import (
    AnyEvent,
    BroadcastEnded,
    CreatorFollowed,
    CreatorUnfollowed,
    Event,
    EventData,
    MalformedEvent,
    RecordingFailed,
    new_event,
)
from wentlive_common.ids import new_ulid

Connect = Callable[[], EventBus]

FAST = SubscriptionPolicy(retry_delays=(0.05, 0.1))
NO_RETRY = SubscriptionPolicy(retry_delays=())


def followed(handle: str = "nora") -> Event[CreatorFollowed]:
    return new_event(CreatorFollowed(handle=handle), "catalog")


class Inbox:
    """A handler that keeps what came, and fails as often as it is told."""

    def __init__(self, *failures: Exception) -> None:
        self.events: list[AnyEvent] = []
        self.moments: list[float] = []
        self._failures = list(failures)

    async def __call__(self, event: AnyEvent) -> None:
        self.events.append(event)
        self.moments.append(time.monotonic())
        if self._failures:
            raise self._failures.pop(0)

    @property
    def handles(self) -> list[str]:
        return [event.data.handle for event in self.events if isinstance(event.data, CreatorFollowed)]


async def until(condition: Callable[[], bool], within: float = 15.0) -> None:
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, "it did not come about in time"
        await asyncio.sleep(0.005)


async def dead_letters_of(bus: EventBus, queue: str, count: int) -> list[str]:
    """The reasons, once there are `count`."""
    deadline = time.monotonic() + 15
    while len(found := await bus.dead_letters(queue)) < count:
        assert time.monotonic() < deadline, "too few were dead-lettered in time"
        await asyncio.sleep(0.02)
    return [letter.reason for letter in found]


async def test_every_queue_gets_what_it_subscribed_to(bus: EventBus) -> None:
    first, second, other = Inbox(), Inbox(), Inbox()
    await bus.subscribe("watcher.follows", (CreatorFollowed, CreatorUnfollowed), first)
    await bus.subscribe("audit.follows", (CreatorFollowed,), second)
    await bus.subscribe("audit.unfollows", (CreatorUnfollowed,), other)
    sent = followed()
    await bus.publish(sent)
    await bus.publish(new_event(CreatorUnfollowed(handle="nora"), "catalog"))
    await until(lambda: len(first.events) == 2 and len(second.events) == 1 and len(other.events) == 1)
    assert sent in first.events
    assert second.events == [sent]


async def test_an_event_arrives_as_it_was_sent(bus: EventBus) -> None:
    inbox = Inbox()
    await bus.subscribe("catalog.events", (CreatorFollowed,), inbox)
    traced = followed("æther".encode("ascii", "ignore").decode()).model_copy(update={"traceparent": "00-ab-cd-01"})
    await bus.publish(traced)
    await until(lambda: len(inbox.events) == 1)
    assert inbox.events == [traced]
    assert type(inbox.events[0].data) is CreatorFollowed


async def test_replicas_share_a_queue(connect: Connect) -> None:
    one, two = Inbox(), Inbox()
    policy = SubscriptionPolicy(prefetch=1)
    await connect().subscribe("watcher.follows", (CreatorFollowed,), one, policy)
    bus = connect()
    await bus.subscribe("watcher.follows", (CreatorFollowed,), two, policy)
    sent = [f"creator{number}" for number in range(40)]
    await asyncio.gather(*(bus.publish(followed(handle)) for handle in sent))
    await until(lambda: len(one.events) + len(two.events) >= 40)
    assert sorted(one.handles + two.handles) == sorted(sent)
    assert one.events
    assert two.events


async def test_an_event_nobody_wants_is_accepted(bus: EventBus) -> None:
    await bus.publish(followed())
    inbox = Inbox()
    await bus.subscribe("watcher.follows", (CreatorFollowed,), inbox)
    await bus.publish(followed("later"))
    await until(lambda: len(inbox.events) == 1)
    assert inbox.handles == ["later"]


async def test_one_at_a_time_keeps_the_order(bus: EventBus) -> None:
    inbox = Inbox()
    await bus.subscribe("watcher.follows", (CreatorFollowed,), inbox, SubscriptionPolicy(prefetch=1))
    sent = [f"creator{number}" for number in range(30)]
    for handle in sent:
        await bus.publish(followed(handle))
    await until(lambda: len(inbox.events) == 30)
    assert inbox.handles == sent


@pytest.mark.parametrize("failure", [Transient("later"), RuntimeError("a bug"), KeyError("a bug"), TimeoutError()])
async def test_a_failure_is_retried_after_the_policys_delays(bus: EventBus, failure: Exception) -> None:
    inbox, untouched = Inbox(failure, failure), Inbox()
    await bus.subscribe("watcher.follows", (CreatorFollowed,), inbox, FAST)
    await bus.subscribe("audit.follows", (CreatorFollowed,), untouched, FAST)
    sent = followed()
    await bus.publish(sent)
    await until(lambda: len(inbox.events) == 3)
    assert inbox.events == [sent] * 3
    assert inbox.moments[1] - inbox.moments[0] >= 0.045
    assert inbox.moments[2] - inbox.moments[1] >= 0.095
    assert untouched.events == [sent], "a retry belongs to the queue that failed"
    assert await bus.dead_letters("watcher.follows") == ()


async def test_equal_delays_are_each_waited(bus: EventBus) -> None:
    inbox = Inbox(*[Transient("later")] * 4)
    await bus.subscribe(
        "watcher.follows", (CreatorFollowed,), inbox, SubscriptionPolicy(retry_delays=(0.02, 0.02, 0.02, 0.02))
    )
    await bus.publish(followed())
    await until(lambda: len(inbox.events) == 5)


async def test_a_waiting_retry_holds_nothing_up(bus: EventBus) -> None:
    inbox = Inbox(Transient("later"))
    policy = SubscriptionPolicy(retry_delays=(0.5,), prefetch=1)
    await bus.subscribe("watcher.follows", (CreatorFollowed,), inbox, policy)
    await bus.publish(followed("slow"))
    await bus.publish(followed("quick"))
    await until(lambda: len(inbox.events) == 3)
    assert inbox.handles == ["slow", "quick", "slow"]


async def test_after_the_last_retry_it_is_dead_lettered(bus: EventBus) -> None:
    inbox = Inbox(*[Transient("TikTok is away")] * 3)
    await bus.subscribe("watcher.follows", (CreatorFollowed,), inbox, FAST)
    sent = followed()
    await bus.publish(sent)
    assert await dead_letters_of(bus, "watcher.follows", 1) == ["gave up after 3 tries: Transient: TikTok is away"]
    assert len(inbox.events) == 3
    (letter,) = await bus.dead_letters("watcher.follows")
    assert letter.queue == "watcher.follows"
    assert letter.body == sent.to_json()


async def test_a_permanent_failure_is_dead_lettered_at_once(bus: EventBus) -> None:
    inbox = Inbox(InvalidInput("That handle cannot be one."))
    await bus.subscribe("watcher.follows", (CreatorFollowed,), inbox, FAST)
    await bus.publish(followed("bad"))
    await bus.publish(followed("good"))
    assert await dead_letters_of(bus, "watcher.follows", 1) == ["InvalidInput: That handle cannot be one."]
    await until(lambda: len(inbox.events) == 2)
    assert inbox.handles == ["bad", "good"]


async def test_a_reason_tells_no_secret(bus: EventBus) -> None:
    inbox = Inbox(ValueError("key=hunter2"), Permanent("PUT https://acc.blob/x?sig=hunter2 failed"))
    await bus.subscribe("watcher.follows", (CreatorFollowed,), inbox, NO_RETRY.model_copy(update={"prefetch": 1}))
    await bus.publish(followed("foreign"))
    await bus.publish(followed("ours"))
    reasons = await dead_letters_of(bus, "watcher.follows", 2)
    assert reasons == [
        "gave up after 1 tries: ValueError",
        "Permanent: PUT https://acc.blob/x?*** failed",
    ]


async def test_a_handler_that_takes_too_long_has_failed(bus: EventBus) -> None:
    cancelled: list[AnyEvent] = []

    async def stuck(event: AnyEvent) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(event)
            raise

    policy = SubscriptionPolicy(retry_delays=(0.01,), handler_timeout=0.05)
    await bus.subscribe("watcher.follows", (CreatorFollowed,), stuck, policy)
    await bus.publish(followed())
    assert await dead_letters_of(bus, "watcher.follows", 1) == ["gave up after 2 tries: not handled within 0.05 s"]
    assert len(cancelled) == 2


async def test_prefetch_bounds_what_is_handled_at_once(bus: EventBus) -> None:
    running = most = done = 0
    gate = asyncio.Event()

    async def handler(_: AnyEvent) -> None:
        nonlocal running, most, done
        running += 1
        most = max(most, running)
        await gate.wait()
        running -= 1
        done += 1

    await bus.subscribe("watcher.follows", (CreatorFollowed,), handler, SubscriptionPolicy(prefetch=3))
    await asyncio.gather(*(bus.publish(followed()) for _ in range(12)))
    await until(lambda: running == 3)
    gate.set()
    await until(lambda: done == 12)
    assert most == 3


async def test_dead_letters_stay_where_they_are(bus: EventBus) -> None:
    inbox = Inbox(*[Permanent("no")] * 5)
    await bus.subscribe("watcher.follows", (CreatorFollowed,), inbox, SubscriptionPolicy(prefetch=1))
    sent = [followed(f"creator{number}") for number in range(5)]
    for event in sent:
        await bus.publish(event)
    await dead_letters_of(bus, "watcher.follows", 5)
    bodies = [event.to_json() for event in sent]
    for _ in range(3):
        assert [letter.body for letter in await bus.dead_letters("watcher.follows")] == bodies
    assert [letter.body for letter in await bus.dead_letters("watcher.follows", limit=2)] == bodies[:2]


async def test_a_queue_nobody_made_has_no_dead_letters(bus: EventBus) -> None:
    assert await bus.dead_letters("no.such") == ()


async def test_what_no_consumer_could_read_is_refused_at_the_publisher(bus: EventBus) -> None:
    class Unregistered(EventData):
        TYPE = "creator.invented"

        def subject(self) -> str:
            return "x"

    with pytest.raises(MalformedEvent):
        await bus.publish(new_event(Unregistered(), "catalog"))
    cut = Event[EventData](**{**dict(followed()), "data": followed().data})
    with pytest.raises(MalformedEvent):
        await bus.publish(cut)


async def test_a_handler_may_publish(bus: EventBus) -> None:
    ended = Inbox()

    async def answer(event: AnyEvent) -> None:
        data = BroadcastEnded(creator_id="1", room_id="2", handle="nora", sequence=1, at=event.time)
        await bus.publish(new_event(data, "watcher"))

    await bus.subscribe("watcher.follows", (CreatorFollowed,), answer)
    await bus.subscribe("orchestrator.broadcasts", (BroadcastEnded, RecordingFailed), ended)
    await bus.publish(followed())
    await until(lambda: len(ended.events) == 1)


async def test_closing_lets_running_handlers_end(bus: EventBus) -> None:
    started, finished = asyncio.Event(), asyncio.Event()

    async def slow(_: AnyEvent) -> None:
        started.set()
        await asyncio.sleep(0.3)
        finished.set()

    await bus.subscribe(f"watcher.{new_ulid()}", (CreatorFollowed,), slow)
    assert await bus.ready()
    await bus.publish(followed())
    await started.wait()
    await bus.close()
    assert finished.is_set()
    assert not await bus.ready()
    with pytest.raises(BusUnavailable):
        await bus.publish(followed())
    with pytest.raises(BusUnavailable):
        await bus.subscribe("watcher.follows", (CreatorFollowed,), slow)
    await bus.close()
