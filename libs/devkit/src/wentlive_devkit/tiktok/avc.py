"""From the byte stream that x264 writes to the length-prefixed form that FLV and MP4 carry."""

import re
import struct

_START_CODE = re.compile(rb"\x00*\x00\x00\x01")
_SEI = 6
_SPS = 7
_PPS = 8


def configuration(extradata: bytes) -> bytes:
    """An AVCDecoderConfigurationRecord from Annex B parameter sets (Baseline or Main, which need no more)."""
    units = _units(extradata)
    sps = next(unit for unit in units if unit[0] & 0x1F == _SPS)
    pps = next(unit for unit in units if unit[0] & 0x1F == _PPS)
    return b"".join(
        (b"\x01", sps[1:4], b"\xff\xe1", struct.pack(">H", len(sps)), sps, b"\x01", struct.pack(">H", len(pps)), pps)
    )


def length_prefixed(frame: bytes) -> bytes:
    """The frame's NAL units with 4-byte lengths, without the encoder's notes."""
    kept = (unit for unit in _units(frame) if unit[0] & 0x1F != _SEI)
    return b"".join(struct.pack(">I", len(unit)) + unit for unit in kept)


def _units(data: bytes) -> list[bytes]:
    return [unit for unit in _START_CODE.split(data) if unit]
