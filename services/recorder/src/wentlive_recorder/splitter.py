"""Decides where one part ends and the next begins: pure, so that every odd stream is a small test.

One MP4 track holds one codec configuration and one clock. A part starts with a video keyframe at time zero and stops
when the configuration changes, the clock jumps, or a limit is reached.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from wentlive_recorder.samples import AudioConfig, AudioSample, Sample, Unit, VideoConfig, VideoSample

_BACKWARD_MS = 500
_FORWARD_MS = 10_000
_HOLD_MS = 1_000
_HOLD_BYTES = 4 * 1024 * 1024


class StopReason(StrEnum):
    VIDEO_CHANGED = "video_changed"
    AUDIO_CHANGED = "audio_changed"
    CLOCK_JUMPED = "clock_jumped"
    LIMIT_REACHED = "limit_reached"
    STREAM_ENDED = "stream_ended"


@dataclass(frozen=True, slots=True)
class Start:
    """A new part with these tracks; the keyframe itself follows as the first Write."""

    video: VideoConfig
    audio: AudioConfig | None
    keyframe: VideoSample


class Write(NamedTuple):
    """A sample for the open part, to be decoded `at` so many milliseconds after the part's start."""

    sample: Sample
    at: int


@dataclass(frozen=True, slots=True)
class Stop:
    reason: StopReason


Action = Start | Write | Stop


@dataclass(frozen=True, slots=True)
class PartLimits:
    duration_ms: int = 6 * 3600 * 1000
    bytes: int = 100 * 1024**3


@dataclass(slots=True)
class _Open:
    origin: int
    newest: int
    last: dict[type[Sample], Sample] = field(default_factory=dict[type[Sample], Sample])
    last_at: dict[type[Sample], int] = field(default_factory=dict[type[Sample], int])
    bytes: int = 0


class PartSplitter:
    """Takes one connection's units and says what to do with them."""

    def __init__(self, limits: PartLimits | None = None) -> None:
        self._limits = limits or PartLimits()
        self._video: VideoConfig | None = None
        self._audio: AudioConfig | None = None
        self._audio_changed = False
        self._open: _Open | None = None
        self._held: list[Sample] = []

    def push(self, unit: Unit, *, expects_audio: bool) -> Iterator[Action]:
        """What follows from `unit`; with `expects_audio` a part waits a moment for the sound's configuration."""
        match unit:
            case VideoConfig():
                yield from self._video_config(unit)
            case AudioConfig():
                yield from self._audio_config(unit)
            case _:
                yield from self._sample(unit, expects_audio)

    def finish(self) -> Iterator[Action]:
        """The connection is over."""
        yield from self._release()
        yield from self._stop(StopReason.STREAM_ENDED)

    def _video_config(self, config: VideoConfig) -> Iterator[Action]:
        if config == self._video:
            return
        self._video = config
        self._held.clear()
        yield from self._stop(StopReason.VIDEO_CHANGED)

    def _audio_config(self, config: AudioConfig) -> Iterator[Action]:
        if config == self._audio:
            return
        self._audio = config
        if self._open is not None:
            self._audio_changed = True  # the picture goes on until a keyframe can start the next part
        yield from self._release()

    def _sample(self, sample: Sample, expects_audio: bool) -> Iterator[Action]:
        if self._open is not None:
            reason = self._must_stop(self._open, sample)
            if reason is None:
                yield from self._write(self._open, sample)
                return
            yield from self._stop(reason)
        yield from self._wait(sample, expects_audio)

    def _must_stop(self, part: _Open, sample: Sample) -> StopReason | None:
        last = part.last.get(type(sample))
        if sample.dts - part.newest > _FORWARD_MS or (last and sample.dts < last.dts - _BACKWARD_MS):
            return StopReason.CLOCK_JUMPED
        if not isinstance(sample, VideoSample) or not sample.keyframe:
            return None
        if self._audio_changed:
            return StopReason.AUDIO_CHANGED
        long = sample.dts - part.origin >= self._limits.duration_ms
        return StopReason.LIMIT_REACHED if long or part.bytes >= self._limits.bytes else None

    def _wait(self, sample: Sample, expects_audio: bool) -> Iterator[Action]:
        """No part is open: nothing counts before a keyframe, and a keyframe may wait for the sound's configuration."""
        if not self._held and not (self._video and isinstance(sample, VideoSample) and sample.keyframe):
            return
        self._held.append(sample)
        waited = abs(sample.dts - self._held[0].dts) > _HOLD_MS
        full = sum(len(held.data) for held in self._held) > _HOLD_BYTES
        if self._audio or not expects_audio or waited or full:
            yield from self._release()

    def _release(self) -> Iterator[Action]:
        """Opens a part with what was held."""
        held, self._held = self._held, []
        if not held or self._video is None or not isinstance(first := held[0], VideoSample):
            return
        self._open = _Open(origin=first.dts, newest=first.dts)
        self._audio_changed = False
        yield Start(self._video, self._audio, first)
        for sample in held:
            yield from self._write(self._open, sample)

    def _write(self, part: _Open, sample: Sample) -> Iterator[Action]:
        late = sample.dts < part.origin
        silent = isinstance(sample, AudioSample) and (self._audio is None or self._audio_changed)
        kind = type(sample)
        if late or silent or sample == part.last.get(kind):
            return
        # An MP4 track's decoding times must grow: what the stream repeats or turns back a little is moved behind.
        at = max(sample.dts - part.origin, part.last_at.get(kind, -1) + 1)
        part.last[kind], part.last_at[kind] = sample, at
        part.newest = max(part.newest, sample.dts)
        part.bytes += len(sample.data)
        yield Write(sample, at)

    def _stop(self, reason: StopReason) -> Iterator[Action]:
        if self._open is not None:
            self._open = None
            self._audio_changed = False
            yield Stop(reason)
