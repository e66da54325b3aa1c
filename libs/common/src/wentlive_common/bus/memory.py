"""The bus of `--solo` and of unit tests: RabbitMQ's behaviour as services see it, within one process."""

import asyncio
from collections import deque
from collections.abc import Coroutine
from dataclasses import dataclass, field

import structlog

from wentlive_common.bus.delivery import Dead, Done, Retry, Subscription, deliver, encode, routing_keys
from wentlive_common.bus.port import BusUnavailable, DeadLetter, Handler, SubscriptionPolicy
from wentlive_common.clock import Clock, SystemClock
from wentlive_common.events import AnyEvent, EventData

log = structlog.stdlib.get_logger(__name__)

CLOSE_SECONDS = 10.0
KEPT_DEAD_LETTERS = 10_000
KEPT_PUBLISHED = 1_000


@dataclass(slots=True)
class _Message:
    body: bytes
    failures: int = 0


@dataclass(slots=True, eq=False)
class _Consumer:
    subscription: Subscription
    running: int = 0

    @property
    def has_room(self) -> bool:
        return self.running < self.subscription.policy.prefetch


@dataclass(slots=True)
class _Queue:
    name: str
    keys: set[str] = field(default_factory=set[str])
    waiting: deque[_Message] = field(default_factory=deque[_Message])
    dead: deque[DeadLetter] = field(default_factory=lambda: deque[DeadLetter](maxlen=KEPT_DEAD_LETTERS))
    consumers: list[_Consumer] = field(default_factory=list[_Consumer])

    def free_consumer(self) -> _Consumer | None:
        free = [consumer for consumer in self.consumers if consumer.has_room]
        return min(free, key=lambda consumer: consumer.running, default=None)

    def bury(self, message: _Message, reason: str) -> None:
        self.dead.append(DeadLetter(queue=self.name, reason=reason, body=message.body))


class InMemoryBus:
    """`EventBus` without a broker. Retries wait on `clock`; a full queue dead-letters its oldest event."""

    def __init__(self, *, clock: Clock | None = None, queue_limit: int = 10_000) -> None:
        self._clock = clock or SystemClock()
        self._queue_limit = queue_limit
        self._queues: dict[str, _Queue] = {}
        self._running: set[asyncio.Task[None]] = set()
        self._delayed: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()
        self._closed = False
        self.published: deque[AnyEvent] = deque(maxlen=KEPT_PUBLISHED)
        """The newest events published, for assertions."""

    async def publish(self, event: AnyEvent) -> None:
        if self._closed:
            raise BusUnavailable("The bus is closed.")
        body = encode(event)
        self.published.append(event)
        for queue in self._queues.values():
            if event.routing_key in queue.keys:
                self._enqueue(queue, _Message(body))

    async def subscribe(
        self,
        queue: str,
        types: tuple[type[EventData], ...],
        handler: Handler,
        policy: SubscriptionPolicy | None = None,
    ) -> None:
        if self._closed:
            raise BusUnavailable("The bus is closed.")
        target = self._queues.setdefault(queue, _Queue(queue))
        target.keys.update(routing_keys(types))
        target.consumers.append(_Consumer(Subscription(queue, types, handler, policy or SubscriptionPolicy())))
        self._dispatch(target)

    async def dead_letters(self, queue: str, limit: int = 100) -> tuple[DeadLetter, ...]:
        found = self._queues.get(queue)
        return tuple(found.dead)[:limit] if found else ()

    async def ready(self) -> bool:
        return not self._closed

    async def close(self) -> None:
        self._closed = True
        await _cancelled(self._delayed)
        if self._running:
            _, late = await asyncio.wait(tuple(self._running), timeout=CLOSE_SECONDS)
            await _cancelled(late)

    def idle(self, *, retries: bool = True) -> bool:
        """Whether nothing waits or runs, nor (unless `retries` is false) waits for its next try."""
        waiting = any(queue.waiting for queue in self._queues.values())
        return not (waiting or self._running or (retries and self._delayed))

    async def drain(self, *, retries: bool = True, timeout: float = 10.0) -> None:
        """Returns once the bus is idle; raises `TimeoutError` when that takes too long."""
        async with asyncio.timeout(timeout):
            while not self.idle(retries=retries):
                self._changed.clear()
                await self._changed.wait()

    def _enqueue(self, queue: _Queue, message: _Message) -> None:
        queue.waiting.append(message)
        self._dispatch(queue)
        if len(queue.waiting) > self._queue_limit:
            queue.bury(queue.waiting.popleft(), "maxlen")
            log.error("event_dead_lettered", queue=queue.name, reason="maxlen")

    def _dispatch(self, queue: _Queue) -> None:
        while not self._closed and queue.waiting and (consumer := queue.free_consumer()):
            consumer.running += 1
            self._spawn(self._running, self._run(queue, consumer, queue.waiting.popleft()))

    def _spawn(self, tasks: set[asyncio.Task[None]], work: Coroutine[None, None, None]) -> None:
        def finished(task: asyncio.Task[None]) -> None:
            tasks.discard(task)
            self._changed.set()

        task = asyncio.create_task(work)
        tasks.add(task)
        task.add_done_callback(finished)

    async def _run(self, queue: _Queue, consumer: _Consumer, message: _Message) -> None:
        try:
            outcome = await deliver(message.body, message.failures, consumer.subscription)
        except asyncio.CancelledError:
            queue.waiting.appendleft(message)
            raise
        finally:
            consumer.running -= 1
        match outcome:
            case Done():
                pass
            case Dead(reason):
                queue.bury(message, reason)
            case Retry(delay):
                message.failures += 1
                self._spawn(self._delayed, self._requeue_after(delay, queue, message))
        self._dispatch(queue)

    async def _requeue_after(self, delay: float, queue: _Queue, message: _Message) -> None:
        await self._clock.sleep(delay)
        self._enqueue(queue, message)


async def _cancelled(tasks: set[asyncio.Task[None]]) -> None:
    pending = tuple(tasks)
    for task in pending:
        task.cancel()
    if pending:
        await asyncio.wait(pending)
