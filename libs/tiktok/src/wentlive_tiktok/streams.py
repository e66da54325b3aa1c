"""Which of the many URLs of one broadcast to record."""

from collections.abc import Iterable
from typing import Literal

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


class QualityPolicy(Model):
    """Codecs from the most to the least wanted; a codec that is not named is never recorded."""

    # "unknown" is an origin derived from the audio stream: H.264 or H.265, so a proven H.264 goes first.
    codecs: tuple[Codec, ...] = ("h264", "unknown", "h265")


BEST_H264_FIRST = QualityPolicy()


def rank(candidates: Iterable[StreamCandidate], policy: QualityPolicy = BEST_H264_FIRST) -> tuple[StreamCandidate, ...]:
    """The candidates that the policy allows, best first: codec, then level, then main, then FLV."""
    allowed = [candidate for candidate in candidates if candidate.codec in policy.codecs]

    def order(candidate: StreamCandidate) -> tuple[int, int, bool, bool]:
        return (
            policy.codecs.index(candidate.codec),
            -candidate.level,
            candidate.role != "main",
            candidate.protocol != "flv",
        )

    return tuple(sorted(allowed, key=order))
