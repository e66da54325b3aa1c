"""How large the picture is, by its sequence parameter set: a track's header says it before any frame is decoded."""

from collections.abc import Callable
from typing import NamedTuple

from wentlive_recorder.errors import MuxFailed
from wentlive_recorder.mp4.bits import Bits, payload
from wentlive_recorder.mp4.hevc_sets import skip_to_usability
from wentlive_recorder.parameter_sets import sequence_set
from wentlive_recorder.samples import VideoConfig

_AVC_HEADER, _HEVC_HEADER = 1, 2
_MOST = 16_384
_HIGH_PROFILES = frozenset({44, 83, 86, 100, 110, 118, 122, 128, 134, 135, 138, 139, 244})
_MONOCHROME, _FULL_CHROMA = 0, 3
_CROP_UNITS = {1: (2, 2), 2: (2, 1)}
"""Horizontal and vertical, by chroma format; one pixel in the others."""
_MOST_CYCLE = 255
_SPELLED_OUT = 255
_SQUARE = (1, 1)
_ASPECTS = (
    (1, 1), (1, 1), (12, 11), (10, 11), (16, 11), (40, 33), (24, 11), (20, 11), (32, 11), (80, 33), (18, 11), (15, 11),
    (64, 33), (160, 99), (4, 3), (3, 2), (2, 1),
)  # fmt: skip
"""A pixel's width to its height, by ITU-T H.264, table E-1; the same in H.265."""


class Picture(NamedTuple):
    width: int
    height: int
    aspect: tuple[int, int] = _SQUARE
    """A pixel's width to its height."""


def picture(config: VideoConfig) -> Picture:
    """In pixels, as shown; raises MuxFailed or CorruptFlv when the configuration does not say."""
    try:
        sps = sequence_set(config)
        found = _avc(payload(sps, _AVC_HEADER)) if config.codec_id == "avc" else _hevc(payload(sps, _HEVC_HEADER))
    except ValueError as error:
        raise MuxFailed(f"The stream's configuration does not say how large the picture is: {error}") from error
    if not (0 < found.width <= _MOST and 0 < found.height <= _MOST):
        raise MuxFailed(f"The stream claims a picture of {found.width}x{found.height}.")
    return found


def _avc(bits: Bits) -> Picture:
    """ITU-T H.264, 7.3.2.1.1."""
    profile = bits.read(8)
    bits.skip(16)
    bits.golomb()
    chroma = _avc_chroma(bits) if profile in _HIGH_PROFILES else 1
    bits.golomb()
    _skip_picture_order(bits)
    bits.golomb()
    bits.skip(1)
    width, map_height = (bits.golomb() + 1) * 16, (bits.golomb() + 1) * 16
    frames_only = bits.read(1)
    bits.skip(1 if frames_only else 2)
    fields = 2 - frames_only
    across, down = _CROP_UNITS.get(chroma, (1, 1))
    width, height = _cropped(bits, width, map_height * fields, across, down * fields)
    return Picture(width, height, _aspect(bits, lambda: bool(bits.read(1))))


def _avc_chroma(bits: Bits) -> int:
    """The chroma format, or none where the colours are coded like pictures of their own."""
    chroma = bits.golomb()
    separate = bits.read(1) if chroma == _FULL_CHROMA else 0
    bits.golomb()
    bits.golomb()
    bits.skip(1)
    if bits.read(1):
        for index in range(12 if chroma == _FULL_CHROMA else 8):
            if bits.read(1):
                _skip_scaling_list(bits, 16 if index < 6 else 64)
    return _MONOCHROME if separate else chroma


def _skip_scaling_list(bits: Bits, size: int) -> None:
    last = following = 8
    for _ in range(size):
        if following:
            following = (last + bits.signed_golomb()) % 256
        last = following or last


def _skip_picture_order(bits: Bits) -> None:
    kind = bits.golomb()
    if kind == 0:
        bits.golomb()
    elif kind == 1:
        bits.skip(1)
        bits.golomb()
        bits.golomb()
        cycle = bits.golomb()
        if cycle > _MOST_CYCLE:
            raise ValueError("a cycle is too long")
        for _ in range(cycle):
            bits.golomb()


def _hevc(bits: Bits) -> Picture:
    """ITU-T H.265, 7.3.2.2.1."""
    bits.skip(4)
    layers = bits.read(3)
    bits.skip(1)
    _skip_profile_tier_level(bits, layers)
    bits.golomb()
    chroma = bits.golomb()
    if chroma == _FULL_CHROMA and bits.read(1):
        chroma = _MONOCHROME
    width, height = bits.golomb(), bits.golomb()
    across, down = _CROP_UNITS.get(chroma, (1, 1))
    width, height = _cropped(bits, width, height, across, down)
    return Picture(width, height, _aspect(bits, lambda: skip_to_usability(bits, layers)))


def _skip_profile_tier_level(bits: Bits, layers: int) -> None:
    bits.skip(96)
    present = [(bits.read(1), bits.read(1)) for _ in range(layers)]
    if layers:
        bits.skip(2 * (8 - layers))
    for profile, level in present:
        bits.skip(88 * profile + 8 * level)


def _cropped(bits: Bits, width: int, height: int, across: int, down: int) -> tuple[int, int]:
    if not bits.read(1):
        return width, height
    left, right, top, bottom = (bits.golomb() for _ in range(4))
    return width - across * (left + right), height - down * (top + bottom)


def _aspect(bits: Bits, present: Callable[[], bool]) -> tuple[int, int]:
    """From the usability information; a decoder finds it anyway, so that one that cannot be read is none."""
    try:
        found = _read_aspect(bits) if present() else _SQUARE
    except ValueError:
        return _SQUARE
    return found if all(found) else _SQUARE


def _read_aspect(bits: Bits) -> tuple[int, int]:
    if not bits.read(1):
        return _SQUARE
    index = bits.read(8)
    if index == _SPELLED_OUT:
        return bits.read(16), bits.read(16)
    return _ASPECTS[index] if index < len(_ASPECTS) else _SQUARE
