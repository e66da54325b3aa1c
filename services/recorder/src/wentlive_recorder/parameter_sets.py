"""The parameter sets inside `avcC` and `hvcC`: a stream may change them in mid-stream without a new sequence header."""

from collections.abc import Iterable, Iterator, Sequence

from wentlive_recorder.errors import CorruptFlv
from wentlive_recorder.samples import CodecId, VideoConfig

_AVC_SPS, _AVC_PPS = 7, 8
_HEVC_VPS, _HEVC_SPS, _HEVC_PPS = 32, 33, 34
_KINDS: dict[CodecId, tuple[int, ...]] = {
    "avc": (_AVC_SPS, _AVC_PPS),
    "hevc": (_HEVC_VPS, _HEVC_SPS, _HEVC_PPS),
}
_AVC_HEAD, _HEVC_HEAD = 6, 23
_MOST_SETS = 31
_MOST_ARRAYS = 16
_PROFILE_TIER_LEVEL = slice(3, 15)
"""Within an HEVC SPS: after the NAL unit's header and the byte with the number of sub-layers."""

Sets = dict[int, list[bytes]]
"""Parameter sets by the kind of their NAL unit, in the record's order."""


def nal_kind(codec_id: CodecId, first: int) -> int:
    return first & 0x1F if codec_id == "avc" else first >> 1 & 0x3F


def is_parameter_set(codec_id: CodecId, first: int) -> bool:
    return nal_kind(codec_id, first) in _KINDS[codec_id]


def parsed(config: VideoConfig) -> tuple[VideoConfig, Sets]:
    """The record, without zeros that were left behind its sets, and what it holds.

    Raises CorruptFlv when it is damaged or does not tell the picture's size.
    """
    raw = _raw_sets(config)
    sets = {kind: [unit.rstrip(b"\x00") for unit in units] for kind, units in raw.items()}
    return (config if sets == raw else _rebuilt(config, sets)), sets


def _raw_sets(config: VideoConfig) -> Sets:
    sets: Sets = {}
    try:
        found = _avc_units(config.data) if config.codec_id == "avc" else _hevc_units(config.data)
        for kind, unit in found:
            sets.setdefault(kind, []).append(unit)
    except (IndexError, ValueError) as error:
        raise CorruptFlv(f"The video's sequence header is damaged: {error}") from error
    if not sets.get(_AVC_SPS if config.codec_id == "avc" else _HEVC_SPS):
        raise CorruptFlv("The video's sequence header is damaged: it does not tell the size of the picture.")
    return sets


def sequence_set(config: VideoConfig) -> bytes:
    """The first of those that tell how large the picture is; raises CorruptFlv as `parsed` does."""
    return _raw_sets(config)[_AVC_SPS if config.codec_id == "avc" else _HEVC_SPS][0]


def updated(config: VideoConfig, sets: Sets, found: Iterable[bytes]) -> VideoConfig:
    """The configuration with the sets that a keyframe brings along; the same one when it knows them all."""
    news: Sets = {}
    for unit in filter(None, (unit.rstrip(b"\x00") for unit in found)):
        news.setdefault(nal_kind(config.codec_id, unit[0]), []).append(unit)
    if all(unit in sets.get(kind, ()) for kind, units in news.items() for unit in units):
        return config
    merged = {**sets, **{kind: _unique(units) for kind, units in news.items()}}
    return _rebuilt(config, merged)


def _rebuilt(config: VideoConfig, sets: Sets) -> VideoConfig:
    data = _avc_record(config.data, sets) if config.codec_id == "avc" else _hevc_record(config.data, sets)
    return VideoConfig(data, config.codec_id)


def _unique(units: Sequence[bytes]) -> list[bytes]:
    return list(dict.fromkeys(units))[:_MOST_SETS]


def _avc_units(data: bytes) -> Iterator[tuple[int, bytes]]:
    if len(data) < _AVC_HEAD + 1 or data[0] != 1:
        raise ValueError("it is no avcC")
    position = _AVC_HEAD
    for _ in range(data[5] & 0x1F):
        unit, position = _counted(data, position)
        yield _AVC_SPS, unit
    count = data[position]
    position += 1
    for _ in range(count):
        unit, position = _counted(data, position)
        yield _AVC_PPS, unit


def _hevc_units(data: bytes) -> Iterator[tuple[int, bytes]]:
    if len(data) < _HEVC_HEAD or data[0] > 1:
        raise ValueError("it is no hvcC")
    position = _HEVC_HEAD
    for _ in range(min(data[22], _MOST_ARRAYS)):
        kind, count = data[position] & 0x3F, int.from_bytes(data[position + 1 : position + 3], "big")
        position += 3
        for _ in range(count):
            unit, position = _counted(data, position)
            yield kind, unit


def _counted(data: bytes, position: int) -> tuple[bytes, int]:
    size = int.from_bytes(data[position : position + 2], "big")
    end = position + 2 + size
    if not size or end > len(data):
        raise ValueError("a parameter set is cut short")
    return data[position + 2 : end], end


def _avc_record(old: bytes, sets: Sets) -> bytes:
    sps, pps = sets[_AVC_SPS], sets.get(_AVC_PPS, [])
    if len(sps[0]) < 4:
        raise CorruptFlv("A keyframe's sequence parameter set is cut short.")
    # The high profiles' last bytes say how colours are sampled; they hold as long as the profile does.
    extension = _avc_extension(old) if sps[0][1] == old[1] else b""
    head = old[:1] + sps[0][1:4] + old[4:5]
    lists = (bytes([0xE0 | len(sps)]), *map(_with_size, sps), bytes([len(pps)]), *map(_with_size, pps))
    return b"".join((head, *lists, extension))


def _avc_extension(old: bytes) -> bytes:
    used = _AVC_HEAD + 1 + sum(2 + len(unit) for _, unit in _avc_units(old))
    return old[used:]


def _hevc_record(old: bytes, sets: Sets) -> bytes:
    level = sets[_HEVC_SPS][0].replace(b"\x00\x00\x03", b"\x00\x00")[_PROFILE_TIER_LEVEL]
    if len(level) < 12:
        raise CorruptFlv("A keyframe's sequence parameter set is cut short.")
    arrays = [
        bytes([0x80 | kind]) + len(units).to_bytes(2, "big") + b"".join(map(_with_size, units))
        for kind, units in sorted(sets.items())
    ]
    return b"".join((old[:1], level, old[13:22], bytes([len(arrays)]), *arrays))


def _with_size(unit: bytes) -> bytes:
    if len(unit) > 0xFFFF:
        raise CorruptFlv("A keyframe's parameter set is far too large.")
    return len(unit).to_bytes(2, "big") + unit
