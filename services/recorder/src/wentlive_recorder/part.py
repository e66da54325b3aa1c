"""One part while it is recorded: muxer, writer and poster working together, and what is reported about it."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import structlog
from wentlive_common.clock import Clock
from wentlive_common.errors import WentliveError
from wentlive_common.job import PartReport

from wentlive_recorder.errors import BlobExists
from wentlive_recorder.fragment import Fragment
from wentlive_recorder.grants import GrantBook, PartNames
from wentlive_recorder.muxer import PartMuxer, opening_flv
from wentlive_recorder.part_writer import PartWriter, WriterLimits
from wentlive_recorder.ports import BlobSink
from wentlive_recorder.poster import POSTER_CONTENT_TYPE, poster_jpeg
from wentlive_recorder.progress import Progress
from wentlive_recorder.splitter import Start, Write

PART_OPENED, PART_CLOSED, PART_ABANDONED = "part_opened", "part_closed", "part_abandoned"
PART_SKIPPED, POSTER_FAILED = "part_name_taken", "poster_failed"
_POSTER_PATIENCE = 2.0
_NAMES_TAKEN = 20

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class PartOpener:
    """Opens parts one after another; what a former start in the same container left under a name is left alone."""

    sink: BlobSink
    grants: GrantBook
    progress: Progress
    limits: WriterLimits
    grant_patience: float
    clock: Clock

    async def open(self, start: Start, after: int) -> "Part":
        """The next part whose number is higher than `after` and whose name is free."""
        opened_at = self.clock.now()
        muxer = PartMuxer(start)
        for number in range(after + 1, after + 1 + _NAMES_TAKEN):
            names = await self.grants.part(number, self.grant_patience)
            part = Part(names, muxer, opened_at, self)
            try:
                await part.begin(opening_flv(start))
            except BlobExists:
                log.warning(PART_SKIPPED, part=number)
            else:
                return part
        raise BlobExists(f"{_NAMES_TAKEN} parts in a row exist already.")


class Part:
    """Made by PartOpener. End it with `close`, or with `abandon` when that fails or is not wanted."""

    def __init__(self, names: PartNames, muxer: PartMuxer, opened_at: datetime, shared: PartOpener) -> None:
        self.names = names
        self._muxer, self._opened_at = muxer, opened_at
        self._sink, self._progress = shared.sink, shared.progress
        self._writer = PartWriter(
            self._sink.media(names.media), self._sink.index(names.index), shared.limits, shared.clock, self._report
        )
        self._poster_blob: str | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._closing: asyncio.Task[None] | None = None

    async def begin(self, opening: bytes) -> None:
        await self._writer.create()
        name = f"part-{self.names.number}"
        self._tasks = [
            asyncio.create_task(self._writer.run(), name=f"{name}-writer"),
            asyncio.create_task(self._make_poster(opening), name=f"{name}-poster"),
        ]
        self._report()
        info = self._muxer.info
        log.info(PART_OPENED, part=self.names.number, width=info.width, height=info.height, codec=info.video_codec)

    async def write(self, write: Write) -> None:
        await self._put(self._muxer.write(write))

    async def close(self) -> None:
        """Makes it a standard MP4. Raises what kept storage from it; then what was committed stays as it is.

        It goes on when its caller is cancelled (an order came meanwhile); closing again waits for the same end.
        """
        if self._closing is None:
            self._closing = asyncio.create_task(self._close(), name=f"part-{self.names.number}-closing")
        await asyncio.shield(self._closing)

    async def abandon(self) -> None:
        """Writes nothing more; what was committed stays."""
        await _cancelled([*self._tasks, *([self._closing] if self._closing else [])])
        log.warning(PART_ABANDONED, part=self.names.number)

    async def _close(self) -> None:
        fragments, ending = self._muxer.close()
        await self._put(fragments)
        finish_ms = await self._writer.finish(ending)
        await asyncio.wait(self._tasks, timeout=_POSTER_PATIENCE)
        await _cancelled(self._tasks)
        self._report("closed", finish_ms)
        done = self._writer.committed
        log.info(
            PART_CLOSED, part=self.names.number, bytes=done.bytes, duration=round(done.duration, 3), finish_ms=finish_ms
        )

    async def _put(self, fragments: Iterable[Fragment]) -> None:
        for fragment in fragments:
            await self._writer.put(fragment, self._muxer.init_segment, self._muxer.info, self._opened_at)

    async def _make_poster(self, opening: bytes) -> None:
        try:
            jpeg = await asyncio.to_thread(poster_jpeg, opening)
            await self._sink.upload(self.names.poster, jpeg, POSTER_CONTENT_TYPE)
        except WentliveError as error:
            log.warning(POSTER_FAILED, part=self.names.number, why=error.message)
        else:
            self._poster_blob = self.names.poster
            self._report()

    def _report(self, state: str = "open", finish_ms: float | None = None) -> None:
        done, info, names = self._writer.committed, self._muxer.info, self.names
        self._progress.update(
            PartReport(
                part=names.number,
                state="closed" if state == "closed" else "open",
                blob=names.media,
                index_blob=names.index,
                poster_blob=self._poster_blob,
                opened_at=self._opened_at,
                committed_at=done.first_at,
                video_codec=info.video_codec,
                audio_codec=info.audio_codec,
                width=info.width,
                height=info.height,
                bytes=done.bytes,
                duration=done.duration,
                fragments=done.fragments,
                finish_ms=finish_ms,
            )
        )


async def _cancelled(tasks: Iterable[asyncio.Task[None]]) -> None:
    tasks = list(tasks)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
