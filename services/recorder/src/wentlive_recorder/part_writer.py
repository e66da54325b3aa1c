"""Brings one part's fragments into storage while it is recorded, and makes a standard MP4 of them at the end.

Fragments wait in a bounded queue; one task stages them as a block, commits the block list and then appends to the
index, so the index never names what is not stored. Finishing replaces the head block and adds a tail: no media is
sent twice.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

import structlog
from wentlive_common.clock import Clock
from wentlive_common.errors import Forbidden, Transient
from wentlive_common.fragment_index import (
    IndexClosing,
    IndexFragment,
    closing_line,
    fragment_lines,
    header_line,
    make_header,
)

from wentlive_recorder.errors import StorageUnavailable
from wentlive_recorder.fragment import Ending, Fragment, MediaInfo
from wentlive_recorder.ports import IndexBlob, MediaBlob

STORAGE_RETRIED = "storage_retried"
_HEAD, _NEW_HEAD, _TAIL = "head0000", "head0001", "tail0000"
_FIRST_BACKOFF, _LONGEST_BACKOFF = 0.2, 5.0

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class WriterLimits:
    commit_interval: float
    commit_bytes: int
    buffer_bytes: int
    patience: float


@dataclass(frozen=True, slots=True)
class Committed:
    """How much of the part is safe."""

    bytes: int = 0
    duration: float = 0.0
    fragments: int = 0
    first_at: datetime | None = None


class PartWriter:
    """Writes one part. Run `run()` as a task; what stops it is raised by the next `put` or by `finish`."""

    def __init__(
        self, media: MediaBlob, index: IndexBlob, limits: WriterLimits, clock: Clock, progressed: Callable[[], None]
    ) -> None:
        self._media, self._index = media, index
        self._limits, self._clock, self._progressed = limits, clock, progressed
        self._header = b""
        self._head = b""
        self._blocks: list[str] = []
        self._waiting: deque[Fragment] = deque()
        self._waiting_bytes = 0
        self._last_commit = clock.monotonic()
        self._closing = self._over = False
        self._changed = asyncio.Condition()
        self._failure: Exception | None = None
        self.committed = Committed()

    async def create(self) -> None:
        """Takes the part's name; raises BlobExists when another run has it."""
        await self._patiently(self._media.create)
        await self._patiently(self._index.create)

    async def put(self, fragment: Fragment, init_segment: bytes, info: MediaInfo, opened_at: datetime) -> None:
        """Hands a fragment over. Waits while the buffer is full, so that the stream is read no faster than stored."""
        if not self._head:
            self._head = init_segment
            self._header = _index_header(init_segment, info, opened_at)
        async with self._changed:
            await self._until(lambda: self._over or self._waiting_bytes < self._limits.buffer_bytes)
            self._raise_failure()
            self._waiting.append(fragment)
            self._waiting_bytes += len(fragment.data)
            self._changed.notify_all()

    async def run(self) -> None:
        """Stores what waits until `finish` was asked for and nothing waits any more."""
        try:
            while await self._due():
                await self._store(self._next_batch())
        except Exception as error:
            # It belongs to whoever waits in put or finish, so it is kept for them instead of ending the task group.
            self._failure = error
        finally:
            async with self._changed:
                self._over = True
                self._changed.notify_all()

    async def finish(self, ending: Ending) -> float:
        """Stores the rest and turns the blob into a standard MP4; returns the milliseconds that took."""
        started = self._clock.monotonic()
        async with self._changed:
            self._closing = True
            self._changed.notify_all()
            await self._until(lambda: self._over)
            self._raise_failure()
        await self._replace_ends(ending)
        return (self._clock.monotonic() - started) * 1000

    async def _replace_ends(self, ending: Ending) -> None:
        if not self._blocks:
            return  # no fragment ever came: an empty blob says so more honestly than an MP4 without media
        await self._stage(_NEW_HEAD, ending.head)
        await self._stage(_TAIL, ending.tail)
        blocks = [_NEW_HEAD, *self._blocks[1:], _TAIL]
        await self._patiently(lambda: self._media.commit(blocks))
        done = self.committed
        size = done.bytes + len(ending.tail)
        await self._append(closing_line(IndexClosing(bytes=size, duration=done.duration)))
        self.committed = Committed(size, done.duration, done.fragments, done.first_at)
        self._progressed()

    async def _due(self) -> bool:
        """Waits until there is a batch to store; False when the part is to be closed and nothing is left."""
        limits = self._limits
        async with self._changed:
            await self._changed.wait_for(lambda: self._waiting or self._closing)
            rest = self._last_commit + limits.commit_interval - self._clock.monotonic()
            if rest > 0 and not self._urgent():
                await self._until(self._urgent, rest, quietly=True)
            return bool(self._waiting)

    def _urgent(self) -> bool:
        return self._closing or self._waiting_bytes >= self._limits.commit_bytes

    def _next_batch(self) -> list[Fragment]:
        batch: list[Fragment] = []
        size = 0
        for fragment in self._waiting:
            if batch and size + len(fragment.data) > self._limits.commit_bytes:
                break
            batch.append(fragment)
            size += len(fragment.data)
        return batch

    async def _store(self, batch: list[Fragment]) -> None:
        self._last_commit = self._clock.monotonic()
        blocks = self._blocks
        if not blocks:
            await self._stage(_HEAD, self._head)
            blocks = [_HEAD]
        block = f"{len(blocks):08d}"
        await self._stage(block, b"".join(fragment.data for fragment in batch))
        blocks = [*blocks, block]
        await self._patiently(lambda: self._media.commit(blocks))
        self._blocks = blocks
        await self._account(batch)
        lines = fragment_lines(IndexFragment(offset=f.offset, length=len(f.data), duration=f.duration) for f in batch)
        header, self._header = self._header, b""
        await self._append(header + lines)
        self._progressed()

    async def _account(self, batch: list[Fragment]) -> None:
        done = self.committed
        self.committed = Committed(
            bytes=batch[-1].end,
            duration=done.duration + sum(fragment.duration for fragment in batch),
            fragments=done.fragments + len(batch),
            first_at=done.first_at or self._clock.now(),
        )
        async with self._changed:
            for fragment in batch:
                self._waiting.popleft()
                self._waiting_bytes -= len(fragment.data)
            self._changed.notify_all()

    async def _stage(self, block: str, data: bytes) -> None:
        await self._patiently(lambda: self._media.stage(block, data))

    async def _append(self, lines: bytes) -> None:
        await self._patiently(lambda: self._index.append(lines))

    async def _patiently(self, call: Callable[[], Awaitable[None]]) -> None:
        """Repeats a storage call while that can help, for as long as patience lasts."""
        deadline = self._clock.monotonic() + self._limits.patience
        backoff = _FIRST_BACKOFF
        while True:
            try:
                return await call()
            except (Transient, Forbidden) as error:
                if self._clock.monotonic() + backoff > deadline:
                    raise StorageUnavailable(
                        f"Storage failed for {self._limits.patience:.0f} s; last answer: {error.message}"
                    ) from error
                log.warning(STORAGE_RETRIED, why=error.message, after=backoff)
            await self._clock.sleep(backoff)
            backoff = min(backoff * 2, _LONGEST_BACKOFF)

    async def _until(
        self, condition: Callable[[], bool], timeout: float | None = None, *, quietly: bool = False
    ) -> None:
        try:
            async with asyncio.timeout(self._limits.patience if timeout is None else timeout):
                await self._changed.wait_for(condition)
        except TimeoutError:
            if not quietly:
                raise StorageUnavailable(
                    f"Storage is slower than the stream: {self._waiting_bytes} bytes waited longer than"
                    f" {self._limits.patience:.0f} s."
                ) from None

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure


def _index_header(init_segment: bytes, info: MediaInfo, opened_at: datetime) -> bytes:
    return header_line(
        make_header(
            init_segment,
            opened_at=opened_at,
            video_codec=info.video_codec,
            audio_codec=info.audio_codec,
            width=info.width,
            height=info.height,
        )
    )
