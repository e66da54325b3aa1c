"""The bus as services see it: publish a fact, subscribe to facts, and what happens when handling one fails."""

from collections.abc import Awaitable, Callable
from typing import Protocol

from pydantic import Field

from wentlive_common.errors import Transient
from wentlive_common.events import AnyEvent, EventData
from wentlive_common.model import Model, Seconds

Handler = Callable[[AnyEvent], Awaitable[None]]
"""Handles one event. Returning acknowledges it. `Permanent` dead-letters it at once; anything else is retried."""


class BusUnavailable(Transient):
    """The broker cannot be reached; what is to be published stays in the outbox until it can."""


class SubscriptionPolicy(Model):
    """How hard to try before an event goes to the queue's dead-letter queue."""

    retry_delays: tuple[Seconds, ...] = (1.0, 5.0, 30.0, 120.0)
    """The wait before each further try; after the last one the event is dead-lettered."""
    prefetch: int = Field(default=16, ge=1, le=1000)
    """How many events are handled at once."""
    handler_timeout: Seconds = 30.0


class DeadLetter(Model):
    """A message that could not be handled, with why; its body is kept as it came."""

    queue: str
    reason: str
    body: bytes


class EventBus(Protocol):
    """At-least-once delivery to every queue that subscribes to an event's type."""

    async def publish(self, event: AnyEvent) -> None:
        """Returns once the broker has it on disk; raises `BusUnavailable` otherwise.

        An event nobody subscribes to is accepted and dropped.
        """
        ...

    async def subscribe(
        self,
        queue: str,
        types: tuple[type[EventData], ...],
        handler: Handler,
        policy: SubscriptionPolicy | None = None,
    ) -> None:
        """Delivers events of `types` to `handler`. Replicas that name the same queue share its events."""
        ...

    async def dead_letters(self, queue: str, limit: int = 100) -> tuple[DeadLetter, ...]:
        """The oldest messages that `queue` gave up on, left where they are."""
        ...

    async def ready(self) -> bool:
        """Whether publishing and receiving would work now."""
        ...

    async def close(self) -> None:
        """Stops delivery, lets running handlers end within 10 s, and hands back the rest."""
        ...
