"""One subscription on RabbitMQ, kept alive: whatever is lost is declared and consumed again."""

import asyncio
import time
from contextlib import suppress

import structlog
from aio_pika import DeliveryMode, Message
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage, AbstractQueue
from aio_pika.exceptions import AMQPError, ChannelPreconditionFailed
from aiormq.exceptions import ConnectionInternalError

from wentlive_common.bus.delivery import Dead, Done, Outcome, Retry, Subscription, deliver, routing_keys
from wentlive_common.bus.rabbit_link import (
    BROKER_ERRORS,
    RabbitLink,
    RabbitPublisher,
    close_channel,
    lost_not_cancelled,
)
from wentlive_common.bus.topology import (
    DEAD_EXCHANGE,
    Topology,
    bind,
    declare_exchanges,
    declare_queue,
    declare_side_queues,
)
from wentlive_common.errors import Permanent
from wentlive_common.lifecycle import wait_any

log = structlog.stdlib.get_logger(__name__)

FAILURES_HEADER = "x-wentlive-failures"
REASON_HEADER = "x-wentlive-reason"

DECLARE_SECONDS = 15.0
REBIND_SECONDS = 10.0
"""How often the bindings are made sure of: the broker tells nobody that they went away with their exchange."""
PROBE_SECONDS = 5.0
HEAL_AFTER_SECONDS = 10.0
HEAL_SECONDS = 15.0
MOVE_SECONDS = 5.0
DRAIN_SECONDS = 10.0
FIRST_BACKOFF_SECONDS = 0.1
LAST_BACKOFF_SECONDS = 2.0


SILENCE = (TimeoutError, ConnectionInternalError)
"""What the broker answers for a queue without a leader: nothing, or 541 when its process is gone too."""


class QueueMismatch(Permanent):
    """The queue exists with other arguments than this release wants; drain it, delete it, and start again."""


class _Leaderless(AMQPError):
    """The queue is declared but does not answer: it has no leader (yet)."""


class RabbitConsumer:
    """Consumes one queue until it is closed, over any number of channels and connections.

    `link` is its own and is closed with it: RabbitMQ ends a whole connection over one queue that is broken.
    """

    def __init__(self, link: RabbitLink, moves: RabbitPublisher, subscription: Subscription, *, heal: bool) -> None:
        self._link = link
        self._heal = heal
        self._moves = moves
        self._subscription = subscription
        self._topology = Topology(
            subscription.queue, routing_keys(subscription.types), subscription.policy.retry_delays
        )
        self._slots = asyncio.Semaphore(subscription.policy.prefetch)
        self._handling: set[asyncio.Task[None]] = set()
        self._silent_since: dict[str, float] = {}
        self._live = asyncio.Event()
        self._broken = asyncio.Event()
        self._refused = asyncio.Event()
        self._reported_lost = False
        self._consuming: tuple[AbstractQueue, str] | None = None
        self._task: asyncio.Task[None] | None = None
        self._closing = False

    @property
    def live(self) -> bool:
        return self._live.is_set()

    async def start(self, patience: float) -> None:
        """Returns when events arrive, or after `patience` seconds: then it goes on trying by itself."""
        self._task = asyncio.create_task(self._run(), name=f"consume-{self._topology.queue}")
        waits = [asyncio.create_task(event.wait()) for event in (self._live, self._refused)]
        try:
            await asyncio.wait(waits, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        if self._refused.is_set():
            raise QueueMismatch
        if not self.live:
            log.warning("subscription_pending", queue=self._topology.queue)

    async def close(self) -> None:
        """Takes nothing new, lets handlers end within 10 s, and gives the rest back."""
        self._closing = True
        if self._consuming is not None:
            queue, tag = self._consuming
            with suppress(*BROKER_ERRORS):
                await queue.cancel(tag, timeout=PROBE_SECONDS)
        if self._handling:
            await asyncio.wait(tuple(self._handling), timeout=DRAIN_SECONDS)
        remaining = [task for task in (*self._handling, self._task) if task is not None]
        for task in remaining:
            task.cancel()
        await asyncio.gather(*remaining, return_exceptions=True)
        await self._moves.close()
        await self._link.close()

    async def _run(self) -> None:
        backoff = FIRST_BACKOFF_SECONDS
        # Not only by cancelling: a connection that fails in that very moment swallows it.
        while not self._closing:
            try:
                with lost_not_cancelled():
                    await self._session()
            except ChannelPreconditionFailed as error:
                log.error("queue_mismatch", queue=self._topology.queue, error=str(error))
                self._refused.set()
            except Exception as error:
                # Nothing may end a subscription but closing it; what is not the broker's doing shows its traceback.
                traceback = None if isinstance(error, BROKER_ERRORS) else error
                if traceback or not self._reported_lost:
                    name = type(error).__name__
                    log.warning("subscription_lost", queue=self._topology.queue, error=name, exc_info=traceback)
                self._reported_lost = True
            if self.live:
                backoff = FIRST_BACKOFF_SECONDS
            self._live.clear()
            self._consuming = None
            await asyncio.sleep(backoff)
            backoff = min(backoff * 2, LAST_BACKOFF_SECONDS)

    async def _session(self) -> None:
        """Consumes over one channel; returns when the channel or the queue is gone."""
        self._broken.clear()
        channel = await self._link.channel()
        try:
            await self._watch(channel)
            async with asyncio.timeout(DECLARE_SECONDS + HEAL_SECONDS):
                queue = await self._declare(channel)
                await channel.set_qos(prefetch_count=self._subscription.policy.prefetch)
                await self._consume(queue)
            self._silent_since.clear()
            self._live.set()
            self._refused.clear()
            self._reported_lost = False
            log.info("subscription_live", queue=queue.name)
            await self._stay_bound(channel)
            log.warning("subscription_lost", queue=queue.name)
            self._reported_lost = True
        finally:
            await close_channel(channel)

    async def _stay_bound(self, channel: AbstractChannel) -> None:
        """Returns when the channel or the queue is gone. An exchange that was deleted is made anew, and bound."""
        while not self._broken.is_set():
            await wait_any(self._broken.wait(), asyncio.sleep(REBIND_SECONDS))
            if self._broken.is_set():
                return
            async with asyncio.timeout(DECLARE_SECONDS):
                await declare_exchanges(channel)
                await bind(channel, self._topology)

    async def _watch(self, channel: AbstractChannel) -> None:
        def broken(*_: object) -> None:
            self._broken.set()

        channel.close_callbacks.add(broken)
        underlay = await channel.get_underlay_channel()
        underlay.on_consumer_cancel_callbacks.add(broken)

    async def _declare(self, channel: AbstractChannel) -> AbstractQueue:
        await declare_exchanges(channel)
        for side in await declare_side_queues(channel, self._topology):
            await self._probe(side)
        return await declare_queue(channel, self._topology)

    async def _probe(self, queue: AbstractQueue) -> None:
        """Getting a message needs the queue's leader, as publishing to it will; what was got goes straight back."""
        try:
            message = await queue.get(fail=False, timeout=PROBE_SECONDS)
        except SILENCE as error:
            await self._found_silent(queue)
            raise _Leaderless(queue.name) from error
        if message is not None:
            await message.nack(requeue=True)

    async def _consume(self, queue: AbstractQueue) -> None:
        try:
            tag = await queue.consume(self._accept, timeout=PROBE_SECONDS)
        except SILENCE as error:
            await self._found_silent(queue)
            raise _Leaderless(queue.name) from error
        self._consuming = (queue, tag)

    async def _found_silent(self, queue: AbstractQueue) -> None:
        """Deletes a queue that stays without a leader, so that the next session declares it anew.

        A broker killed within a second of making a queue forgets where the queue's data is: after its restart the
        queue is there, empty, never elects a leader, and keeps publishers from getting their confirms. Nothing is
        lost by deleting it that was not lost before.
        """
        silent = time.monotonic() - self._silent_since.setdefault(queue.name, time.monotonic())
        counted = queue.declaration_result.message_count or 0
        heal = self._heal and silent >= HEAL_AFTER_SECONDS and counted == 0
        log.error("queue_leaderless", queue=queue.name, silent_seconds=silent, messages=counted, deleting=heal)
        if heal:
            # The probing channel hangs on the silent queue on the broker's side: another one has to ask.
            channel = await self._link.channel()
            try:
                await channel.queue_delete(queue.name, timeout=HEAL_SECONDS)
            finally:
                await close_channel(channel)

    async def _accept(self, message: AbstractIncomingMessage) -> None:
        """Leaves the handling to a task of its own: the client cancels its callbacks with the channel."""
        task = asyncio.create_task(self._handle(message))
        self._handling.add(task)
        task.add_done_callback(self._handling.discard)

    async def _handle(self, message: AbstractIncomingMessage) -> None:
        failures = _failures(message)
        async with self._slots:
            outcome = await deliver(message.body, failures, self._subscription)
        try:
            with lost_not_cancelled():
                await self._settle(message, failures, outcome)
        except BROKER_ERRORS as error:
            # Not settled: the broker delivers it again, perhaps to another replica.
            log.info("event_not_settled", queue=self._topology.queue, error=type(error).__name__)
        except Exception:
            # A message that cannot even be copied: the broker itself moves it to the dead letters, as `rejected`.
            log.exception("event_not_movable", queue=self._topology.queue)
            with suppress(*BROKER_ERRORS):
                await message.nack(requeue=False)

    async def _settle(self, message: AbstractIncomingMessage, failures: int, outcome: Outcome) -> None:
        match outcome:
            case Done():
                moved = True
            case Retry(delay):
                copy = _copy(message, {FAILURES_HEADER: failures + 1})
                moved = await self._move(copy, "", self._topology.retry_queue(delay))
            case Dead(reason):
                copy = _copy(message, {FAILURES_HEADER: failures + 1, REASON_HEADER: reason})
                moved = await self._move(copy, DEAD_EXCHANGE, self._topology.queue)
        if moved:
            await message.ack()
        else:
            # At once would be a hot loop: it fails and comes back as fast as the broker can turn it round.
            await asyncio.sleep(LAST_BACKOFF_SECONDS)
            await message.nack(requeue=True)

    async def _move(self, copy: Message, exchange: str, key: str) -> bool:
        """Whether the broker confirmed that a queue took the copy. The original is settled only after that."""
        try:
            taken = await self._moves.publish(copy, exchange, key, MOVE_SECONDS)
        except BROKER_ERRORS as error:
            log.warning("event_not_moved", queue=self._topology.queue, to=key, error=type(error).__name__)
            return False
        if not taken:
            log.warning("queue_missing", queue=self._topology.queue, to=key)
            self._broken.set()
        return taken


def _failures(message: AbstractIncomingMessage) -> int:
    value = message.headers.get(FAILURES_HEADER)
    return value if isinstance(value, int) and value >= 0 else 0


def _copy(message: AbstractIncomingMessage, ours: dict[str, int | str]) -> Message:
    """The message as it came, without the broker's marks on it and without what would make it expire."""
    kept = {name: value for name, value in message.headers.items() if not name.startswith("x-")}
    return Message(
        message.body,
        headers={**kept, **ours},
        delivery_mode=DeliveryMode.PERSISTENT,
        content_type=message.content_type,
        content_encoding=message.content_encoding,
        correlation_id=message.correlation_id,
        message_id=message.message_id,
        timestamp=message.timestamp,
        type=message.type,
        app_id=message.app_id,
    )
