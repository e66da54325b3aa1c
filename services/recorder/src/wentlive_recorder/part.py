"""One part while it is recorded: muxer, writer and pictures working together, and what is reported about it.

Parts never wait for storage: names are claimed, blobs are created and parts are closed in the background, within one
buffer, so that a part that ends while storage is slow or away costs the next one nothing.
"""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import structlog
from wentlive_common.clock import Clock
from wentlive_common.job import PartReport

from wentlive_recorder.buffer import Buffer
from wentlive_recorder.errors import BlobExists, StoppedShort
from wentlive_recorder.fragment import Fragment
from wentlive_recorder.grants import GrantBook, PartNames
from wentlive_recorder.muxer import PartMuxer
from wentlive_recorder.part_writer import PartFiles, PartWriter, WriterLimits
from wentlive_recorder.patience import Patience
from wentlive_recorder.pictures.album import Album
from wentlive_recorder.pictures.studio import Studio
from wentlive_recorder.ports import BlobSink
from wentlive_recorder.progress import Progress
from wentlive_recorder.splitter import Start, Write

PART_OPENED, PART_CLOSED, PART_ABANDONED = "part_opened", "part_closed", "part_abandoned"
PART_SKIPPED, PART_LEFT_OPEN = "part_name_taken", "part_left_open"
_PICTURES_PATIENCE = 2.0
_NAMES_TAKEN = 20

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Storage:
    """Where parts go, and how patiently."""

    sink: BlobSink
    grants: GrantBook
    limits: WriterLimits
    buffer: Buffer
    patience: Patience
    grant_patience: float


class PartOpener:
    """Opens parts one after another, numbers them in that order, and minds them until they are closed."""

    def __init__(
        self,
        storage: Storage,
        studio: Studio,
        progress: Progress,
        clock: Clock,
        found: Callable[[PartNames], None] = lambda _: None,
    ) -> None:
        self.storage, self.studio, self.progress, self.clock = storage, studio, progress, clock
        self._found = found
        self._last = 0
        self._claiming = asyncio.Lock()
        self._tasks: dict[asyncio.Task[None], Part] = {}
        self._failure: Exception | None = None

    @property
    def behind(self) -> bool:
        """Whether storage has fallen so far behind that there is no room for more media."""
        return self.storage.buffer.behind

    @property
    def unfinished(self) -> list[int | None]:
        """The parts that storage has not got whole yet."""
        return [part.number for part in self._tasks.values()]

    def open(self, start: Start) -> "Part":
        """Raises MuxFailed, or what kept an earlier part from being closed."""
        if self._failure is not None:
            raise self._failure
        part = Part(start, self)
        task = asyncio.create_task(part.run(), name="part")
        self._tasks[task] = part
        task.add_done_callback(self._over)
        return part

    async def claim(self) -> tuple[PartNames, PartFiles]:
        """The next names that are free, with their blobs created; whose names are taken is told to `found`."""
        storage = self.storage
        async with self._claiming:
            for _ in range(_NAMES_TAKEN):
                names = await storage.grants.next_part(self._last, storage.grant_patience)
                self._last = names.number
                files = PartFiles(storage.sink.media(names.media), storage.sink.index(names.index))
                try:
                    await storage.patience(files.media.create)
                except BlobExists:
                    log.warning(PART_SKIPPED, part=names.number)
                    storage.grants.done_with(names.number)
                    self._found(names)
                else:
                    await storage.patience(files.index.create)
                    return names, files
        raise BlobExists(f"{_NAMES_TAKEN} parts in a row exist already.")

    async def settle(self) -> None:
        """Waits until every part is closed; raises what kept one from it."""
        if self._tasks:
            await asyncio.wait(self._tasks)
        if self._failure is not None:
            raise self._failure

    async def abandon(self) -> None:
        """Writes nothing more; what was committed stays as it is."""
        tasks = dict(self._tasks)
        await _cancelled(tasks)
        for part in tasks.values():
            log.warning(PART_ABANDONED, part=part.number)
        if tasks and self._failure is None:
            self._failure = StoppedShort()

    def _over(self, task: "asyncio.Task[None]") -> None:
        part = self._tasks.pop(task)
        if not task.cancelled() and self._failure is None:
            self._failure = task.exception() or part.failure  # type: ignore[assignment]


class Part:
    """Made by PartOpener, which runs it. End it with `close`; nothing of it waits for storage but `write`."""

    def __init__(self, start: Start, opener: PartOpener) -> None:
        self._opener, self._opened_at = opener, opener.clock.now()
        self._muxer = PartMuxer(start)
        storage = opener.storage
        self._buffer = storage.buffer
        self._writer = PartWriter(storage.buffer, storage.limits, storage.patience, opener.clock, self._report)
        self._album = Album(opener.studio, start.video, self._report)
        self._names: asyncio.Future[PartNames] = asyncio.get_running_loop().create_future()
        self._closing_since: float | None = None

    @property
    def number(self) -> int | None:
        """None as long as storage did not give it a name."""
        return self._names.result().number if self._names.done() and not self._names.cancelled() else None

    @property
    def failure(self) -> Exception | None:
        return self._writer.failure

    async def named(self) -> PartNames:
        """Waits until its blobs are there."""
        return await asyncio.shield(self._names)

    async def write(self, write: Write) -> None:
        """Raises StorageBehind when it was taken but nothing more can be, and whatever keeps it from being stored."""
        self._album.see(write)
        fragments = self._muxer.write(write)
        if fragments:
            self._put(fragments)
            await self._buffer.room()

    def close(self) -> None:
        """Has it made a standard MP4, in the background. Raises MuxFailed; then it stays as far as it came."""
        self._closing_since = self._opener.clock.monotonic()
        try:
            fragments, ending = self._muxer.close()
            self._put(fragments)
        except BaseException:
            self.leave()
            raise
        self._writer.end(ending)

    def leave(self) -> None:
        """Has what came so far stored, and the part left open."""
        self._writer.end(None)

    async def run(self) -> None:
        try:
            await self._writer.run(self._files)
            if self._writer.finished:
                await self._closed()
            elif self._writer.failure is None:
                log.warning(PART_LEFT_OPEN, part=self.number)
        finally:
            self._album.give_up()
            self._names.cancel()
            if self.number is not None:
                self._opener.storage.grants.done_with(self.number)

    async def _files(self) -> PartFiles:
        names, files = await self._opener.claim()
        self._names.set_result(names)
        self._album.named(names)
        self._report()
        info = self._muxer.info
        log.info(PART_OPENED, part=names.number, width=info.width, height=info.height, codec=info.video_codec)
        return files

    async def _closed(self) -> None:
        finish_ms = (self._opener.clock.monotonic() - (self._closing_since or 0)) * 1000
        await self._album.finish(_PICTURES_PATIENCE)
        self._report("closed", finish_ms)
        done = self._writer.committed
        log.info(PART_CLOSED, part=self.number, bytes=done.bytes, duration=round(done.duration, 3), finish_ms=finish_ms)

    def _put(self, fragments: Iterable[Fragment]) -> None:
        for fragment in fragments:
            self._writer.put(fragment, self._muxer.init_segment, self._muxer.info, self._opened_at)

    def _report(self, state: str = "open", finish_ms: float | None = None) -> None:
        done, info, names = self._writer.committed, self._muxer.info, self._names.result()
        self._opener.progress.update(
            self._album.reported(
                PartReport(
                    part=names.number,
                    state="closed" if state == "closed" else "open",
                    blob=names.media,
                    index_blob=names.index,
                    opened_at=self._opened_at,
                    committed_at=done.first_at,
                    video_codec=info.video_codec or None,
                    audio_codec=info.audio_codec,
                    width=info.width,
                    height=info.height,
                    bytes=done.bytes,
                    duration=done.duration,
                    fragments=done.fragments,
                    finish_ms=finish_ms,
                )
            )
        )


async def _cancelled(tasks: Iterable[asyncio.Task[None]]) -> None:
    tasks = list(tasks)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
