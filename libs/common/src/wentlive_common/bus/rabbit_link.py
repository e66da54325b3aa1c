"""A connection to RabbitMQ that is opened when it is needed, and again after it was lost.

aio-pika's robust connection is not used: after a loss it redeclares every queue and consumer in turn, without a
time limit, before it counts as connected, so that one queue without a leader would keep all others from working.
"""

import asyncio
from collections.abc import Generator
from contextlib import contextmanager, suppress

import aio_pika
import structlog
from aio_pika.abc import AbstractChannel, AbstractConnection
from aio_pika.exceptions import CONNECTION_EXCEPTIONS
from pamqp.commands import Basic
from pydantic import SecretStr

from wentlive_common.bus.topology import declare_exchanges

log = structlog.stdlib.get_logger(__name__)

BROKER_ERRORS: tuple[type[Exception], ...] = (*CONNECTION_EXCEPTIONS, TimeoutError)
"""All that aio-pika is known to raise when the broker is away, or refuses."""
CONNECT_SECONDS = 4.0
CLOSE_SECONDS = 2.0
HEARTBEAT_SECONDS = 15


@contextmanager
def lost_not_cancelled() -> Generator[None]:
    """The client cancels whatever waits for the broker when its connection dies, though nobody cancelled us."""
    try:
        yield
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        raise ConnectionError("the connection was lost") from error


class RabbitLink:
    """One connection; `name` is what the broker's console shows."""

    def __init__(self, url: SecretStr, name: str) -> None:
        self._url = url
        self._name = name
        self._connection: AbstractConnection | None = None
        self._connecting = asyncio.Lock()
        self._closed = False

    async def channel(self) -> AbstractChannel:
        """A fresh channel; raises one of `BROKER_ERRORS`."""
        async with asyncio.timeout(CONNECT_SECONDS):
            with lost_not_cancelled():
                async with self._connecting:
                    connection = await self._live_connection()
                channel = connection.channel()
                await channel.initialize()
                return channel

    async def close(self) -> None:
        self._closed = True
        async with self._connecting:
            await self._drop()

    async def _live_connection(self) -> AbstractConnection:
        if self._closed:
            raise ConnectionError("the bus is closed")
        if self._connection is not None and self._connection.connected.is_set():
            return self._connection
        await self._drop()
        self._connection = await aio_pika.connect(
            self._url.get_secret_value(),
            timeout=CONNECT_SECONDS,
            heartbeat=HEARTBEAT_SECONDS,
            client_properties={"connection_name": self._name},
        )
        log.info("broker_connected", connection=self._name)
        return self._connection

    async def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(*BROKER_ERRORS):
                async with asyncio.timeout(CLOSE_SECONDS):
                    await connection.close()


class RabbitPublisher:
    """A channel with publisher confirms, reopened when it broke."""

    def __init__(self, link: RabbitLink) -> None:
        self._link = link
        self._channel: AbstractChannel | None = None
        self._opening = asyncio.Lock()
        self.reopened = False
        """Whether the broker was lost since the first channel, and with it perhaps all that was declared there."""

    async def publish(self, message: aio_pika.Message, exchange: str, key: str, within: float) -> bool:
        """Returns once the broker has it on disk, with whether any queue took it; raises one of `BROKER_ERRORS`."""
        async with asyncio.timeout(within):
            with lost_not_cancelled():
                channel = await self.open()
                default = channel.default_exchange
                target = default if exchange == "" else await channel.get_exchange(exchange, ensure=False)
                answer = await target.publish(message, key, mandatory=True)
        return isinstance(answer, Basic.Ack)

    async def open(self) -> AbstractChannel:
        async with self._opening:
            if self._channel is None or self._channel.is_closed:
                channel = await self._link.channel()
                await declare_exchanges(channel)
                self.reopened = self._channel is not None
                self._channel = channel
            return self._channel

    async def close(self) -> None:
        if self._channel is not None:
            await close_channel(self._channel)


async def close_channel(channel: AbstractChannel) -> None:
    """What the channel still held unsettled goes back to its queue."""
    if channel.is_closed:
        return
    with suppress(*BROKER_ERRORS):
        async with asyncio.timeout(CLOSE_SECONDS):
            await channel.close()
