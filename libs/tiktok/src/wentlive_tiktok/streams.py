"""Which of the many URLs of one broadcast to record."""

from collections.abc import Iterable
from typing import Literal

from wentlive_common.capture import Quality
from wentlive_common.model import Model

Protocol = Literal["flv", "hls"]
Codec = Literal["h264", "h265", "audio", "unknown"]
Role = Literal["main", "backup"]


class StreamCandidate(Model):
    """One URL of the broadcast; `level` is TikTok's own order of quality (origin 10, 360p 1)."""

    url: str
    protocol: Protocol
    quality: str
    level: int
    codec: Codec
    width: int | None = None
    height: int | None = None
    bitrate: int | None = None
    role: Role = "main"

    @property
    def short_side(self) -> int | None:
        """What "720p" counts, whichever way the picture is turned."""
        return min(self.width, self.height) if self.width and self.height else None


def rank(candidates: Iterable[StreamCandidate], quality: Quality | None = None) -> tuple[StreamCandidate, ...]:
    """The candidates that the policy allows, best first: codec, size, level, then FLV, then main.

    Sound alone is recorded when it is asked for, or when the live offers nothing else; a picture serves for its sound.
    """
    quality = quality or Quality()
    offered = list(candidates)
    pictures = _pictures(offered, quality)
    sounds = sorted((candidate for candidate in offered if candidate.codec == "audio"), key=_source_order)
    if quality.audio_only:
        # Whatever its codec: the picture is thrown away, and the smallest one costs the least.
        everything = Quality(prefer="smallest")
        return (*sounds, *_pictures(offered, everything))
    return tuple(pictures or sounds)


def _pictures(candidates: Iterable[StreamCandidate], quality: Quality) -> list[StreamCandidate]:
    # "unknown" is H.264 or H.265 (an origin derived from its sound, say), so what is proven to be wanted goes first.
    codecs: list[Codec] = [quality.codecs[0], "unknown", *quality.codecs[1:]]

    def order(candidate: StreamCandidate) -> tuple[int, tuple[int, int], int, bool, bool]:
        level = candidate.level if quality.prefer == "smallest" else -candidate.level
        return codecs.index(candidate.codec), _misfit(candidate, quality.max_height), level, *_source_order(candidate)

    return sorted((candidate for candidate in candidates if candidate.codec in codecs), key=order)


def _misfit(candidate: StreamCandidate, max_height: int | None) -> tuple[int, int]:
    """What fits goes before what may fit, and that before what is too large, by how much."""
    side = candidate.short_side
    if max_height is None or (side is not None and side <= max_height):
        return 0, 0
    return (1, 0) if side is None else (2, side)


def _source_order(candidate: StreamCandidate) -> tuple[bool, bool]:
    return candidate.protocol != "flv", candidate.role != "main"
