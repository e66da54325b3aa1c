"""What passes from the muxer to storage."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fragment:
    """One `moof`+`mdat` pair: plays after the init segment, decodes from its start."""

    offset: int
    duration: float
    data: bytes

    @property
    def end(self) -> int:
        return self.offset + len(self.data)


@dataclass(frozen=True, slots=True)
class Ending:
    """What turns the fragments in storage into a standard MP4: a new head, and a tail with the full `moov`."""

    head: bytes
    tail: Iterable[bytes]
    """In pieces of at most 1 MiB that are made as they are taken, once: a long recording's tail is never whole."""
    tail_size: int


@dataclass(frozen=True, slots=True)
class MediaInfo:
    """What a player wants to know before it plays."""

    video_codec: str | None
    """None where only sound is recorded."""
    audio_codec: str | None
    width: int
    height: int
