"""RabbitMQ taken away, killed, wiped and fed with rubbish while the bus runs."""

import asyncio
import json
import shutil
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import aio_pika
import pytest
import pytest_asyncio
from pydantic import SecretStr
from structlog.testing import capture_logs
from wentlive_common.bus import BusUnavailable, DeadLetter, SubscriptionPolicy, rabbit_consumer
from wentlive_common.bus.rabbit import RabbitBus
from wentlive_common.bus.rabbit_consumer import QueueMismatch
from wentlive_common.bus.topology import DEAD_EXCHANGE, EVENTS_EXCHANGE, declare_exchanges
from wentlive_common.errors import Permanent, Transient
from wentlive_common.events import AnyEvent, CreatorFollowed, CreatorUnfollowed, Event, new_event
from wentlive_common.ids import new_ulid
from wentlive_devkit.servers import RabbitMqNode

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(180)]

Connect = Callable[[], RabbitBus]

ODD_HEADERS: aio_pika.abc.HeadersType = {
    "x-wentlive-failures": "many",
    "decimal": Decimal("1.5"),
    "nothing": None,
    "when": datetime(2026, 11, 23, tzinfo=UTC),
    "nested": {"list": [1, "two", {"three": 3}]},
    "bytes": bytearray(b"\x00\xff"),
    "large": 2**40,
}
# What `rabbitmqctl close_all_connections` does, so that it needs no second run of that program.
CUT_ALL = '[rabbit_networking:close_connection(Pid, "test") || Pid <- rabbit_networking:connections()].'


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("rabbit-failures")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def node(folder: Path) -> AsyncGenerator[RabbitMqNode]:
    """A broker of this module's own: the shared one must not be killed."""
    async with RabbitMqNode.start(folder) as running:
        yield running
        # Nobody wants its data any more, and a gentle stop takes six seconds.
        await running.kill()


@pytest_asyncio.fixture(loop_scope="module")
async def connect(node: RabbitMqNode) -> AsyncGenerator[Connect]:
    buses: list[RabbitBus] = []

    def another() -> RabbitBus:
        buses.append(RabbitBus(SecretStr(node.amqp_url), "test"))
        return buses[-1]

    yield another
    await asyncio.gather(*(bus.close() for bus in buses))


@pytest.fixture
def queue() -> str:
    return f"test.{new_ulid()}"


@pytest_asyncio.fixture(loop_scope="module")
async def wire(node: RabbitMqNode) -> AsyncGenerator[aio_pika.abc.AbstractChannel]:
    """A plain AMQP client, to do what our own code never would."""
    async with await aio_pika.connect(node.amqp_url) as connection:
        yield await connection.channel()


def followed(handle: str = "nora") -> Event[CreatorFollowed]:
    return new_event(CreatorFollowed(handle=handle), "catalog")


class Inbox:
    def __init__(self) -> None:
        self.events: list[AnyEvent] = []

    async def __call__(self, event: AnyEvent) -> None:
        self.events.append(event)

    @property
    def ids(self) -> set[str]:
        return {event.id for event in self.events}


async def until(condition: Callable[[], Awaitable[bool]] | Callable[[], bool], within: float = 40.0) -> None:
    deadline = time.monotonic() + within
    while True:
        met = condition()
        if met if isinstance(met, bool) else await met:
            return
        assert time.monotonic() < deadline, "it did not come about in time"
        await asyncio.sleep(0.02)


async def publish_surely(bus: RabbitBus, event: AnyEvent) -> int:
    """What an outbox does; answers how often the bus refused."""
    refused = 0
    while True:
        try:
            await bus.publish(event)
        except BusUnavailable:
            refused += 1
            await asyncio.sleep(0.1)
        else:
            return refused


async def dead_letters_of(bus: RabbitBus, queue: str, count: int) -> tuple[DeadLetter, ...]:
    async def enough() -> bool:
        return len(await bus.dead_letters(queue)) >= count

    await until(enough)
    return await bus.dead_letters(queue)


async def test_rubbish_is_dead_lettered_once_and_the_consumer_goes_on(
    connect: Connect, queue: str, wire: aio_pika.abc.AbstractChannel
) -> None:
    bus, inbox = connect(), Inbox()
    await bus.subscribe(queue, (CreatorFollowed,), inbox)
    good = followed()
    broken = json.loads(good.to_json())
    rubbish = {
        b"\xff\x00 not JSON": "MalformedEvent: The message is not JSON, or is nested too deeply.",
        b"[" * 100_000: "MalformedEvent: The message is not JSON, or is nested too deeply.",
        b"[]": "MalformedEvent: The message is JSON, but not an object.",
        json.dumps({**broken, "type": "wentlive.creator.invented.v1"}).encode(): (
            "MalformedEvent: The message is of no event type known here."
        ),
        json.dumps({**broken, "data": {"handle": "NOT A HANDLE"}}).encode(): (
            "MalformedEvent: The wentlive.creator.followed.v1 event is not as its schema says: "
            "data.handle: string_pattern_mismatch"
        ),
        b"x" * 300_000: "MalformedEvent: The message has 300000 bytes; an event has at most 262144.",
    }
    exchange = await wire.get_exchange(EVENTS_EXCHANGE)
    for body in rubbish:
        await exchange.publish(aio_pika.Message(body, expiration=60, headers=dict(ODD_HEADERS)), "creator.followed")
    await bus.publish(good)
    await until(lambda: inbox.events == [good])
    found = await dead_letters_of(bus, queue, len(rubbish))
    assert {letter.body: letter.reason for letter in found} == rubbish
    assert len(found) == len(rubbish)
    dead = await wire.get_queue(f"{queue}.dead")
    kept = await dead.get()
    assert str(kept.headers["x-wentlive-reason"]).startswith("MalformedEvent")
    assert kept.expiration is None
    await kept.nack(requeue=True)


async def test_properties_mirror_the_envelope(connect: Connect, queue: str, wire: aio_pika.abc.AbstractChannel) -> None:
    bus = connect()
    tap = await wire.declare_queue(queue, durable=True)
    await bus.publish(followed())
    await tap.bind(EVENTS_EXCHANGE, "creator.followed")
    event = followed().model_copy(update={"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"})
    await bus.publish(event)
    message = await tap.get()
    await message.ack()
    await tap.delete()
    assert message.body == event.to_json()
    assert message.message_id == event.id
    assert message.type == "wentlive.creator.followed.v1"
    assert message.app_id == "/wentlive/catalog"
    assert message.content_type == "application/cloudevents+json"
    assert message.timestamp == event.time.replace(microsecond=0)
    assert message.delivery_mode == aio_pika.DeliveryMode.PERSISTENT
    assert message.headers["traceparent"] == event.traceparent


async def test_an_event_without_queue_is_logged_once_per_type(connect: Connect) -> None:
    bus = connect()
    with capture_logs() as logs:
        for _ in range(3):
            await bus.publish(new_event(CreatorUnfollowed(handle="nora"), "catalog"))
    assert [entry["event"] for entry in logs].count("event_unrouted") == 1


@pytest.mark.parametrize("made_anew_by_another", [False, True])
async def test_deleted_exchanges_come_back_with_their_bindings(
    connect: Connect,
    queue: str,
    wire: aio_pika.abc.AbstractChannel,
    monkeypatch: pytest.MonkeyPatch,
    made_anew_by_another: bool,
) -> None:
    monkeypatch.setattr(rabbit_consumer, "REBIND_SECONDS", 0.5)
    publisher, consumer, inbox = connect(), connect(), Inbox()
    await consumer.subscribe(queue, (CreatorFollowed,), inbox)
    await publisher.publish(followed())
    for exchange in (EVENTS_EXCHANGE, DEAD_EXCHANGE):
        await wire.exchange_delete(exchange)
    if made_anew_by_another:
        await declare_exchanges(wire)
    event = followed()
    await publish_surely(publisher, event)
    await until(lambda: event.id in inbox.ids)
    await wire.default_exchange.publish(aio_pika.Message(b"rubbish"), queue)
    assert len(await dead_letters_of(consumer, queue, 1)) == 1


async def test_an_event_of_a_forgotten_binding_is_dropped(
    connect: Connect, queue: str, wire: aio_pika.abc.AbstractChannel
) -> None:
    bus, inbox = connect(), Inbox()
    await bus.subscribe(queue, (CreatorFollowed,), inbox)
    await (await wire.get_queue(queue)).bind(EVENTS_EXCHANGE, "creator.unfollowed")
    await bus.publish(new_event(CreatorUnfollowed(handle="nora"), "catalog"))
    await bus.publish(followed())
    await until(lambda: len(inbox.events) == 1)
    assert await bus.dead_letters(queue) == ()


async def test_a_message_that_kills_its_consumers_ends_as_dead_letter(
    connect: Connect, queue: str, wire: aio_pika.abc.AbstractChannel
) -> None:
    bus = connect()
    await bus.subscribe(queue, (CreatorFollowed,), Inbox())
    await bus.close()
    await connect().publish(followed())
    source = await wire.get_queue(queue)
    deliveries = 0
    while (message := await source.get(fail=False)) is not None:
        deliveries += 1
        await message.nack(requeue=True)
    assert 15 < deliveries < 25
    (letter,) = await dead_letters_of(connect(), queue, 1)
    assert letter.reason == "delivery_limit"


async def test_a_queue_with_other_arguments_is_refused(
    connect: Connect, queue: str, wire: aio_pika.abc.AbstractChannel
) -> None:
    await wire.declare_queue(queue, durable=True)
    with pytest.raises(QueueMismatch, match="delete it"):
        await connect().subscribe(queue, (CreatorFollowed,), Inbox())


@pytest.mark.parametrize("suffix", ["", ".dead", ".retry.200"])
async def test_a_queue_deleted_under_us_comes_back(
    connect: Connect, queue: str, wire: aio_pika.abc.AbstractChannel, suffix: str
) -> None:
    bus, seen = connect(), Inbox()

    async def fail_once(event: AnyEvent) -> None:
        await seen(event)
        if len(seen.events) == 1:
            raise Transient("later")

    await bus.subscribe(queue, (CreatorFollowed,), fail_once, SubscriptionPolicy(retry_delays=(0.2,)))
    await wire.queue_delete(f"{queue}{suffix}")

    async def handled() -> bool:
        await bus.publish(followed())
        return len(seen.events) >= 3

    await until(handled)
    assert await bus.ready()
    await until(lambda: any(seen.events[0].id == event.id for event in seen.events[1:]))


@pytest.mark.parametrize("exchange", [EVENTS_EXCHANGE, DEAD_EXCHANGE])
async def test_an_exchange_deleted_under_us_comes_back(
    connect: Connect, wire: aio_pika.abc.AbstractChannel, exchange: str
) -> None:
    bus = connect()
    await bus.publish(followed())
    await wire.exchange_delete(exchange)
    await until(bus.ready)
    await publish_surely(bus, followed())


async def test_connections_cut_by_the_broker_are_made_again(connect: Connect, queue: str, node: RabbitMqNode) -> None:
    bus, inbox = connect(), Inbox()
    stuck = asyncio.Event()

    async def stuck_at_first(event: AnyEvent) -> None:
        await inbox(event)
        if len(inbox.events) == 1:
            await stuck.wait()

    await bus.subscribe(queue, (CreatorFollowed,), stuck_at_first)
    event = followed()
    await bus.publish(event)
    await until(lambda: len(inbox.events) == 1)
    await node.control("close_all_connections", "test")
    await until(lambda: len(inbox.events) == 2)
    assert inbox.ids == {event.id}, "what was not acknowledged is delivered again"
    stuck.set()
    await until(bus.ready)


async def test_a_message_that_cannot_be_copied_is_rejected_to_the_dead_letters(
    connect: Connect, queue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ValueError("no such header type")

    monkeypatch.setattr(rabbit_consumer, "_copy", fail)
    bus, inbox = connect(), Inbox()

    async def refuse(event: AnyEvent) -> None:
        await inbox(event)
        raise Permanent("no")

    await bus.subscribe(queue, (CreatorFollowed,), refuse)
    await bus.publish(followed())
    (letter,) = await dead_letters_of(bus, queue, 1)
    assert letter.reason == "rejected"


async def test_closing_hands_back_what_is_not_done(
    connect: Connect, queue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rabbit_consumer, "DRAIN_SECONDS", 0.1)
    first, heir, taken = connect(), connect(), Inbox()

    async def stuck(event: AnyEvent) -> None:
        await taken(event)
        await asyncio.Event().wait()

    await first.subscribe(queue, (CreatorFollowed,), stuck, SubscriptionPolicy(prefetch=5))
    sent = [followed() for _ in range(8)]
    for event in sent:
        await first.publish(event)
    await until(lambda: len(taken.events) == 5)
    await first.close()
    inbox = Inbox()
    await heir.subscribe(queue, (CreatorFollowed,), inbox)
    await until(lambda: inbox.ids == {event.id for event in sent})
    assert len(inbox.events) == 8


async def test_nothing_listens(unused_tcp_port: int, queue: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wentlive_common.bus.rabbit.SUBSCRIBE_SECONDS", 0.3)
    bus = RabbitBus(SecretStr(f"amqp://guest:hunter2@127.0.0.1:{unused_tcp_port}/"), "test")
    with capture_logs() as logs, pytest.raises(BusUnavailable) as caught:
        async with asyncio.timeout(30):
            await bus.publish(followed())
    await bus.subscribe(queue, (CreatorFollowed,), Inbox())
    assert not await bus.ready()
    with pytest.raises(BusUnavailable):
        await bus.dead_letters(queue)
    await bus.close()
    assert "hunter2" not in str(caught.value) + repr(caught.value.__cause__) + str(logs)


async def test_a_wrong_password_is_unavailable_and_not_told(
    node: RabbitMqNode, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    bus = RabbitBus(SecretStr(node.amqp_url.replace("guest:guest", "guest:hunter2")), "test")
    with capture_logs() as logs, pytest.raises(BusUnavailable) as caught:
        await bus.publish(followed())
    await bus.close()
    assert "hunter2" not in str(caught.value) + repr(caught.value.__cause__) + str(logs) + caplog.text


async def test_five_hundred_events_survive_kill_9(connect: Connect, queue: str, node: RabbitMqNode) -> None:
    bus, inbox = connect(), Inbox()
    failed: set[str] = set()

    async def fail_each_once(event: AnyEvent) -> None:
        if event.id not in failed:
            failed.add(event.id)
            raise Transient("the first time always")
        await inbox(event)

    await bus.subscribe(queue, (CreatorFollowed,), fail_each_once, SubscriptionPolicy(retry_delays=(0.5, 1.0, 1.0)))
    sent = [followed(f"creator{number}") for number in range(500)]
    slots = asyncio.Semaphore(20)

    async def publish(event: AnyEvent) -> int:
        async with slots:
            refused = await publish_surely(bus, event)
            await asyncio.sleep(0.02)
            return refused

    # A new queue's registration reaches the disk within seconds; the next test kills the broker before that.
    await node.sync()
    publishing = asyncio.gather(*(publish(event) for event in sent))
    await until(lambda: len(inbox.events) > 50)
    await node.kill()
    with pytest.raises(BusUnavailable):
        async with asyncio.timeout(30):
            await bus.publish(followed("nobody"))
    await node.restart()
    refused = sum(await publishing)
    assert refused > 0
    await until(lambda: {event.id for event in sent} <= inbox.ids, within=60)
    assert await bus.dead_letters(queue) == ()
    assert await bus.ready()


async def test_a_queue_without_leader_is_made_anew(connect: Connect, queue: str, node: RabbitMqNode) -> None:
    bus, inbox = connect(), Inbox()
    await bus.subscribe(queue, (CreatorFollowed,), inbox, SubscriptionPolicy(retry_delays=()))
    await node.kill()
    await node.restart()
    with capture_logs() as logs:
        await until(bus.ready, within=60)
    if any(entry["event"] == "queue_leaderless" for entry in logs):
        assert any(entry.get("deleting") for entry in logs)
    event = followed()
    await publish_surely(bus, event)
    await until(lambda: event.id in inbox.ids)


@pytest.mark.parametrize("how", ["sys:suspend('{name}')", "ra:stop_server(quorum_queues, {{'{name}', node()}})"])
async def test_silent_queues_are_healed(
    connect: Connect, queue: str, node: RabbitMqNode, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """A queue of events and another one's queue of dead letters, at the same time: most of it is waiting."""
    monkeypatch.setattr(rabbit_consumer, "PROBE_SECONDS", 1.0)
    monkeypatch.setattr(rabbit_consumer, "HEAL_AFTER_SECONDS", 1.5)
    bus, inboxes = connect(), {f"{queue}.a": Inbox(), f"{queue}.b": Inbox()}
    for name, inbox in inboxes.items():
        await bus.subscribe(name, (CreatorFollowed,), inbox, SubscriptionPolicy(retry_delays=()))
    silent = {f"{queue}.a", f"{queue}.b.dead"}
    with capture_logs() as logs:
        await node.control("eval", ", ".join([*(how.format(name=f"%2F_{name}") for name in silent), CUT_ALL]))
        await until(lambda: silent <= {entry["queue"] for entry in logs if entry.get("deleting")}, within=60)
        await until(bus.ready, within=60)
    event = followed()
    await publish_surely(bus, event)
    await until(lambda: all(event.id in inbox.ids for inbox in inboxes.values()))


async def test_healing_can_be_turned_off(queue: str, node: RabbitMqNode, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rabbit_consumer, "PROBE_SECONDS", 0.3)
    monkeypatch.setattr(rabbit_consumer, "HEAL_AFTER_SECONDS", 0.5)
    bus = RabbitBus(SecretStr(node.amqp_url), "test", heal_leaderless=False)
    await bus.subscribe(queue, (CreatorFollowed,), Inbox(), SubscriptionPolicy(retry_delays=()))
    with capture_logs() as logs:
        await node.control("eval", f"ra:stop_server(quorum_queues, {{'%2F_{queue}', node()}}), {CUT_ALL}")
        await until(lambda: len([entry for entry in logs if entry["event"] == "queue_leaderless"]) >= 3)
    assert not any(entry.get("deleting") for entry in logs)
    assert not await bus.ready()
    await bus.close()
    # As long as it is there, no other test's events would be confirmed.
    await node.control("delete_queue", queue)


async def test_a_wiped_broker_is_furnished_again(
    connect: Connect, queue: str, node: RabbitMqNode, folder: Path
) -> None:
    bus, inbox = connect(), Inbox()
    await bus.subscribe(queue, (CreatorFollowed,), inbox)
    await node.kill()
    await asyncio.to_thread(_empty, folder / "mnesia")
    await node.restart()
    await until(bus.ready)
    event = followed()
    await bus.publish(event)
    await until(lambda: event.id in inbox.ids)


def _empty(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.mkdir()
