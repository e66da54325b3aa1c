"""Codec configurations and samples: what every input becomes, and all that the recorder knows of it."""

from typing import Literal, NamedTuple

CodecId = Literal["avc", "hevc"]


class VideoConfig(NamedTuple):
    """`avcC` or `hvcC`: one track holds what was encoded while this stayed byte for byte the same."""

    data: bytes
    codec_id: CodecId = "avc"

    @property
    def codec(self) -> str:
        """RFC 6381, such as `avc1.64001f` or `hvc1.1.6.L93.B0`."""
        return f"avc1.{self.data[1:4].hex()}" if self.codec_id == "avc" else f"hvc1.{_hevc_profile(self.data)}"

    @property
    def length_size(self) -> int:
        return (self.data[4 if self.codec_id == "avc" else 21] & 3) + 1


class AudioConfig(NamedTuple):
    """AAC's AudioSpecificConfig."""

    data: bytes

    @property
    def codec(self) -> str:
        """RFC 6381, such as `mp4a.40.2`."""
        kind = self.data[0] >> 3
        if kind == 31:
            kind = 32 + ((self.data[0] & 7) << 3 | self.data[1] >> 5)
        return f"mp4a.40.{kind}"


class VideoSample(NamedTuple):
    """One frame, length-prefixed NAL units; it is decoded at `dts` and shown `delay` later, in milliseconds."""

    dts: int
    delay: int
    keyframe: bool
    data: bytes


class AudioSample(NamedTuple):
    """One raw AAC frame; time in milliseconds."""

    dts: int
    data: bytes


class Break(NamedTuple):
    """Something is missing here: pictures count again from the next keyframe."""

    why: str
    new_clock: bool = False
    """Whether the stream says itself that its times begin anew."""


Sample = VideoSample | AudioSample
Unit = VideoConfig | AudioConfig | Sample | Break


def _hevc_profile(record: bytes) -> str:
    """ISO/IEC 14496-15, annex E: profile space and id, compatibility flags reversed, tier and level, constraints."""
    space = ("", "A", "B", "C")[record[1] >> 6]
    compatibility = int(f"{int.from_bytes(record[2:6], 'big'):032b}"[::-1], 2)
    tier = "H" if record[1] & 0x20 else "L"
    constraints = record[6:12].rstrip(b"\x00")
    parts = [f"{space}{record[1] & 0x1F}", f"{compatibility:X}", f"{tier}{record[12]}"]
    return ".".join([*parts, *(f"{byte:X}" for byte in constraints)])
