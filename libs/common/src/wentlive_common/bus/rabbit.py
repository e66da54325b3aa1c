"""The bus over RabbitMQ 3.10 and later: confirmed publishing, delayed retry, dead letters with reasons."""

import asyncio
import time

import structlog
from aio_pika import DeliveryMode, Message
from aio_pika.abc import AbstractIncomingMessage
from aio_pika.exceptions import ChannelNotFoundEntity
from pydantic import SecretStr

from wentlive_common.bus.delivery import Subscription, encode
from wentlive_common.bus.port import BusUnavailable, DeadLetter, Handler, SubscriptionPolicy
from wentlive_common.bus.rabbit_consumer import QueueMismatch, RabbitConsumer
from wentlive_common.bus.rabbit_link import BROKER_ERRORS, RabbitLink, RabbitPublisher, lost_not_cancelled
from wentlive_common.bus.topology import EVENTS_EXCHANGE, Topology
from wentlive_common.errors import translated
from wentlive_common.events import AnyEvent, EventData
from wentlive_common.events.envelope import CONTENT_TYPE

log = structlog.stdlib.get_logger(__name__)

PUBLISH_SECONDS = 5.0
SUBSCRIBE_SECONDS = 10.0
READY_SECONDS = 2.0
PEEK_SECONDS = 10.0
SETTLING_SECONDS = 30.0
"""Consumers that lost their queue or its bindings have made them anew within this time."""


class RabbitBus:
    """`EventBus` on a RabbitMQ broker. It connects when first used, and as often as it takes.

    Publishing has a connection, and so has each subscription: a broker short of memory or disk stops reading from
    publishers, and acknowledgements must still get through.

    `heal_leaderless` deletes and redeclares a queue of ours that stays silent for 10 s with no message known in it.
    Turn it off on a cluster of brokers, where a queue whose majority is away looks the same and will come back.
    """

    def __init__(self, amqp_url: SecretStr, service: str, *, heal_leaderless: bool = True) -> None:
        self._heal = heal_leaderless
        self._url = amqp_url
        self._name = f"wentlive-{service}"
        self._publish_link = RabbitLink(amqp_url, f"{self._name}-publish")
        self._publisher = RabbitPublisher(self._publish_link)
        self._consumers: list[RabbitConsumer] = []
        self._routed: set[str] = set()
        self._unrouted_since: dict[str, float] = {}
        self._closed = False

    async def publish(self, event: AnyEvent) -> None:
        message = _to_message(event)
        with translated(*BROKER_ERRORS, into=BusUnavailable, message="The event could not be published"):
            taken = await self._publisher.publish(message, EVENTS_EXCHANGE, event.routing_key, PUBLISH_SECONDS)
        if taken:
            self._routed.add(event.type)
            self._unrouted_since.pop(event.type, None)
        else:
            self._not_taken(event.type)

    def _not_taken(self, event_type: str) -> None:
        """Lets go what nobody subscribed to; raises `BusUnavailable` while a queue that was there may come back."""
        known = event_type in self._unrouted_since
        since = self._unrouted_since.setdefault(event_type, time.monotonic())
        if event_type in self._routed or self._publisher.reopened:
            if time.monotonic() - since < SETTLING_SECONDS:
                raise BusUnavailable("No queue takes the event yet.")
            self._routed.discard(event_type)
        if not known:
            log.info("event_unrouted", event_type=event_type)

    async def subscribe(
        self,
        queue: str,
        types: tuple[type[EventData], ...],
        handler: Handler,
        policy: SubscriptionPolicy | None = None,
    ) -> None:
        """Returns when events arrive. While the broker is away it returns after 10 s, and `ready` is false till then.

        Raises `QueueMismatch` when the queue exists with other arguments.
        """
        if self._closed:
            raise BusUnavailable("The bus is closed.")
        subscription = Subscription(queue, types, handler, policy or SubscriptionPolicy())
        link = RabbitLink(self._url, f"{self._name}-consume-{queue}")
        # A publisher of its own: the client tells returned messages apart by id, and queues may hold the same event.
        consumer = RabbitConsumer(link, RabbitPublisher(self._publish_link), subscription, heal=self._heal)
        self._consumers.append(consumer)
        try:
            await consumer.start(SUBSCRIBE_SECONDS)
        except QueueMismatch:
            self._consumers.remove(consumer)
            await consumer.close()
            raise

    async def dead_letters(self, queue: str, limit: int = 100) -> tuple[DeadLetter, ...]:
        """Takes them and gives them back, since AMQP cannot only look: meanwhile nobody else sees them."""
        with translated(*BROKER_ERRORS, into=BusUnavailable, message="The dead letters could not be read"):
            try:
                async with asyncio.timeout(PEEK_SECONDS):
                    with lost_not_cancelled():
                        return await self._peek(queue, limit)
            except ChannelNotFoundEntity:
                return ()

    async def ready(self) -> bool:
        try:
            async with asyncio.timeout(READY_SECONDS):
                with lost_not_cancelled():
                    channel = await self._publisher.open()
                    await channel.get_exchange(EVENTS_EXCHANGE)
        except BROKER_ERRORS:
            return False
        return all(consumer.live for consumer in self._consumers)

    async def close(self) -> None:
        self._closed = True
        await asyncio.gather(*(consumer.close() for consumer in self._consumers))
        await self._publisher.close()
        await self._publish_link.close()

    async def _peek(self, queue: str, limit: int) -> tuple[DeadLetter, ...]:
        link = RabbitLink(self._url, f"{self._name}-peek")
        channel = await link.channel()
        try:
            source = await channel.get_queue(Topology(queue, (), ()).dead_queue)
            found: list[DeadLetter] = []
            while len(found) < limit and (message := await source.get(fail=False)):
                found.append(DeadLetter(queue=queue, reason=_reason(message), body=message.body))
            return tuple(found)
        finally:
            await link.close()


def _to_message(event: AnyEvent) -> Message:
    """The envelope's fields once more as message properties, for consoles and tools that do not read bodies."""
    return Message(
        encode(event),
        headers={"traceparent": event.traceparent} if event.traceparent else {},
        delivery_mode=DeliveryMode.PERSISTENT,
        content_type=CONTENT_TYPE,
        message_id=event.id,
        type=event.type,
        app_id=event.source,
        timestamp=event.time,
    )


def _reason(message: AbstractIncomingMessage) -> str:
    """Ours, else the broker's own: `delivery_limit` or `maxlen`."""
    match message.headers:
        case {"x-wentlive-reason": str(reason)}:
            return reason
        case {"x-death": [{"reason": str(reason)}, *_]}:
            return reason
        case _:
            return "unknown"
