"""What happens in the simulated TikTok: who exists, who goes live when, and what goes wrong."""

import json
import tomllib
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationError, model_validator
from wentlive_common.errors import InvalidInput
from wentlive_common.model import Handle

from wentlive_devkit.tiktok.crowd import CrowdScript
from wentlive_devkit.tiktok.script import Script, Seconds
from wentlive_devkit.tiktok.traps import TrapScript
from wentlive_devkit.tiktok.twists import Accident, AnyTurn, VideoCodec

Colour = Annotated[str, Field(pattern=r"^#[0-9a-f]{6}$")]
AAC_FRAME = 1024
SAMPLE_RATE = 48_000


class InvalidScenario(InvalidInput):
    """The scenario cannot be read."""


class MediaScript(Script):
    """How a picture is encoded. The loop must hold whole GOPs and whole AAC frames."""

    width: Annotated[int, Field(ge=64, le=1920, multiple_of=2)] = 360
    height: Annotated[int, Field(ge=64, le=1920, multiple_of=2)] = 640
    fps: Annotated[int, Field(ge=5, le=60)] = 24
    gop_s: Annotated[int, Field(ge=1, le=32)] = 2
    loop_s: Annotated[int, Field(ge=8, le=64)] = 8
    bitrate: Annotated[int, Field(ge=50_000, le=8_000_000)] = 600_000
    codec: VideoCodec = "h264"

    @model_validator(mode="after")
    def _loop_is_exact(self) -> Self:
        if self.loop_s % self.gop_s or self.loop_s * SAMPLE_RATE % AAC_FRAME:
            raise ValueError("loop_s must be a multiple of 8 and of gop_s")
        return self


class LiveScript(Script):
    """One live of a creator; without a duration it goes on until it is ended by hand."""

    starts_after_s: Seconds = 0
    duration_s: Annotated[float, Field(gt=0, le=86_400)] | None = None
    title: str = "Live"
    viewers: Annotated[int, Field(ge=0)] = 42
    cut_after_s: tuple[Seconds, ...] = ()
    """Moments of the live at which every connection is dropped in the middle of an FLV tag."""
    stream: Literal["flv", "web_page", "missing", "main_missing", "hls", "hls_fmp4"] = "flv"
    """What the stream's URLs give: media, a web page with status 200, 404, or 404 unless it is the backup's.

    With `hls` (MPEG-TS) and `hls_fmp4` no FLV is offered at all.
    """
    backup: bool = False
    """Whether a backup is offered beside each stream."""
    waits_for_viewer: bool = False
    """The media begins, and its moments count, when the first viewer comes."""
    piece_s: Annotated[float, Field(ge=0.01, le=10)] = 0.1
    """So often a viewer is sent what has come up meanwhile; a CDN passes on each frame as the encoder brings it."""
    lead_s: Seconds = 0
    """How much of it lies behind the first viewer then."""
    pace: Annotated[float, Field(gt=0, le=10_000)] = 1.0
    """Seconds of media in a second, as fast as the viewer takes them."""
    first_stamp_ms: Annotated[int, Field(ge=0, lt=2**32)] | None = None
    """The first timestamp; some random one otherwise."""
    turns: tuple[AnyTurn, ...] = ()
    """In the order in which they come."""
    accidents: tuple[Accident, ...] = ()
    seed: int = 1
    """What is random about accidents is the same for the same seed."""

    @model_validator(mode="after")
    def _turns_are_in_order(self) -> Self:
        moments = [turn.at_s for turn in self.turns]
        if moments != sorted(moments):
            raise ValueError("turns must be in the order in which they come")
        return self


class CreatorScript(Script):
    handle: Handle
    nickname: str
    kind: Literal["normal", "restricted_age", "private", "never_live"] = "normal"
    colours: tuple[Colour, Colour] = ("#fe2c55", "#25f4ee")
    tone_hz: Annotated[int, Field(ge=50, le=4000)] = 440
    followers: Annotated[int, Field(ge=0)] = 1000
    verified: bool = False
    past_live: bool = True
    """Whether there was a live yesterday; TikTok calls people "not found" who never had one."""
    lives: tuple[LiveScript, ...] = ()
    media: MediaScript | None = None
    """Their own; the scenario's when there is none."""
    traps: TrapScript = TrapScript()

    @model_validator(mode="after")
    def _lives_fit_the_kind(self) -> Self:
        if self.kind == "never_live" and self.lives:
            raise ValueError(f"{self.handle} never goes live, so it cannot have lives")
        return self


class Scenario(Script):
    creators: tuple[CreatorScript, ...]
    media: MediaScript = MediaScript()
    traps: TrapScript = TrapScript()
    """Those of everybody."""
    crowd: CrowdScript | None = None
    """Many more creators, without media, for benchmarks."""

    @model_validator(mode="after")
    def _handles_are_unique(self) -> Self:
        handles = [creator.handle for creator in self.creators]
        if len(set(handles)) != len(handles):
            raise ValueError("a handle appears twice")
        return self


def load_scenario(name_or_path: str) -> Scenario:
    """A scenario that comes with the package, by name, or a JSON or TOML file; raises InvalidScenario."""
    named = resources.files("wentlive_devkit.tiktok") / "scenarios" / f"{name_or_path}.toml"
    source = named if name_or_path.isidentifier() and named.is_file() else Path(name_or_path)
    try:
        return Scenario.model_validate(_parsed(source.read_text(encoding="utf-8"), source.name))
    except OSError as error:
        raise InvalidScenario(f"There is no scenario {name_or_path}: {error}") from error
    except (ValidationError, ValueError) as error:
        raise InvalidScenario(f"The scenario {name_or_path} cannot be used: {error}") from error


def _parsed(text: str, name: str) -> Any:
    return tomllib.loads(text) if name.endswith(".toml") else json.loads(text)
