"""What an MP4 says of a track before its first sample: how it is coded, and how fast its clock runs."""

from collections.abc import Iterator
from struct import error as StructError
from struct import unpack_from

from wentlive_common.mp4.boxes import Box, box, boxes, find, full_box
from wentlive_common.mp4.track import Track

from wentlive_recorder.errors import NotRebuildable
from wentlive_recorder.mp4.aac import Sound
from wentlive_recorder.mp4.picture import Picture
from wentlive_recorder.samples import AudioConfig, VideoConfig

VIDEO_TIMESCALE = 90_000
"""Milliseconds are exact in it."""
_VIDEO_ENTRY, _AUDIO_ENTRY = 78, 28
"""Bytes in a sample entry before the boxes in it."""
_ES, _DECODER, _SPECIFIC = 3, 4, 5


def video_track(number: int, config: VideoConfig, picture: Picture) -> Track:
    kind, record = (b"avc1", b"avcC") if config.codec_id == "avc" else (b"hvc1", b"hvcC")
    width, height, (across, down) = picture
    aspect = b"" if across == down else box(b"pasp", across.to_bytes(4, "big"), down.to_bytes(4, "big"))
    entry = box(
        kind, bytes(6), b"\x00\x01", bytes(16), width.to_bytes(2, "big"), height.to_bytes(2, "big"),
        b"\x00\x48\x00\x00" * 2, bytes(4), b"\x00\x01", bytes(32), b"\x00\x18\xff\xff", box(record, config.data),
        aspect,
    )  # fmt: skip
    shown_width = min(round(width * across / down), 0xFFFF)
    return Track(number, VIDEO_TIMESCALE, True, config.codec, _stsd(entry), width, height, shown_width)


def audio_track(number: int, config: AudioConfig, sound: Sound) -> Track:
    entry = box(
        b"mp4a", bytes(6), b"\x00\x01", bytes(8), sound.channels.to_bytes(2, "big"), b"\x00\x10", bytes(4),
        (min(sound.rate, 0xFFFF) << 16).to_bytes(4, "big"), _esds(number, config.data),
    )  # fmt: skip
    return Track(number, sound.rate, False, config.codec, _stsd(entry))


def _stsd(entry: bytes) -> bytes:
    return full_box(b"stsd", 0, 0, b"\x00\x00\x00\x01", entry)


def _esds(number: int, config: bytes) -> bytes:
    decoder = _descriptor(_DECODER, b"\x40\x15", bytes(11), _descriptor(_SPECIFIC, config))
    stream = _descriptor(_ES, number.to_bytes(2, "big"), b"\x00", decoder, _descriptor(6, b"\x02"))
    return full_box(b"esds", 0, 0, stream)


def _descriptor(tag: int, *contents: bytes) -> bytes:
    body = b"".join(contents)
    size = len(body)
    return bytes([tag, size >> 21 & 127 | 128, size >> 14 & 127 | 128, size >> 7 & 127 | 128, size & 127]) + body


def tracks_of(init: bytes) -> tuple[Track, ...]:
    """The tracks that this recorder wrote into an init segment; raises NotRebuildable for any other."""
    try:
        return tuple(_track(init, trak) for trak in find(init, b"moov", b"trak"))
    except (StructError, IndexError, ValueError) as error:
        raise NotRebuildable from error


def _track(init: bytes, trak: Box) -> Track:
    header = _only(find(init, b"tkhd", within=trak)).body
    media = _only(find(init, b"mdia", b"mdhd", within=trak)).body
    description = _only(find(init, b"mdia", b"minf", b"stbl", b"stsd", within=trak))
    entry = _only(boxes(init, description.body + 8, description.end))
    (number,), (timescale,) = unpack_from(">I", init, header + 20), unpack_from(">I", init, media + 20)
    stsd = init[description.start : description.end]
    if (init[header], init[media]) != (1, 1) or not timescale:
        raise NotRebuildable
    if entry.kind == b"mp4a":
        return Track(number, timescale, False, _audio_codec(init, entry), stsd)
    width, height = unpack_from(">HH", init, entry.body + 24)
    (shown_width,) = unpack_from(">H", init, header + 88)
    return Track(number, timescale, True, _video_codec(init, entry), stsd, width, height, shown_width)


def _video_codec(init: bytes, entry: Box) -> str:
    record = _only(boxes(init, entry.body + _VIDEO_ENTRY, entry.end))
    data = init[record.body : record.end]
    if entry.kind == b"avc1" and record.kind == b"avcC":
        return VideoConfig(data, "avc").codec
    if entry.kind == b"hvc1" and record.kind == b"hvcC":
        return VideoConfig(data, "hevc").codec
    raise NotRebuildable


def _audio_codec(init: bytes, entry: Box) -> str:
    """Finds the AudioSpecificConfig in its nested descriptors, whose headers have five bytes each."""
    esds = _only(boxes(init, entry.body + _AUDIO_ENTRY, entry.end)).body + 4
    decoder, specific = esds + 5 + 3, esds + 5 + 3 + 5 + 13
    if (init[esds], init[decoder], init[specific]) != (_ES, _DECODER, _SPECIFIC):
        raise NotRebuildable
    return AudioConfig(init[specific + 5 : entry.end]).codec


def _only(found: Iterator[Box]) -> Box:
    for one in found:
        return one
    raise NotRebuildable
