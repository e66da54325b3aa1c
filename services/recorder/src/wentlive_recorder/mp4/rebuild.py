"""Makes the ending of a part whose recorder died, from the `moof` boxes alone: its media is not read."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import NamedTuple

from wentlive_common.fragment_index import FragmentIndex, IndexFragment
from wentlive_common.mp4.movie import FINISHED_HEAD, HEAD
from wentlive_common.mp4.run import Run

from wentlive_recorder.errors import FinishedAlready, NothingRecorded, NotRebuildable
from wentlive_recorder.fragment import Ending, MediaInfo
from wentlive_recorder.mp4.fragments import Books
from wentlive_recorder.mp4.moof import MDAT_HEADER, unpack_moof
from wentlive_recorder.mp4.movie import media_info
from wentlive_recorder.mp4.tracks import tracks_of

Read = Callable[[int, int], Awaitable[bytes]]
"""So many bytes from an offset on; they lie within the blob."""

_LARGEST_HEAD = 256 * 1024
_USUAL_MOOF = 4 * 1024
_LARGEST_MOOF = 4 * 1024 * 1024
_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What a dead recorder's part needs to be finished."""

    init_segment: bytes
    info: MediaInfo
    fragments: tuple[IndexFragment, ...]
    ending: Ending
    """For a file that holds nothing between the fragments and the ending's tail."""
    duration: float
    valid_size: int
    """Where the last whole fragment ends; what lies behind it is no media."""


class _Fragment(NamedTuple):
    offset: int
    end: int
    media: int
    """Where the samples begin."""
    sequence: int
    runs: list[Run]


async def rebuild(read: Read, size: int, known: FragmentIndex | None = None) -> Rebuilt:
    """Reads the head and each `moof` of a blob of `size` bytes, up to the first that is damaged or cut short.

    `known` only tells where to look; what it says is checked. Raises FinishedAlready, NothingRecorded or
    NotRebuildable, and whatever `read` raises.
    """
    init = await _init_segment(read, size)
    tracks = tracks_of(init)
    books = Books(tracks)
    fragments: list[IndexFragment] = []
    async for fragment in _fragments(read, len(init), size, known):
        if fragment.sequence != len(fragments) + 1 or not books.fits(fragment.runs):
            break
        seconds = books.add(fragment.runs, fragment.media)
        length = fragment.end - fragment.offset
        fragments.append(IndexFragment(offset=fragment.offset, length=length, duration=seconds))
    if not fragments:
        raise NothingRecorded
    end, duration = fragments[-1].end, sum(fragment.duration for fragment in fragments)
    return Rebuilt(init, media_info(tracks), tuple(fragments), books.ending(init, end), duration, end)


async def _init_segment(read: Read, size: int) -> bytes:
    """Everything before the first fragment."""
    if not size:
        raise NothingRecorded
    head = await read(0, min(size, len(HEAD) + 8))
    if head.startswith(FINISHED_HEAD):
        raise FinishedAlready
    if not head.startswith(HEAD[: len(head)]) or head[len(HEAD) + 4 :] != b"moov"[: max(len(head) - len(HEAD) - 4, 0)]:
        raise NotRebuildable
    end = len(HEAD) + int.from_bytes(head[len(HEAD) : len(HEAD) + 4], "big")
    if end > _LARGEST_HEAD:
        raise NotRebuildable
    if end > size or len(head) < len(HEAD) + 8:
        raise NothingRecorded
    return await read(0, end)


async def _fragments(read: Read, start: int, size: int, known: FragmentIndex | None) -> AsyncIterator[_Fragment]:
    """In order: those that the index names, several at once, then one after another."""
    reader = _Reader(read, size)
    position = start
    hints = [fragment.offset for fragment in known.fragments] if known else []
    for first in range(0, len(hints), _AT_ONCE):
        for fragment in await asyncio.gather(*map(reader.fragment, hints[first : first + _AT_ONCE])):
            if fragment is None or fragment.offset != position:
                hints.clear()
                break
            yield fragment
            position = fragment.end
        if not hints:
            break
    while fragment := await reader.fragment(position):
        yield fragment
        position = fragment.end


class _Reader:
    """Reads fragments without their media, and learns how much that is."""

    def __init__(self, read: Read, size: int) -> None:
        self._read, self._size = read, size
        self._usual = _USUAL_MOOF

    async def fragment(self, offset: int) -> _Fragment | None:
        """The one at `offset`, or None when there is no whole one that this recorder wrote."""
        left = self._size - offset
        if left < 2 * MDAT_HEADER:
            return None
        data = await self._read(offset, min(self._usual, left))
        length = int.from_bytes(data[:4], "big")
        if data[4:8] != b"moof" or not 8 < length <= min(_LARGEST_MOOF, left - MDAT_HEADER):
            return None
        media = length + MDAT_HEADER
        if media > len(data):
            data += await self._read(offset + len(data), media - len(data))
            self._usual = media + media // 4
        return self._checked(offset, data[:media], length, left)

    def _checked(self, offset: int, data: bytes, length: int, left: int) -> _Fragment | None:
        try:
            sequence, runs = unpack_moof(data[:length])
        except NotRebuildable:
            return None
        mdat = MDAT_HEADER + sum(sum(run.sizes) for run in runs)
        told = int.from_bytes(data[length : length + 4], "big")
        if (told, data[length + 4 :]) != (mdat, b"mdat") or length + mdat > left:
            return None
        return _Fragment(offset, offset + length + mdat, offset + length + MDAT_HEADER, sequence, runs)
