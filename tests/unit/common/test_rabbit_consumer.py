"""What a subscription does when the client library does not behave."""

import asyncio

from aio_pika.abc import AbstractChannel
from pydantic import SecretStr
from wentlive_common.bus.delivery import Subscription
from wentlive_common.bus.port import SubscriptionPolicy
from wentlive_common.bus.rabbit_consumer import RabbitConsumer
from wentlive_common.bus.rabbit_link import RabbitLink, RabbitPublisher
from wentlive_common.events import AnyEvent, CreatorFollowed


class SwallowingLink(RabbitLink):
    """A connection attempt that fails in the moment in which it is cancelled, and loses the cancellation so."""

    def __init__(self) -> None:
        super().__init__(SecretStr("amqp://nowhere/"), "test")
        self.attempted = asyncio.Event()

    async def channel(self) -> AbstractChannel:
        self.attempted.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise ConnectionError("refused") from None
        raise AssertionError("unreachable")


async def ignore(event: AnyEvent) -> None:
    """Handles nothing."""


async def test_a_subscription_closes_even_when_its_cancellation_is_swallowed() -> None:
    link = SwallowingLink()
    subscription = Subscription("q", (CreatorFollowed,), ignore, SubscriptionPolicy())
    consumer = RabbitConsumer(link, RabbitPublisher(link), subscription, heal=False)
    await consumer.start(patience=0)
    await link.attempted.wait()
    async with asyncio.timeout(10):
        await consumer.close()
