"""Tells open pages that something changed, so that they fetch the newest state: never a queue of old states.

Within one process. Other catalogs on the same store show the change when their page is loaded again.
"""

import asyncio
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass

MOST_PENDING = 512


@dataclass(frozen=True, slots=True)
class CreatorChanged:
    handle: str


@dataclass(frozen=True, slots=True)
class RecordingChanged:
    recording_id: str
    entered: bool = False
    """It is new, began, or is over: lists that hold it look different, not only its own card."""


Change = CreatorChanged | RecordingChanged


class Listener:
    """What changed since it was last asked. Changes of one thing fold into one; too many become `overflown`."""

    def __init__(self) -> None:
        self._pending: set[Change] = set()
        self._arrived = asyncio.Event()
        self.overflown = False
        self.closed = False

    def notify(self, change: Change) -> None:
        if change in self._pending or len(self._pending) < MOST_PENDING:
            self._pending.add(change)
        else:
            self.overflown = True
        self._arrived.set()

    def close(self) -> None:
        self.closed = True
        self._arrived.set()

    async def take(self, timeout: float) -> frozenset[Change]:
        """What changed, as soon as something did; nothing after `timeout` seconds, or at once when closed."""
        try:
            async with asyncio.timeout(timeout):
                await self._arrived.wait()
        except TimeoutError:
            return frozenset()
        if not self.closed:
            self._arrived.clear()
        taken, self._pending = frozenset(self._pending), set()
        return taken


class Changes:
    """Announces to every listener there is."""

    def __init__(self) -> None:
        self._listeners: set[Listener] = set()
        self._closed = False
        self.told = 0
        """How many changes there were: what was read since the last of them is the newest there is."""

    @property
    def listeners(self) -> int:
        return len(self._listeners)

    def announce(self, change: Change) -> None:
        self.told += 1
        for listener in self._listeners:
            listener.notify(change)

    @contextmanager
    def listen(self) -> Generator[Listener]:
        listener = Listener()
        if self._closed:
            listener.close()
        self._listeners.add(listener)
        try:
            yield listener
        finally:
            self._listeners.discard(listener)

    def close(self) -> None:
        """Ends every open stream, so that a shutdown waits for none."""
        self._closed = True
        for listener in self._listeners:
            listener.close()
