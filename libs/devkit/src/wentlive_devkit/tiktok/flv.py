"""FLV tags written by hand, so that a looped clip can carry continuous timestamps."""

import struct
from dataclasses import dataclass

AUDIO = 8
VIDEO = 9
SCRIPT = 18

_AAC_STEREO_16_BIT = 0xAF
_AVC_KEYFRAME = 0x17
_AVC_INTERFRAME = 0x27
_KEY, _INTER = 0x10, 0x20
_ENHANCED = 0x80
_CODED_X = 3
_LEGACY_HEVC = 12


@dataclass(frozen=True, slots=True)
class Sample:
    """One encoded frame as an FLV tag's body, at its place in the clip."""

    at_ms: int
    kind: int
    keyframe: bool
    body: bytes


def file_header(*, video: bool) -> bytes:
    return b"FLV\x01" + bytes([0x05 if video else 0x04]) + b"\x00\x00\x00\x09" + b"\x00\x00\x00\x00"


def tag(kind: int, timestamp_ms: int, body: bytes) -> bytes:
    """One tag with its trailing size; the timestamp wraps after 2^32 ms as in every FLV."""
    stamp = timestamp_ms & 0xFFFFFFFF
    head = struct.pack(
        ">B3s3sB3s",
        kind,
        len(body).to_bytes(3, "big"),
        (stamp & 0xFFFFFF).to_bytes(3, "big"),
        stamp >> 24,
        b"\x00\x00\x00",
    )
    return head + body + struct.pack(">I", len(head) + len(body))


def avc_header_body(config: bytes) -> bytes:
    """The sequence header that carries an AVCDecoderConfigurationRecord."""
    return bytes([_AVC_KEYFRAME, 0, 0, 0, 0]) + config


def avc_frame_body(frame: bytes, *, keyframe: bool) -> bytes:
    """Length-prefixed NAL units; no B-frames, so the composition time is zero."""
    return bytes([_AVC_KEYFRAME if keyframe else _AVC_INTERFRAME, 1, 0, 0, 0]) + frame


def hevc_header_body(config: bytes) -> bytes:
    """Enhanced FLV: the sequence header that carries an HEVCDecoderConfigurationRecord."""
    return bytes([_ENHANCED | _KEY, *b"hvc1"]) + config


def hevc_frame_body(frame: bytes, *, keyframe: bool) -> bytes:
    """Enhanced FLV's CodedFramesX, which has no composition time."""
    return bytes([_ENHANCED | (_KEY if keyframe else _INTER) | _CODED_X, *b"hvc1"]) + frame


def legacy_hevc_header_body(config: bytes) -> bytes:
    """As H.264's, under the codec id that Chinese CDNs gave to H.265."""
    return bytes([_KEY | _LEGACY_HEVC, 0, 0, 0, 0]) + config


def legacy_hevc_frame_body(frame: bytes, *, keyframe: bool) -> bytes:
    return bytes([(_KEY if keyframe else _INTER) | _LEGACY_HEVC, 1, 0, 0, 0]) + frame


def aac_header_body(config: bytes) -> bytes:
    return bytes([_AAC_STEREO_16_BIT, 0]) + config


def aac_frame_body(frame: bytes) -> bytes:
    return bytes([_AAC_STEREO_16_BIT, 1]) + frame


def metadata_body(values: dict[str, float]) -> bytes:
    """`onMetaData` in AMF0, numbers only."""
    entries = b"".join(_amf_name(name) + b"\x00" + struct.pack(">d", value) for name, value in values.items())
    return b"\x02" + _amf_name("onMetaData") + b"\x08" + struct.pack(">I", len(values)) + entries + b"\x00\x00\x09"


def _amf_name(name: str) -> bytes:
    encoded = name.encode()
    return struct.pack(">H", len(encoded)) + encoded
