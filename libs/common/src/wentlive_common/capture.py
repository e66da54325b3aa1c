"""What is asked of a capture and told about it: the quality wanted, the stream chosen, what is missing."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from wentlive_common.model import Model, UtcDatetime

VideoCodec = Literal["h264", "h265"]


def _without_repetition(codecs: tuple[VideoCodec, ...]) -> tuple[VideoCodec, ...]:
    if len(set(codecs)) != len(codecs):
        raise ValueError("names a codec twice")
    return codecs


VideoCodecs = Annotated[tuple[VideoCodec, ...], Field(min_length=1), AfterValidator(_without_repetition)]
"""From the most to the least wanted; a codec that is not named is never recorded."""


class Quality(Model):
    """Which of a broadcast's streams to record. Where the live has nothing that fits, the nearest is taken."""

    prefer: Literal["best", "smallest"] = "best"
    max_height: int | None = Field(default=None, ge=64, le=8192)
    """As in "720p": the shorter side of the picture, so that it means the same in portrait and in landscape."""
    codecs: VideoCodecs = ("h264", "h265")
    audio_only: bool = False


IntervalClass = Literal["eager", "usual", "relaxed"]
"""How soon a live is to be noticed: as soon as possible, as the creator's habits suggest, or when it costs least."""


class Wishes(Model):
    """What the people who follow a creator want of us."""

    quality: Quality | None = None
    """None leaves it to the recorder's settings."""
    interval: IntervalClass = "usual"


class StreamChoice(Model):
    """The stream that is recorded, as TikTok names it, and why it was taken before the others."""

    quality: str = Field(max_length=64)
    protocol: Literal["flv", "hls"]
    role: Literal["main", "backup"]
    codec: Literal["h264", "h265", "audio", "unknown"]
    """What TikTok says; a part's own codec is what the stream proved to be."""
    width: int | None = None
    height: int | None = None
    bitrate: int | None = None
    why: str = Field(max_length=500)


class Gap(Model):
    """Media that the broadcast may have had and the recording lacks."""

    started_at: UtcDatetime
    ended_at: UtcDatetime
    why: str = Field(max_length=500)

    @property
    def seconds(self) -> float:
        return (self.ended_at - self.started_at).total_seconds()
