"""What an MP4 says of a track before its first sample, for whoever writes one."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Track:
    number: int
    timescale: int
    is_video: bool
    codec: str
    """RFC 6381."""
    description: bytes
    """The `stsd` box."""
    width: int = 0
    height: int = 0
    shown_width: int = 0
    """Other than the width where pixels are not square."""
