"""What a fragmented MP4 says of its samples, read without its media: enough to write a standard one over some of it."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from struct import error as StructError
from struct import unpack_from

from wentlive_common.errors import InvalidInput
from wentlive_common.mp4.boxes import Box, find
from wentlive_common.mp4.run import KEY, NO_KEY, Run
from wentlive_common.mp4.track import Track

NO_SYNC = 0x00010000
"""Of a sample's flags: no place to start decoding."""
_OFFSET, _FIRST_FLAGS, _DURATIONS, _SIZES, _FLAGS, _DELAYS = 0x1, 0x4, 0x100, 0x200, 0x400, 0x800
_OWN_BASE, _DESCRIPTION, _DURATION, _SIZE, _FLAG = 0x1, 0x2, 0x8, 0x10, 0x20
_MOST_SAMPLES = 1_000_000


class UnreadableMedia(InvalidInput):
    """This part's media is not put together as is known here: it can be downloaded whole, but not be cut."""


@dataclass(frozen=True, slots=True)
class Usual:
    """What holds for a sample that says nothing itself."""

    duration: int
    size: int
    flags: int


@dataclass(frozen=True, slots=True)
class Source:
    """A track of a growing file."""

    track: Track
    usual: Usual


@dataclass(frozen=True, slots=True)
class Piece:
    """Samples that lie end to end, `offset` bytes after the beginning of their fragment."""

    run: Run
    offset: int


def sources_of(init: bytes) -> dict[int, Source]:
    """The tracks of an init segment by their numbers; raises UnreadableMedia."""
    try:
        usual = {
            number: Usual(duration, size, flags)
            for number, _, duration, size, flags in (
                unpack_from(">5I", init, extends.body + 4) for extends in find(init, b"moov", b"mvex", b"trex")
            )
        }
        tracks = [_track(init, trak) for trak in find(init, b"moov", b"trak")]
        return {track.number: Source(track, usual[track.number]) for track in tracks}
    except (StructError, StopIteration, KeyError, IndexError) as error:
        raise UnreadableMedia from error


def _track(init: bytes, trak: Box) -> Track:
    header = next(find(init, b"tkhd", within=trak))
    media = next(find(init, b"mdia", b"mdhd", within=trak))
    handler = next(find(init, b"mdia", b"hdlr", within=trak))
    description = next(find(init, b"mdia", b"minf", b"stbl", b"stsd", within=trak))
    (number,) = unpack_from(">I", init, header.body + (20 if init[header.body] else 12))
    (timescale,) = unpack_from(">I", init, media.body + (20 if init[media.body] else 12))
    shown_width, height = unpack_from(">II", init, header.end - 8)
    is_video = init[handler.body + 8 : handler.body + 12] == b"vide"
    if not timescale:
        raise UnreadableMedia
    return Track(
        number, timescale, is_video, "", init[description.start : description.end], shown_width >> 16, height >> 16,
        shown_width >> 16,
    )  # fmt: skip


def moof_size(head: bytes) -> int:
    """How long the `moof` is that begins here; raises UnreadableMedia."""
    size = int.from_bytes(head[:4])
    if head[4:8] != b"moof" or size < 16:
        raise UnreadableMedia
    return size


def pieces_of(fragment: bytes, sources: dict[int, Source]) -> list[Piece]:
    """`fragment` holds the `moof` at least; raises UnreadableMedia."""
    try:
        moof = fragment[: moof_size(fragment)]
        return [piece for traf in find(moof, b"moof", b"traf") for piece in _pieces(moof, traf, sources)]
    except (StructError, StopIteration, KeyError, IndexError) as error:
        raise UnreadableMedia from error


def begins_with_key(pieces: list[Piece], sources: dict[int, Source]) -> bool:
    """Whether one may begin to play here; where there are no pictures anywhere, one always may."""
    if not any(source.track.is_video for source in sources.values()):
        return True
    first = next((piece.run for piece in pieces if sources[piece.run.track].track.is_video), None)
    return first is not None and first.flags[0] == KEY


def _pieces(moof: bytes, traf: Box, sources: dict[int, Source]) -> Iterator[Piece]:
    number, usual = _header(moof, next(find(moof, b"tfhd", within=traf)).body, sources)
    decode = next(find(moof, b"tfdt", within=traf)).body
    (start,) = unpack_from(">Q" if moof[decode] else ">I", moof, decode + 4)
    for trun in find(moof, b"trun", within=traf):
        piece = _piece(moof, trun, Run(number, start, (), (), (), ()), usual)
        if piece.run.sizes:
            yield piece
            start = piece.run.end


def _header(moof: bytes, at: int, sources: dict[int, Source]) -> tuple[int, Usual]:
    flags, number = unpack_from(">II", moof, at)
    usual, at = sources[number].usual, at + 8
    if flags & _OWN_BASE:
        raise UnreadableMedia
    at += 4 if flags & _DESCRIPTION else 0
    for bit, name in ((_DURATION, "duration"), (_SIZE, "size"), (_FLAG, "flags")):
        if flags & bit:
            (value,) = unpack_from(">I", moof, at)
            usual, at = replace(usual, **{name: value}), at + 4
    return number, usual


def _piece(moof: bytes, trun: Box, empty: Run, usual: Usual) -> Piece:
    fields, count = unpack_from(">II", moof, trun.body)
    if not fields & _OFFSET or count > _MOST_SAMPLES:
        raise UnreadableMedia
    (offset,) = unpack_from(">i", moof, trun.body + 8)
    at, first_flags = trun.body + 12, usual.flags
    if fields & _FIRST_FLAGS:
        (first_flags,), at = unpack_from(">I", moof, at), at + 4
    named = [bit for bit in (_DURATIONS, _SIZES, _FLAGS, _DELAYS) if fields & bit]
    values = unpack_from(f">{count * len(named)}I", moof, at)
    columns = {bit: values[place :: len(named)] for place, bit in enumerate(named)}
    flags = list(columns.get(_FLAGS) or (usual.flags,) * count)
    if count and _FLAGS not in columns:
        flags[0] = first_flags
    run = replace(
        empty,
        durations=columns.get(_DURATIONS) or (usual.duration,) * count,
        sizes=columns.get(_SIZES) or (usual.size,) * count,
        flags=[NO_KEY if flag & NO_SYNC else KEY for flag in flags],
        delays=[delay - (delay >> 31 << 32) for delay in columns.get(_DELAYS, (0,) * count)],
    )
    return Piece(run, offset)
