"""From the byte stream that x265 writes to the length-prefixed form and the `hvcC` that FLV and MP4 carry."""

import re
import struct

_START_CODE = re.compile(rb"\x00*\x00\x00\x01")
_PARAMETER_SETS = (32, 33, 34)
_SPS = 33
_NOTES = (35, 39, 40)
_PROFILE_BYTES = 12


def configuration(extradata: bytes) -> bytes:
    """An HEVCDecoderConfigurationRecord from Annex B parameter sets of 4:2:0 video in 8 bits, one temporal layer."""
    units = _units(extradata)
    sps = next(unit for unit in units if _kind(unit) == _SPS)
    # Behind the unit's header and one byte of ids: profile, compatibility, constraints and level.
    profile = sps.replace(b"\x00\x00\x03", b"\x00\x00")[3 : 3 + _PROFILE_BYTES]
    fixed = struct.pack(">HBBBBHB", 0xF000, 0xFC, 0xFC | 1, 0xF8, 0xF8, 0, 0x0F)
    arrays = [b"".join((b"\x01", profile, fixed, bytes([len(_PARAMETER_SETS)])))]
    for kind in _PARAMETER_SETS:
        sets = [unit for unit in units if _kind(unit) == kind]
        arrays.append(struct.pack(">BH", 0x80 | kind, len(sets)))
        arrays += [struct.pack(">H", len(unit)) + unit for unit in sets]
    return b"".join(arrays)


def length_prefixed(frame: bytes) -> bytes:
    """The frame's NAL units with 4-byte lengths, without the encoder's notes and the parameter sets."""
    left_out = (*_PARAMETER_SETS, *_NOTES)
    kept = (unit for unit in _units(frame) if _kind(unit) not in left_out)
    return b"".join(struct.pack(">I", len(unit)) + unit for unit in kept)


def _kind(unit: bytes) -> int:
    return unit[0] >> 1 & 0x3F


def _units(data: bytes) -> list[bytes]:
    return [unit for unit in _START_CODE.split(data) if unit]
