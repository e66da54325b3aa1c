"""From a stored state change to a published event: exactly once in effect, whatever dies in between.

A store writes a change and the events that tell of it in one write. The relay publishes what is pending and
clears it afterwards; a crash between the two repeats an event with the same id, never loses one.
"""

import asyncio
from collections.abc import Sequence
from typing import Protocol

import structlog

from wentlive_common.bus import EventBus
from wentlive_common.errors import Permanent, Transient
from wentlive_common.events import AnyEvent
from wentlive_common.lifecycle import wait_any

log = structlog.get_logger(__name__)

BATCH = 200
POLL_SECONDS = 5.0
"""Finds what another process stored, or what was left by a crash; our own writes wake the relay at once."""
MAX_BACKOFF_SECONDS = 10.0


class Outbox(Protocol):
    """The side of a store that holds events until they are published."""

    async def pending(self, limit: int) -> Sequence[AnyEvent]:
        """The oldest unpublished events; those about one subject in the order they were stored."""
        ...

    async def clear(self, ids: Sequence[str]) -> None:
        """Forgets published events."""
        ...


class OutboxRelay:
    """Publishes an outbox's events in order, retrying for ever with a bounded backoff."""

    def __init__(self, outbox: Outbox, bus: EventBus) -> None:
        self._outbox = outbox
        self._bus = bus
        self._stored = asyncio.Event()

    def wake(self) -> None:
        """Tells the relay that something was stored just now."""
        self._stored.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Relays until `stop`, then once more, so that a clean shutdown leaves nothing unsaid."""
        backoff = 0.0
        while not stop.is_set():
            self._stored.clear()
            try:
                more = await self.relay_once()
                backoff = 0.0
            except Transient as error:
                backoff = min(MAX_BACKOFF_SECONDS, max(0.2, backoff * 2))
                log.warning("outbox_waits", error=error.message, retry_in=backoff)
                await wait_any(stop.wait(), asyncio.sleep(backoff))
                continue
            if not more:
                await wait_any(stop.wait(), self._stored.wait(), asyncio.sleep(POLL_SECONDS))
        await self._last_words()

    async def relay_once(self) -> bool:
        """Publishes and clears one batch; says whether there may be more."""
        events = await self._outbox.pending(BATCH)
        published: list[str] = []
        try:
            for event in events:
                await self._publish(event)
                published.append(event.id)
        finally:
            if published:
                await self._outbox.clear(published)
        return len(events) == BATCH

    async def _publish(self, event: AnyEvent) -> None:
        try:
            await self._bus.publish(event)
        except Permanent as error:
            # No consumer could read it: keeping it would hold up everything behind it for ever.
            log.error("event_unpublishable", event_id=event.id, type=event.type, error=error.message)

    async def _last_words(self) -> None:
        try:
            await self.relay_once()
        except Transient:
            log.warning("outbox_kept_for_next_start")
