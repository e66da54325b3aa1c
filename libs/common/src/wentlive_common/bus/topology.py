"""Which exchanges and queues exist on RabbitMQ, and with which arguments.

Events go to the topic exchange `wentlive`. Each queue `q` has beside it `q.dead`, and one `q.retry.<ms>` for each
delay, which holds a message for that long and hands it back to `q` alone. All are durable quorum queues. Arguments
cannot change on a queue that exists: a new value here needs the old queue deleted, which the broker's refusal says.
"""

import math
from dataclasses import dataclass
from typing import Any

from aio_pika import ExchangeType
from aio_pika.abc import AbstractChannel, AbstractQueue

EVENTS_EXCHANGE = "wentlive"
DEAD_EXCHANGE = "wentlive.dead"

DELIVERY_LIMIT = 20
"""How often a message may come back unsettled, as when its consumer dies of it, before the broker dead-letters it."""
UNLIMITED_DELIVERIES = 2**31 - 1
"""RabbitMQ 4 limits every quorum queue to 20 by default, 3.10 refuses -1; looking at dead letters must not eat them."""
QUEUE_LIMIT = 200_000
"""A queue that nobody reads dead-letters its oldest; the publishers, and all other queues, go on."""
RETRY_LIMIT = 100_000
DEAD_LIMIT = 50_000

Arguments = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Topology:
    """What one subscription needs to be there."""

    queue: str
    keys: tuple[str, ...]
    delays: tuple[float, ...]

    @property
    def dead_queue(self) -> str:
        return f"{self.queue}.dead"

    def retry_queue(self, delay: float) -> str:
        return f"{self.queue}.retry.{_milliseconds(delay)}"

    def side_queues(self) -> dict[str, Arguments]:
        """The dead-letter and delay queues, with their arguments."""
        retries = {self.retry_queue(delay): self._retry_arguments(delay) for delay in self.delays}
        return {self.dead_queue: _quorum(UNLIMITED_DELIVERIES, DEAD_LIMIT), **retries}

    def queue_arguments(self) -> Arguments:
        return _quorum(DELIVERY_LIMIT, QUEUE_LIMIT) | {
            "x-dead-letter-exchange": DEAD_EXCHANGE,
            "x-dead-letter-routing-key": self.queue,
        }

    def _retry_arguments(self, delay: float) -> Arguments:
        # At-least-once keeps a message whose delay is over until its queue has really taken it.
        return _quorum(UNLIMITED_DELIVERIES, RETRY_LIMIT) | {
            "x-message-ttl": _milliseconds(delay),
            "x-dead-letter-exchange": "",
            "x-dead-letter-routing-key": self.queue,
            "x-dead-letter-strategy": "at-least-once",
            "x-overflow": "reject-publish",
        }


def _quorum(delivery_limit: int, length: int) -> Arguments:
    return {"x-queue-type": "quorum", "x-delivery-limit": delivery_limit, "x-max-length": length}


def _milliseconds(delay: float) -> int:
    return max(1, math.ceil(delay * 1000))


async def declare_exchanges(channel: AbstractChannel) -> None:
    await channel.declare_exchange(EVENTS_EXCHANGE, ExchangeType.TOPIC, durable=True)
    await channel.declare_exchange(DEAD_EXCHANGE, ExchangeType.DIRECT, durable=True)


async def declare_side_queues(channel: AbstractChannel, topology: Topology) -> tuple[AbstractQueue, ...]:
    queues = {
        name: await channel.declare_queue(name, durable=True, arguments=arguments)
        for name, arguments in topology.side_queues().items()
    }
    return tuple(queues.values())


async def declare_queue(channel: AbstractChannel, topology: Topology) -> AbstractQueue:
    """Declared and bound last, so that whatever arrives can already be retried and dead-lettered."""
    queue = await channel.declare_queue(topology.queue, durable=True, arguments=topology.queue_arguments())
    await bind(channel, topology)
    return queue


async def bind(channel: AbstractChannel, topology: Topology) -> None:
    """Connects the exchanges to their queues, which must be there; changes nothing where that is done already."""
    dead = await channel.get_queue(topology.dead_queue, ensure=False)
    await dead.bind(DEAD_EXCHANGE, topology.queue)
    queue = await channel.get_queue(topology.queue, ensure=False)
    for key in topology.keys:
        await queue.bind(EVENTS_EXCHANGE, key)
