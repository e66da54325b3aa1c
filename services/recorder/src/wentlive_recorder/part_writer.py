"""Brings one part's fragments into storage while it is recorded, and makes a standard MP4 of them at the end.

Fragments wait in a queue; one task stages them as a block, commits the block list and then appends to the index, so
the index never names what is not stored. Finishing replaces the head block and adds a tail: no media is sent twice.
"""

import asyncio
import secrets
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from wentlive_common.clock import Clock
from wentlive_common.fragment_index import (
    IndexClosing,
    IndexFragment,
    closing_line,
    fragment_lines,
    header_line,
    make_header,
)

from wentlive_recorder.buffer import Buffer
from wentlive_recorder.errors import BlocksLost
from wentlive_recorder.fragment import Ending, Fragment, MediaInfo
from wentlive_recorder.patience import Patience
from wentlive_recorder.ports import IndexBlob, MediaBlob
from wentlive_recorder.spool import Media

MOST_BLOCKS = 50_000
"""Azure's limit for one blob."""
_STEADY_BLOCKS, _STEP_BLOCKS = 20_000, 2_500
_COMPANY = 0.5
"""Seconds that a commit waits for a fragment that is about to be complete."""
_TIMES_SENT = 3


@dataclass(frozen=True, slots=True)
class WriterLimits:
    commit_interval: float
    """Seconds: no media that could be committed gets older than this before it is."""
    commit_bytes: int
    buffer_bytes: int

    def interval(self, blocks: int) -> float:
        """Grows with the number of blocks: after 22 hours at 4 s, and so fast that 50,000 take months."""
        return self.commit_interval * _growth(blocks)

    def batch_bytes(self, blocks: int) -> int:
        """So much at once is committed without waiting for the interval, before it fills the buffer."""
        return min(self.commit_bytes * _growth(blocks), self.buffer_bytes // 2)


def _growth(blocks: int) -> int:
    return 1 << max(0, (blocks - _STEADY_BLOCKS) // _STEP_BLOCKS + 1)


@dataclass(frozen=True, slots=True)
class PartFiles:
    """The blobs that a part is written to."""

    media: MediaBlob
    index: IndexBlob


@dataclass(frozen=True, slots=True)
class Committed:
    """How much of the part is safe."""

    bytes: int = 0
    duration: float = 0.0
    fragments: int = 0
    first_at: datetime | None = None


class BlockNames:
    """Names for one writer's blocks, all of one length, that no other writer's blocks of the same blob have."""

    def __init__(self) -> None:
        self._writer = secrets.token_urlsafe(3)
        self._number = 0

    def next(self) -> str:
        self._number += 1
        return f"{self._writer}{self._number:05d}"


def _nobody() -> None:
    """Is told when the writer is done."""


class _Waiting(NamedTuple):
    """A fragment, wherever its media lies meanwhile."""

    offset: int
    duration: float
    media: Media
    since: float
    """When its first frame came, as far as its duration tells."""

    @property
    def indexed(self) -> IndexFragment:
        return IndexFragment(offset=self.offset, length=len(self.media), duration=self.duration)


class PartWriter:
    """Writes one part: `put` fragments, then `end`; `run` stores them meanwhile and keeps what stopped it."""

    def __init__(
        self, buffer: Buffer, limits: WriterLimits, patience: Patience, clock: Clock, progressed: Callable[[], None]
    ) -> None:
        self._buffer, self._limits, self._patiently = buffer, limits, patience
        self._clock, self._progressed = clock, progressed
        self._names = BlockNames()
        self._head = self._header = b""
        self._blocks: list[str] = []
        self._waiting: deque[_Waiting] = deque()
        self._waiting_bytes = 0
        self._news = asyncio.Event()
        self._complete = False
        self._ending: Ending | None = None
        self.failure: Exception | None = None
        self.finished = False
        self.committed = Committed()

    def put(self, fragment: Fragment, init_segment: bytes, info: MediaInfo, opened_at: datetime) -> None:
        """Takes a fragment; raises what keeps them from being stored. Mind the buffer's room before the next one."""
        if self.failure is not None:
            raise self.failure
        if not self._head:
            self._head = init_segment
            self._header = index_header(init_segment, info, opened_at)
        media, since = self._buffer.keep(fragment.data), self._clock.monotonic() - fragment.duration
        self._waiting.append(_Waiting(fragment.offset, fragment.duration, media, since))
        self._waiting_bytes += len(fragment.data)
        self._news.set()

    def end(self, ending: Ending | None) -> None:
        """Nothing more comes. Without an ending the part stays as it is once all is stored."""
        self._complete, self._ending = True, ending
        self._news.set()

    async def run(self, files: Callable[[], Awaitable[PartFiles]]) -> None:
        """Stores what comes until the end; `files` gives the blobs, which may take a while."""
        try:
            await self._write(await files())
        except Exception as error:
            # It belongs to whoever brings the next fragment or waits for the end, so it is kept for them.
            self.failure = error
        finally:
            self._buffer.take(self._waiting_bytes)
            self._waiting.clear()
            self._waiting_bytes = 0
            # What they lead to, a long part's sample tables among it, would stay until it is found garbage.
            self._ending, self._progressed = None, _nobody

    async def _write(self, files: PartFiles) -> None:
        while await self._due():
            await self._store(files, self._next_batch())
        # Without a fragment there is nothing to end: an empty blob says so better than an MP4 without media.
        if self._ending is not None and self._blocks:
            await self._finish(files, self._ending)
        self.finished = self._ending is not None

    async def _due(self) -> bool:
        """Waits until there is a batch to store; False when nothing is left and nothing more comes."""
        while not self._waiting and not self._complete:
            await self._wait(None)
        while self._waiting and not self._urgent() and (rest := self._rest()) > 0:
            await self._wait(rest)
        return bool(self._waiting)

    def _urgent(self) -> bool:
        first = not self._blocks  # something to watch, as soon as possible
        return first or self._complete or self._waiting_bytes >= self._limits.batch_bytes(len(self._blocks))

    def _rest(self) -> float:
        due = self._waiting[0].since + self._limits.interval(len(self._blocks))
        lone = self._waiting[0].duration + _COMPANY > self._limits.commit_interval
        return due + (0.0 if lone else _COMPANY) - self._clock.monotonic()

    async def _wait(self, seconds: float | None) -> None:
        self._news.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._news.wait()

    def _next_batch(self) -> list[_Waiting]:
        batch: list[_Waiting] = []
        size, enough = 0, self._limits.batch_bytes(len(self._blocks))
        for fragment in self._waiting:
            batch.append(fragment)
            size += len(fragment.media)
            if size >= enough:
                break
        return batch

    async def _store(self, files: PartFiles, batch: Sequence[_Waiting]) -> None:
        new: dict[str, list[Media]] = {} if self._blocks else {self._names.next(): [self._head]}
        new[self._names.next()] = [fragment.media for fragment in batch]
        blocks = [*self._blocks, *new]
        await commit_with(files.media, self._patiently, new, blocks)
        self._blocks = blocks
        self._account(batch)
        lines = fragment_lines(fragment.indexed for fragment in batch)
        header, self._header = self._header, b""
        await self._patiently(lambda: files.index.append(header + lines))
        self._progressed()

    def _account(self, batch: Sequence[_Waiting]) -> None:
        done = self.committed
        self.committed = Committed(
            bytes=batch[-1].offset + len(batch[-1].media),
            duration=done.duration + sum(fragment.duration for fragment in batch),
            fragments=done.fragments + len(batch),
            first_at=done.first_at or self._clock.now(),
        )
        size = sum(len(fragment.media) for fragment in batch)
        for _ in batch:
            self._waiting.popleft()
        self._waiting_bytes -= size
        self._buffer.take(size)

    async def _finish(self, files: PartFiles, ending: Ending) -> None:
        await replace_ends(files.media, self._patiently, self._names, self._blocks[1:], ending)
        done = self.committed
        size = done.bytes + ending.tail_size
        await self._patiently(
            lambda: files.index.append(closing_line(IndexClosing(bytes=size, duration=done.duration)))
        )
        self.committed = Committed(size, done.duration, done.fragments, done.first_at)


async def commit_with(
    media: MediaBlob, patiently: Patience, new: Mapping[str, Sequence[Media]], blocks: Sequence[str]
) -> None:
    """Stages the new blocks and commits the list; stages them again when storage has dropped them meanwhile."""
    for sent in range(1, _TIMES_SENT + 1):
        for name, pieces in new.items():
            await patiently(lambda name=name, pieces=pieces: media.stage(name, *pieces))
        try:
            return await patiently(lambda: media.commit(blocks))
        except BlocksLost:
            if sent == _TIMES_SENT:
                raise


async def replace_ends(
    media: MediaBlob, patiently: Patience, names: BlockNames, body: Iterable[str], ending: Ending
) -> None:
    """Makes a standard MP4 of the blocks of media: a new head before them, the tail behind, piece by piece."""
    head = names.next()
    await patiently(lambda: media.stage(head, ending.head))
    tail: list[str] = []
    for piece in ending.tail:
        tail.append(names.next())
        await patiently(lambda piece=piece: media.stage(tail[-1], piece))
    blocks = [head, *body, *tail]
    await patiently(lambda: media.commit(blocks))


def index_header(init_segment: bytes, info: MediaInfo, opened_at: datetime) -> bytes:
    return header_line(
        make_header(
            init_segment,
            opened_at=opened_at,
            video_codec=info.video_codec or None,
            audio_codec=info.audio_codec,
            width=info.width,
            height=info.height,
        )
    )
