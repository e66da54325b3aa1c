"""The head of a part while it grows, and what makes a standard file of it: another head, and the full `moov`."""

from collections.abc import Sequence

from wentlive_common.mp4.boxes import Piece, box, full_box, long_box
from wentlive_common.mp4.sample_table import SampleTable
from wentlive_common.mp4.track import Track

_TIMESCALE = 1_000
_MATRIX = b"".join(number.to_bytes(4, "big") for number in (0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000))
_ONE = b"\x00\x01\x00\x00"
_UNDETERMINED = b"\x55\xc4\x00\x00"
_FTYP = box(b"ftyp", b"isom", (512).to_bytes(4, "big"), b"isomiso6iso2avc1mp41")
_RESERVED = box(b"free", bytes(8))
"""Sixteen bytes, which become the header of an `mdat` over everything after them."""
_NO_SAMPLES = (
    full_box(b"stts", 0, 0, bytes(4)),
    full_box(b"stsc", 0, 0, bytes(4)),
    full_box(b"stsz", 0, 0, bytes(8)),
    full_box(b"stco", 0, 0, bytes(4)),
)
HEAD = _FTYP + _RESERVED
"""What every part begins with while it grows."""
FINISHED_HEAD = _FTYP + b"\x00\x00\x00\x01mdat"
"""And what every finished one begins with."""


def init_segment(tracks: Sequence[Track]) -> bytes:
    """Everything before the first fragment."""
    traks: list[bytes] = []
    for track in tracks:
        stbl = box(b"stbl", track.description, *_NO_SAMPLES)
        media = box(b"mdia", _media_headers(track, 0), box(b"minf", _information_headers(track), stbl))
        traks.append(box(b"trak", _track_header(track, 0), media))
    extends = [full_box(b"trex", 0, 0, _number(track.number), _number(1), bytes(12)) for track in tracks]
    return HEAD + box(b"moov", _movie_header(tracks, 0), *traks, box(b"mvex", *extends))


def finished_head(end: int) -> bytes:
    """What a finished file of `end` bytes before its `moov` begins with: one `mdat` around all of it."""
    return FINISHED_HEAD + (end - len(_FTYP)).to_bytes(8, "big")


def movie(tables: Sequence[SampleTable]) -> list[Piece]:
    """The `moov` of tables that have samples."""
    if not tables:
        return []
    tracks = [table.track for table in tables]
    traks = [_trak(table) for table in tables]
    return long_box(b"moov", [_movie_header(tracks, max(map(_until, tables)))], *traks)


def _trak(table: SampleTable) -> list[Piece]:
    track = table.track
    wait = _movie_time(table, table.start or 0)
    edits = [_edit_list(wait, _movie_time(table, table.shown))] if wait else []
    information = long_box(b"minf", [_information_headers(track)], table.boxes())
    media = long_box(b"mdia", [_media_headers(track, table.duration)], information)
    return long_box(b"trak", [_track_header(track, _until(table))], edits, media)


def _edit_list(wait: int, duration: int) -> bytes:
    """Nothing for as long as the track starts late, then all of it."""
    entries = wait.to_bytes(8, "big"), b"\xff" * 8, _ONE, duration.to_bytes(8, "big"), bytes(8), _ONE
    return box(b"edts", full_box(b"elst", 1, 0, _number(2), *entries))


def _movie_header(tracks: Sequence[Track], duration: int) -> bytes:
    return full_box(
        b"mvhd", 1, 0, bytes(16), _number(_TIMESCALE), duration.to_bytes(8, "big"), _ONE, b"\x01\x00", bytes(10),
        _MATRIX, bytes(24), _number(max(track.number for track in tracks) + 1),
    )  # fmt: skip


def _track_header(track: Track, duration: int) -> bytes:
    """`duration` by the movie's clock."""
    volume = bytes(2) if track.is_video else b"\x01\x00"
    return full_box(
        b"tkhd", 1, 3, bytes(16), _number(track.number), bytes(4), duration.to_bytes(8, "big"), bytes(12), volume,
        bytes(2), _MATRIX, _number(track.shown_width << 16), _number(track.height << 16),
    )  # fmt: skip


def _media_headers(track: Track, duration: int) -> bytes:
    """`duration` by the track's clock."""
    kind, name = (b"vide", b"Video\x00") if track.is_video else (b"soun", b"Sound\x00")
    timing = _number(track.timescale) + duration.to_bytes(8, "big")
    header = full_box(b"mdhd", 1, 0, bytes(16), timing, _UNDETERMINED)
    return header + full_box(b"hdlr", 0, 0, bytes(4), kind, bytes(12), name)


def _information_headers(track: Track) -> bytes:
    kind = full_box(b"vmhd", 0, 1, bytes(8)) if track.is_video else full_box(b"smhd", 0, 0, bytes(4))
    return kind + box(b"dinf", full_box(b"dref", 0, 0, _number(1), full_box(b"url ", 0, 1)))


def _until(table: SampleTable) -> int:
    """By the movie's clock."""
    return _movie_time(table, (table.start or 0) + table.duration)


def _movie_time(table: SampleTable, ticks: int) -> int:
    return round(ticks * _TIMESCALE / table.track.timescale)


def _number(value: int) -> bytes:
    return value.to_bytes(4, "big")
