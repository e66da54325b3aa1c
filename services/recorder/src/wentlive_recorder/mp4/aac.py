"""What an AudioSpecificConfig says of the sound: how fast it runs, and what silence looks like in it."""

from typing import NamedTuple

from wentlive_recorder.errors import MuxFailed
from wentlive_recorder.mp4.bits import Bits
from wentlive_recorder.samples import AudioConfig

_RATES = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350)
_EXPLICIT_RATE = 15
_ESCAPED_KIND = 31
_MAIN, _LOW_COMPLEXITY, _LONG_TERM = 1, 2, 4
_REPLICATED, _PARAMETRIC = 5, 29
_LOW_DELAY, _ENHANCED_LOW_DELAY = 23, 39
_CHANNELS = (2, 1, 2, 3, 4, 5, 6, 8)
"""By channel configuration; the first one is spelled out elsewhere in the stream."""
_SILENCE = {1: bytes.fromhex("01182007"), 2: bytes.fromhex("211004608c1c")}
"""Whole frames in which no band is coded; any sample rate may play them."""


class Sound(NamedTuple):
    rate: int
    """Of the core coder, in which a frame lasts `frame` samples, whatever a decoder makes of it."""
    channels: int
    frame: int
    silence: bytes | None
    """A frame of it, where one is known."""


def sound(config: AudioConfig) -> Sound:
    """ISO/IEC 14496-3, 1.6.2.1; raises MuxFailed when the configuration names no sample rate."""
    bits = Bits(config.data)
    try:
        kind, rate, channels = _kind(bits), _rate(bits), bits.read(4)
        if kind in (_REPLICATED, _PARAMETRIC):
            _rate(bits)
            kind = _kind(bits)
        shorter = bits.read(1)
    except ValueError as error:
        raise MuxFailed(f"The stream's AAC configuration is damaged: {error}") from error
    frame = 512 if kind in (_LOW_DELAY, _ENHANCED_LOW_DELAY) else 1024
    if shorter and kind in (_MAIN, _LOW_COMPLEXITY, _LONG_TERM, _LOW_DELAY, _ENHANCED_LOW_DELAY):
        frame = frame * 15 // 16
    known = kind == _LOW_COMPLEXITY and frame == 1024
    return Sound(
        rate, _CHANNELS[channels] if channels < len(_CHANNELS) else 2, frame, _SILENCE.get(channels) if known else None
    )


def _kind(bits: Bits) -> int:
    kind = bits.read(5)
    return 32 + bits.read(6) if kind == _ESCAPED_KIND else kind


def _rate(bits: Bits) -> int:
    index = bits.read(4)
    rate = bits.read(24) if index == _EXPLICIT_RATE else _RATES[index] if index < len(_RATES) else 0
    if not rate:
        raise ValueError("it names no sample rate")
    return rate
