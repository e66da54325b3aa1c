"""Clips: a range of one part as a standard MP4, cut where pictures stand by themselves, not one byte coded anew.

The range's fragments are given on as they lie in storage, inside one `mdat`, and what they say of their samples makes
the `moov` behind them: one pass, a fragment in memory.
"""

from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace

from wentlive_common.errors import InvalidInput, Transient
from wentlive_common.fragment_index import FragmentIndex, IndexFragment
from wentlive_common.mp4.boxes import in_pieces
from wentlive_common.mp4.movie import finished_head, movie
from wentlive_common.mp4.sample_table import SampleTable

from wentlive_catalog.domain.fragments import (
    Source,
    UnreadableMedia,
    begins_with_key,
    moof_size,
    pieces_of,
    sources_of,
)
from wentlive_catalog.domain.recordings import Part
from wentlive_catalog.playback import NothingYet
from wentlive_catalog.ports import FragmentIndexReader, MediaReader

MOST_AT_ONCE = 8
FURTHEST_BACK = 60
"""So many fragments before the wanted beginning are looked at for a picture that stands by itself."""
USUAL_MOOF = 8 * 1024
LARGEST_MOOF = 4 * 1024 * 1024
LARGEST_FRAGMENT = 256 * 1024 * 1024
HEAD_BYTES = len(finished_head(0x100))


class EmptyClip(InvalidInput):
    """Nothing of this part lies in that range: its end must come after its beginning, and within the part."""


class TooManyClips(Transient):
    """As many clips are being cut as can be at once; try again in a moment."""


@dataclass(frozen=True, slots=True)
class Cut:
    """What a clip will be made of; never empty."""

    blob: str
    sources: dict[int, Source]
    fragments: tuple[IndexFragment, ...]
    starts_at: float
    """Seconds of the part: at the wanted moment or somewhat before."""

    @property
    def offset(self) -> int:
        return self.fragments[0].offset

    @property
    def length(self) -> int:
        return self.fragments[-1].end - self.offset


class Clips:
    def __init__(self, indexes: FragmentIndexReader, media: MediaReader) -> None:
        self._indexes = indexes
        self._media = media
        self._running = 0

    async def cut(self, part: Part, start: float, end: float) -> Cut:
        """From the last picture before `start` that stands by itself to the end of the fragment that `end` lies in.

        Raises NothingYet, EmptyClip, UnreadableMedia and Transient.
        """
        index = await self._indexes.read(part.report.index_blob) if part.watchable else None
        if index is None or not index.fragments:
            raise NothingYet
        first, until = within(index, start, end)
        sources = sources_of(index.header.init_segment)
        first = await self._key_before(part.report.blob, index.fragments, first, sources)
        starts_at = sum(fragment.duration for fragment in index.fragments[:first])
        return Cut(part.report.blob, sources, index.fragments[first:until], starts_at)

    async def _key_before(
        self, blob: str, fragments: Sequence[IndexFragment], wanted: int, sources: dict[int, Source]
    ) -> int:
        for number in range(wanted, max(-1, wanted - FURTHEST_BACK), -1):
            moof = await self._moof(blob, fragments[number])
            if begins_with_key(pieces_of(moof, sources), sources):
                return number
        raise UnreadableMedia

    async def _moof(self, blob: str, fragment: IndexFragment) -> bytes:
        data = await self._media.read(blob, fragment.offset, min(USUAL_MOOF, fragment.length))
        size = moof_size(data)
        if size > min(LARGEST_MOOF, fragment.length):
            raise UnreadableMedia
        return data if size <= len(data) else await self._media.read(blob, fragment.offset, size)

    async def mp4(self, cut: Cut) -> AsyncGenerator[bytes]:
        """The clip's bytes; raises TooManyClips before the first, and Transient wherever storage stops answering."""
        if self._running >= MOST_AT_ONCE:
            raise TooManyClips
        self._running += 1
        try:
            yield finished_head(HEAD_BYTES + cut.length)
            tables = _Tables(cut)
            async with (
                aclosing(self._media.stream(cut.blob, cut.offset, cut.length)) as media,
                aclosing(_by_fragment(media, cut.fragments)) as fragments,
            ):
                async for fragment, data in fragments:
                    tables.add(fragment, data)
                    yield data
            for piece in tables.moov():
                yield piece
        finally:
            self._running -= 1


def within(index: FragmentIndex, start: float, end: float) -> tuple[int, int]:
    """The numbers of the first fragment that is touched and of the one after the last; raises EmptyClip."""
    touched: list[int] = []
    position = 0.0
    for number, fragment in enumerate(index.fragments):
        if position < end and position + fragment.duration > start:
            touched.append(number)
        position += fragment.duration
    if not touched or end <= start:
        raise EmptyClip
    return touched[0], touched[-1] + 1


class _Tables:
    """The clip's samples, whose times begin anew."""

    def __init__(self, cut: Cut) -> None:
        self._cut = cut
        self._tables = {number: SampleTable(source.track) for number, source in cut.sources.items()}
        self._base: float | None = None

    def add(self, fragment: IndexFragment, data: bytes) -> None:
        pieces = pieces_of(data, self._cut.sources)
        if self._base is None:
            self._base = min((self._seconds(piece.run.track, piece.run.start) for piece in pieces), default=0.0)
        at = HEAD_BYTES + fragment.offset - self._cut.offset
        for piece in pieces:
            table = self._tables[piece.run.track]
            run = replace(piece.run, start=piece.run.start - round(self._base * table.track.timescale))
            if not table.fits(run):
                raise UnreadableMedia
            table.add(run, at + piece.offset)

    def moov(self) -> Iterator[bytes]:
        return in_pieces(movie([table for table in self._tables.values() if table.start is not None]))

    def _seconds(self, track: int, ticks: int) -> float:
        return ticks / self._cut.sources[track].track.timescale


async def _by_fragment(
    media: AsyncGenerator[bytes], fragments: Sequence[IndexFragment]
) -> AsyncGenerator[tuple[IndexFragment, bytes]]:
    """What storage sends, cut where the fragments are."""
    waiting, left = bytearray(), list(reversed(fragments))
    position = fragments[0].offset
    async for data in media:
        waiting += data
        while left and len(waiting) >= left[-1].end - position:
            size = left[-1].end - position
            fragment = left.pop()
            if fragment.offset != position or fragment.length > LARGEST_FRAGMENT:
                raise UnreadableMedia
            yield fragment, bytes(waiting[:size])
            del waiting[:size]
            position = fragment.end
    if left:
        raise UnreadableMedia
