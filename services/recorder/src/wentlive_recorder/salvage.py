"""Makes a standard MP4 of a part that its recorder left open, out of what is committed: its media is not downloaded.

Whatever is done holds only on top of what was found (ETags), so a recorder that was believed dead is either left alone
or fenced, and a salvage that dies half-way is begun again by the next.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from wentlive_common.clock import Clock
from wentlive_common.fragment_index import (
    FragmentIndex,
    IndexClosing,
    IndexFragment,
    InvalidFragmentIndex,
    closing_line,
    fragment_lines,
    read_index,
)
from wentlive_common.job import PartReport, SalvagePart

from wentlive_recorder.errors import BlobMissing, FinishedAlready, NothingRecorded
from wentlive_recorder.mp4.rebuild import Rebuilt, rebuild
from wentlive_recorder.part_writer import BlockNames, index_header, replace_ends
from wentlive_recorder.patience import Patience
from wentlive_recorder.ports import BlobSink, IndexBlob, MediaBlob, StoredBlock, StoredMedia

_LINES_AT_ONCE = 50_000


@dataclass(frozen=True, slots=True)
class Stretch:
    """Bytes of a block that is not kept whole."""

    start: int
    size: int


@dataclass(frozen=True, slots=True)
class _Found:
    """A part as it lies in storage, taken over."""

    part: SalvagePart
    media: MediaBlob
    stored: StoredMedia
    index: IndexBlob
    known: FragmentIndex | None
    opened_at: datetime


class Salvage:
    def __init__(self, sink: BlobSink, patience: Patience, clock: Clock) -> None:
        self._sink, self._patiently, self._clock = sink, patience, clock

    async def quiet(self, part: SalvagePart) -> float:
        """Seconds since the part was changed last, without end when it is closed; raises BlobMissing."""
        quiet = (await self._patiently(self._sink.media(part.blob).adopt)).quiet
        try:
            index = read_index(await self._patiently(self._sink.index(part.index_blob).adopt))
        except (BlobMissing, InvalidFragmentIndex):
            return quiet
        return math.inf if index.closed else quiet

    async def finish(self, part: SalvagePart) -> PartReport:
        """The part, closed.

        Raises BlobMissing or NothingRecorded when there is nothing to close, NotRebuildable when it cannot be, Fenced
        when somebody writes to it, and storage's errors.
        """
        found = await self._found(part)
        try:
            rebuilt = await rebuild(
                lambda start, size: self._patiently(lambda: found.media.read(start, size)),
                found.stored.size,
                found.known,
            )
        except FinishedAlready:
            return await self._finished(found)
        index = await self._complete_index(found, rebuilt)
        names = BlockNames()
        body = await self._body(found, names, len(rebuilt.ending.head), rebuilt.valid_size)
        await replace_ends(found.media, self._patiently, names, body, rebuilt.ending)
        size = rebuilt.valid_size + rebuilt.ending.tail_size
        await self._close_index(index, size, rebuilt.duration)
        return self._report(found, size, rebuilt.duration, len(rebuilt.fragments), rebuilt)

    async def _found(self, part: SalvagePart) -> _Found:
        media, index = self._sink.media(part.blob), self._sink.index(part.index_blob)
        stored = await self._patiently(media.adopt)
        if not stored.size:
            raise NothingRecorded
        known: FragmentIndex | None = None
        try:
            known = read_index(await self._patiently(index.adopt))
            opened_at = known.header.opened_at
        except (BlobMissing, InvalidFragmentIndex):
            changed_at = self._clock.now() - timedelta(seconds=stored.quiet)
            opened_at = part.known.opened_at if part.known else changed_at
        return _Found(part, media, stored, index, known, opened_at)

    async def _finished(self, found: _Found) -> PartReport:
        """Only the last word about it is missing, if anything."""
        known = found.known
        if known is None:
            duration, fragments = (
                (found.part.known.duration, found.part.known.fragments) if found.part.known else (0, 0)
            )
            return self._report(found, found.stored.size, duration, fragments)
        if not known.closed:
            await self._close_index(found.index, found.stored.size, known.duration)
        return self._report(found, found.stored.size, known.duration, len(known.fragments))

    async def _complete_index(self, found: _Found, rebuilt: Rebuilt) -> IndexBlob:
        """Names every fragment that there is before the media is touched; begins anew where it names others."""
        index, missing, header = found.index, rebuilt.fragments, b""
        if found.known is not None and _agree(found.known.fragments, rebuilt.fragments):
            missing = rebuilt.fragments[len(found.known.fragments) :]
        else:
            index = self._sink.index(found.part.index_blob)
            await self._patiently(index.create)
            header = index_header(rebuilt.init_segment, rebuilt.info, found.opened_at)
        for first in range(0, len(missing), _LINES_AT_ONCE):
            lines, header = header + fragment_lines(missing[first : first + _LINES_AT_ONCE]), b""
            await self._patiently(lambda lines=lines: index.append(lines))
        return index

    async def _body(self, found: _Found, names: BlockNames, start: int, end: int) -> list[str]:
        """The names of the blocks that hold the media; what is not a block by itself is copied to one."""
        body: list[str] = []
        for piece in kept(found.stored.blocks, start, end):
            if isinstance(piece, Stretch):
                data = await self._patiently(lambda piece=piece: found.media.read(piece.start, piece.size))
                body.append(names.next())
                await self._patiently(lambda data=data: found.media.stage(body[-1], data))
            else:
                body.append(piece)
        return body

    async def _close_index(self, index: IndexBlob, size: int, duration: float) -> None:
        line = closing_line(IndexClosing(bytes=size, duration=duration))
        await self._patiently(lambda: index.append(line))

    def _report(
        self, found: _Found, size: int, duration: float, fragments: int, rebuilt: Rebuilt | None = None
    ) -> PartReport:
        part, known, index = found.part, found.part.known, found.known
        header = index.header if index else None
        told = known or PartReport(
            part=part.part, state="open", blob=part.blob, index_blob=part.index_blob, opened_at=found.opened_at
        )
        closed = {"state": "closed", "bytes": size, "duration": duration, "fragments": fragments}
        closed |= {"committed_at": told.committed_at or self._clock.now() - timedelta(seconds=found.stored.quiet)}
        if rebuilt:
            info = rebuilt.info
            closed |= {"width": info.width, "height": info.height}
            closed |= {"video_codec": info.video_codec or told.video_codec}
            closed |= {"audio_codec": info.audio_codec or told.audio_codec}
        elif header:
            closed |= header.model_dump(include={"width", "height", "video_codec", "audio_codec"})
        return told.model_copy(update=closed)


def kept(blocks: Sequence[StoredBlock], start: int, end: int) -> Iterator[str | Stretch]:
    """What the bytes from `start` to `end` are made of: blocks that lie within, and stretches of those that do not."""
    position = 0
    for block in blocks:
        first, last = max(position, start), min(position + block.size, end)
        if last - first == block.size:
            yield block.name
        elif first < last:
            yield Stretch(first, last - first)
        position += block.size


def _agree(known: Sequence[IndexFragment], found: Sequence[IndexFragment]) -> bool:
    """Whether the index names nothing but fragments that are there. (Durations are rounded in it.)"""
    places = [(fragment.offset, fragment.length) for fragment in known]
    return places == [(fragment.offset, fragment.length) for fragment in found[: len(places)]]
