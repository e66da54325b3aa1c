"""How much media may wait for storage: one bound for all parts that are being written, and a smaller one for memory."""

import asyncio
from contextlib import suppress

import structlog
from wentlive_common.clock import Clock

from wentlive_recorder.errors import StorageBehind
from wentlive_recorder.spool import Media, Spool

DISK_UNUSABLE = "buffer_disk_unusable"
_WITHOUT_DISK = 24 * 1024 * 1024
"""What may wait where there is no disk: a minute and a half at 2 Mbit/s."""

log = structlog.get_logger(__name__)


class Buffer:
    """Counts the bytes that wait. When it is full, whoever brings more is held back, and after a while turned away."""

    def __init__(self, limit: int, in_memory: int, hold_back: float, clock: Clock) -> None:
        """`in_memory`: what comes beyond so many bytes waits on disk."""
        self._limit, self._in_memory, self._hold_back, self._clock = limit, in_memory, hold_back, clock
        self._spool: Spool | None = Spool()
        self._taken = asyncio.Event()
        self._held = 0.0
        self.waiting = 0
        self.behind = False
        """Storage has fallen behind, and more than half of the room is still taken."""

    def keep(self, data: bytes) -> Media:
        """Counts it, and puts it where it may wait."""
        self.waiting += len(data)
        if self._spool is None or self.waiting <= self._in_memory:
            return data
        try:
            return self._spool.put(data)
        except OSError as error:
            log.warning(DISK_UNUSABLE, why=str(error), limit=_WITHOUT_DISK)
            self._spool, self._limit = None, min(self._limit, _WITHOUT_DISK)
            return data

    def take(self, size: int) -> None:
        """Storage has it."""
        self.waiting -= size
        if not self.waiting and self._spool is not None:
            self._spool.rest()
        if self.waiting <= self._limit // 2:
            self._held, self.behind = 0.0, False
        self._taken.set()

    async def room(self) -> None:
        """Waits while it is full; raises StorageBehind once the stream was held back for too long altogether."""
        since = self._clock.monotonic()
        while self.waiting >= self._limit:
            left = self._hold_back - self._held - (self._clock.monotonic() - since)
            if self.behind or left <= 0:
                self.behind = True
                raise StorageBehind(f"Storage is slower than the stream: {self.waiting} bytes wait for it.")
            self._taken.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await self._taken.wait()
        if self.waiting > self._limit // 2:
            self._held += self._clock.monotonic() - since
