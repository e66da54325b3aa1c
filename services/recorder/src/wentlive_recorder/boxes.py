"""The little of MP4's box structure that the recorder reads back: where fragments lie and how long they play."""

from collections.abc import Iterator
from dataclasses import dataclass

_HEADER = 8
_TFHD_BASE_OFFSET, _TFHD_DESCRIPTION, _TFHD_DURATION = 0x1, 0x2, 0x8
_TRUN_DATA_OFFSET, _TRUN_FIRST_FLAGS, _TRUN_DURATION = 0x1, 0x4, 0x100
_TRUN_FIELDS = (0x100, 0x200, 0x400, 0x800)


@dataclass(frozen=True, slots=True)
class Box:
    kind: bytes
    start: int
    end: int
    body: int
    """Where the content begins, after the header."""


def boxes(data: bytes | bytearray, start: int = 0, end: int | None = None) -> Iterator[Box]:
    """The complete boxes side by side in `data`; stops before one that is cut short or makes no sense."""
    end = len(data) if end is None else end
    while start + _HEADER <= end:
        size = _uint(data, start, 4)
        body = start + _HEADER
        if size == 1:
            size = _uint(data, body, 8)
            body += 8
        if size < body - start or start + size > end:
            return
        yield Box(bytes(data[start + 4 : start + 8]), start, start + size, body)
        start += size


def find(data: bytes | bytearray, *path: bytes, within: Box | None = None) -> Iterator[Box]:
    """Every box at a path such as `moov`, `trak`."""
    start, end = (within.body, within.end) if within else (0, len(data))
    for box in boxes(data, start, end):
        if box.kind == path[0]:
            if len(path) == 1:
                yield box
            else:
                yield from find(data, *path[1:], within=box)


@dataclass(frozen=True, slots=True)
class Track:
    number: int
    timescale: int
    is_video: bool


def tracks(init: bytes) -> tuple[Track, ...]:
    """The tracks that an init segment declares."""
    return tuple(_track(init, box) for box in find(init, b"moov", b"trak"))


def _track(init: bytes, trak: Box) -> Track:
    header = next(find(init, b"tkhd", within=trak)).body
    media = next(find(init, b"mdia", b"mdhd", within=trak)).body
    handler = next(find(init, b"mdia", b"hdlr", within=trak)).body
    wide = init[header] == 1, init[media] == 1
    return Track(
        number=_uint(init, header + (20 if wide[0] else 12), 4),
        timescale=_uint(init, media + (20 if wide[1] else 12), 4),
        is_video=init[handler + 8 : handler + 12] == b"vide",
    )


def fragment_duration(moof: bytes, declared: tuple[Track, ...]) -> float:
    """Seconds that a fragment plays: its video's, or its sound's when it holds no video."""
    by_number = {track.number: track for track in declared}
    seconds = {True: 0.0, False: 0.0}
    for traf in find(moof, b"moof", b"traf"):
        number, default = _track_fragment_header(moof, next(find(moof, b"tfhd", within=traf)).body)
        track = by_number[number]
        ticks = sum(_run_duration(moof, run.body, default) for run in find(moof, b"trun", within=traf))
        seconds[track.is_video] = max(seconds[track.is_video], ticks / track.timescale)
    return seconds[True] or seconds[False]


def _track_fragment_header(data: bytes, body: int) -> tuple[int, int]:
    """Track number and default sample duration."""
    flags = _uint(data, body + 1, 3)
    position = body + 8
    position += 8 if flags & _TFHD_BASE_OFFSET else 0
    position += 4 if flags & _TFHD_DESCRIPTION else 0
    return _uint(data, body + 4, 4), _uint(data, position, 4) if flags & _TFHD_DURATION else 0


def _run_duration(data: bytes, body: int, default: int) -> int:
    flags, count = _uint(data, body + 1, 3), _uint(data, body + 4, 4)
    if not flags & _TRUN_DURATION:
        return default * count
    first = body + 8 + 4 * bool(flags & _TRUN_DATA_OFFSET) + 4 * bool(flags & _TRUN_FIRST_FLAGS)
    stride = 4 * sum(bool(flags & field) for field in _TRUN_FIELDS)
    return sum(_uint(data, first + index * stride, 4) for index in range(count))


def _uint(data: bytes | bytearray, position: int, size: int) -> int:
    return int.from_bytes(data[position : position + size], "big")
