"""What happens to a live's media: what the broadcaster does, and what befalls the connections of those who watch."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from wentlive_devkit.tiktok.script import Script, Seconds

VideoCodec = Literal["h264", "hevc", "hevc_legacy"]
"""H.265 comes to FLV in two ways: as enhanced FLV (`hvc1`), and as codec id 12, which most of TikTok's CDNs send."""


class Turn(Script):
    """Something in the broadcast itself, the same for whoever watches; moments are seconds of the live."""

    at_s: Seconds


class FormatTurn(Turn):
    """From the next keyframe on the picture is another: what is not said here stays as the scenario's media has it."""

    how: Literal["format"] = "format"
    width: Annotated[int, Field(ge=64, le=1920, multiple_of=2)] | None = None
    height: Annotated[int, Field(ge=64, le=1920, multiple_of=2)] | None = None
    codec: VideoCodec | None = None


class ClockTurn(Turn):
    """The timestamps jump by so much at once, or begin anew at the next keyframe, as after a broadcaster's restart."""

    how: Literal["clock"] = "clock"
    by_ms: int | None = None
    to_ms: Annotated[int, Field(ge=0, lt=2**32)] | None = None

    @model_validator(mode="after")
    def _is_one_of_them(self) -> Self:
        if (self.by_ms is None) == (self.to_ms is None):
            raise ValueError("a clock turns either by so much or to a moment")
        return self


class MuteTurn(Turn):
    """No sound is sent for a while."""

    how: Literal["mute"] = "mute"
    for_s: Seconds


class BurstTurn(Turn):
    """Frames are that many times as large for a while, with filler as encoders with a constant bitrate write it."""

    how: Literal["burst"] = "burst"
    for_s: Seconds
    times: Annotated[int, Field(ge=2, le=1000)] = 10


AnyTurn = Annotated[FormatTurn | ClockTurn | MuteTurn | BurstTurn, Field(discriminator="how")]


class Accident(Script):
    """Something that befalls each FLV connection that is open when the live comes to `at_s`."""

    at_s: Seconds
    how: Literal["stall", "drip", "eof", "duplicate", "garbage", "second_header", "truncated"]
    """Silence, a byte now and then, a clean end that is none, tags sent again, bytes that are no tag, another file
    header, or half a tag with whole ones after it."""
    for_s: Seconds | None = None
    """How long a silence lasts (else as long as the connection), or how much is sent again (else one second)."""
    size: Annotated[int, Field(ge=1, le=1024 * 1024)] = 100
    """Bytes of garbage."""
