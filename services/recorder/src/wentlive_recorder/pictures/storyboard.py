"""Small pictures of a part at regular times, in one sprite, and the WebVTT that tells which belongs where.

However long a part becomes, there is a bounded number of them: when the sprite is full, every other one goes, and from
then on they are taken half as often.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

TRACK_CONTENT_TYPE = "text/vtt; charset=utf-8"

COLUMNS = ROWS = 10
MOST_TILES = COLUMNS * ROWS
_LONGEST_SIDE = 160
_DENSE_UNTIL_MS, _DENSE_MS, _FIRST_MS = 60_000, 5_000, 30_000
_EARLY_MS = 500
"""Keyframes do not come on the dot."""

Tile = tuple[bytes, ...]
"""Its Y, U and V planes, without padding."""
Planes = tuple[memoryview, ...]


class Tiling(NamedTuple):
    """How a picture's shape is fitted into a sprite."""

    tile_width: int
    tile_height: int

    @classmethod
    def of(cls, width: int, height: int) -> "Tiling":
        shrink = min(1.0, _LONGEST_SIDE / max(width, height, 1))
        return cls(max(2, round(width * shrink / 2) * 2), max(2, round(height * shrink / 2) * 2))


class _Plane:
    """One colour plane of the whole sprite."""

    def __init__(self, tile_width: int, tile_height: int, blank: int) -> None:
        self._tile_width, self._tile_height = tile_width, tile_height
        self._stride = tile_width * COLUMNS
        self._pixels = bytearray([blank]) * (self._stride * tile_height * ROWS)

    def put(self, slot: int, pixels: bytes) -> None:
        width = self._tile_width
        for row, start in enumerate(self._rows(slot)):
            self._pixels[start : start + width] = pixels[row * width : (row + 1) * width]

    def move(self, slot: int, target: int) -> None:
        width = self._tile_width
        for start, goal in zip(self._rows(slot), self._rows(target), strict=True):
            self._pixels[goal : goal + width] = self._pixels[start : start + width]

    def used(self, rows: int) -> memoryview:
        return memoryview(self._pixels)[: self._stride * self._tile_height * rows]

    def _rows(self, slot: int) -> range:
        row, column = divmod(slot, COLUMNS)
        first = row * self._tile_height * self._stride + column * self._tile_width
        return range(first, first + self._tile_height * self._stride, self._stride)


@dataclass(frozen=True, slots=True)
class Track:
    """When each of a sprite's pictures is the one to show."""

    tiling: Tiling
    starts: tuple[int, ...]
    """Milliseconds."""
    end: int

    def webvtt(self, image: str) -> str:
        """`image`: the sprite's name, as seen from where the track is."""
        cues = [
            f"{_timestamp(start)} --> {_timestamp(end)}\n{image}#xywh={self._area(slot)}\n"
            for slot, (start, end) in enumerate(pairwise([*self.starts, self.end]))
        ]
        return "\n".join(["WEBVTT\n", *cues])

    def _area(self, slot: int) -> str:
        row, column = divmod(slot, COLUMNS)
        wide, high = self.tiling
        return f"{column * wide},{row * high},{wide},{high}"


@dataclass(frozen=True, slots=True)
class Sheet:
    """The sprite as far as it is in use, and its track."""

    width: int
    height: int
    planes: Planes
    track: Track


class Storyboard:
    def __init__(self, width: int, height: int) -> None:
        self.tiling = Tiling.of(width, height)
        wide, high = self.tiling
        self._planes = (
            _Plane(wide, high, 0),
            _Plane(wide // 2, high // 2, 128),
            _Plane(wide // 2, high // 2, 128),
        )
        self._times: list[int] = []
        self._interval = _FIRST_MS
        self.changed = False
        """Whether there is more than the last sheet has."""
        self._told = 0

    @property
    def interval(self) -> int:
        """Milliseconds between two pictures."""
        dense = self._newest < _DENSE_UNTIL_MS and self._interval == _FIRST_MS
        return _DENSE_MS if dense else self._interval

    @property
    def _newest(self) -> int:
        return self._times[-1] if self._times else 0

    @property
    def times(self) -> tuple[int, ...]:
        return tuple(self._times)

    def wants(self, at: int) -> bool:
        return not self._times or at >= self._newest + self.interval - _EARLY_MS

    def add(self, at: int, tile: Tile) -> None:
        if len(self._times) == MOST_TILES:
            self._thin_out()
        for plane, pixels in zip(self._planes, tile, strict=True):
            plane.put(len(self._times), pixels)
        self._times.append(at)
        self.changed = True

    def worth_telling(self) -> bool:
        """Grown by a fourth since the last sheet: a long live's is not sent again for each tile."""
        return self.changed and len(self._times) >= self._told + max(self._told // 4, 4)

    def sheet(self, end: int) -> Sheet:
        """`end`: how long the part is, as far as known, in milliseconds."""
        self.changed, self._told = False, len(self._times)
        rows = -(-len(self._times) // COLUMNS)
        wide, high = self.tiling
        track = Track(self.tiling, (0, *self._times[1:]), max(end, self._newest + 1))
        return Sheet(wide * COLUMNS, high * rows, tuple(plane.used(rows) for plane in self._planes), track)

    def _thin_out(self) -> None:
        kept = self._times[::2]
        for plane in self._planes:
            for target in range(1, len(kept)):
                plane.move(2 * target, target)
        self._times = kept
        self._told //= 2
        self._interval *= 2


def _timestamp(milliseconds: int) -> str:
    seconds, milliseconds = divmod(milliseconds, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02}.{milliseconds:03}"
