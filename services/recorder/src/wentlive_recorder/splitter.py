"""Decides where one part ends and the next begins: pure, so that every odd stream is a small test.

One MP4 track holds one codec configuration and one clock. A part starts with a video keyframe at time zero (or with
any sound, where only sound is recorded) and stops when the configuration changes, the clock jumps, or a limit is
reached.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from wentlive_recorder.samples import AudioConfig, AudioSample, Break, Sample, Unit, VideoConfig, VideoSample

_BACKWARD_MS = 500
_FORWARD_MS = 10_000
_HOLE_MS = 2_000
_HOLD_MS = 1_000
_HOLD_BYTES = 4 * 1024 * 1024
_REMEMBERED = 1024
"""Samples whose repetition is recognised: more than ten seconds of picture and sound."""


class StopReason(StrEnum):
    VIDEO_CHANGED = "video_changed"
    AUDIO_CHANGED = "audio_changed"
    CLOCK_JUMPED = "clock_jumped"
    LIMIT_REACHED = "limit_reached"
    STREAM_ENDED = "stream_ended"


@dataclass(frozen=True, slots=True)
class Start:
    """A new part with these tracks, at least one; its first sample follows as the first Write."""

    video: VideoConfig | None
    audio: AudioConfig | None
    keyframe: VideoSample | None
    """The part's first picture; None where there is no video."""
    origin: int = 0
    """The first sample's time by the stream's clock."""


class Write(NamedTuple):
    """A sample for the open part, to be decoded `at` so many milliseconds after the part's start."""

    sample: Sample
    at: int


@dataclass(frozen=True, slots=True)
class Hole:
    """The open part goes on, but the stream left out so many milliseconds before the sample that follows."""

    milliseconds: int
    why: str


@dataclass(frozen=True, slots=True)
class Stop:
    reason: StopReason


Action = Start | Write | Hole | Stop


@dataclass(frozen=True, slots=True)
class PartLimits:
    duration_ms: int = 6 * 3600 * 1000
    bytes: int = 100 * 1024**3


@dataclass(slots=True)
class _Track:
    """One kind of sample in the open part, by the part's clock."""

    last: int
    """When the newest sample was due."""
    last_at: int = -1
    """Where it was put."""
    shift: int = 0
    """What is added to the stream's times, where sound runs by a clock of its own."""


@dataclass(slots=True)
class _Open:
    origin: int
    newest: int
    tracks: dict[type[Sample], _Track] = field(default_factory=dict[type[Sample], _Track])
    suspects: list[Sample] = field(default_factory=list[Sample])
    """Samples whose times jumped: the next ones tell whether the clock did, or only these are wrong."""
    bytes: int = 0
    broken: str | None = None
    """Why pictures do not count before the next keyframe."""
    audio_changed: bool = False


class PartSplitter:
    """Takes one connection's units and says what to do with them."""

    def __init__(self, limits: PartLimits | None = None, *, audio_only: bool = False) -> None:
        self._limits = limits or PartLimits()
        self._audio_only = audio_only
        self._video: VideoConfig | None = None
        self._audio: AudioConfig | None = None
        self._open: _Open | None = None
        self._held: list[Sample] = []
        self._recent: deque[tuple[int, int, bytes]] = deque(maxlen=_REMEMBERED)

    def push(self, unit: Unit, *, expects_audio: bool) -> Iterable[Action]:
        """What follows from `unit`; with `expects_audio` a part waits a moment for the sound's configuration.

        Consume it fully before the next call.
        """
        if isinstance(unit, (VideoSample, AudioSample)):
            return self._sample(unit, expects_audio)
        if isinstance(unit, VideoConfig):
            return self._video_config(unit)
        return self._audio_config(unit) if isinstance(unit, AudioConfig) else self._break(unit)

    def finish(self) -> Iterator[Action]:
        """The connection is over."""
        yield from self._release()
        yield from self._stop(StopReason.STREAM_ENDED)

    def _video_config(self, config: VideoConfig) -> Iterator[Action]:
        if config == self._video or self._audio_only:
            return
        self._video = config
        self._held.clear()
        yield from self._stop(StopReason.VIDEO_CHANGED)

    def _audio_config(self, config: AudioConfig) -> Iterator[Action]:
        if config == self._audio:
            return
        self._audio = config
        if self._open is not None:
            self._open.audio_changed = True  # the picture goes on until a keyframe can start the next part
        yield from self._release()

    def _break(self, unit: Break) -> Iterator[Action]:
        self._held.clear()
        if unit.new_clock:
            yield from self._stop(StopReason.CLOCK_JUMPED)
        elif self._open is not None:
            self._open.broken = unit.why

    def _sample(self, sample: Sample, expects_audio: bool) -> Iterable[Action]:
        if self._audio_only and isinstance(sample, VideoSample):
            return ()
        part = self._open
        if part is None:
            return self._wait(sample, expects_audio)
        track = part.tracks.get(type(sample)) or self._new_track(part, sample)
        if track is None:
            return ()
        due = sample.dts + track.shift
        if due - part.newest > _FORWARD_MS or due < track.last - _BACKWARD_MS:
            return self._jump(part, sample, expects_audio)
        if part.suspects:
            _acquit(part, type(sample))
        if self._can_start(sample) and (reason := self._must_stop(part, due)):
            return self._restart(reason, sample, expects_audio)
        return self._write(part, track, sample, due)

    def _restart(self, reason: StopReason, sample: Sample, expects_audio: bool) -> Iterator[Action]:
        yield from self._stop(reason)
        yield from self._wait(sample, expects_audio)

    def _new_track(self, part: _Open, sample: Sample) -> _Track | None:
        """Sound that runs by a clock of its own is put where it arrived; what belongs before the part is left out."""
        if sample.dts < part.origin - _FORWARD_MS or sample.dts > part.newest + _FORWARD_MS:
            shift = part.newest - sample.dts
        elif sample.dts < part.origin:
            return None
        else:
            shift = 0
        track = part.tracks[type(sample)] = _Track(sample.dts + shift, shift=shift)
        return track

    def _jump(self, part: _Open, sample: Sample, expects_audio: bool) -> Iterator[Action]:
        if _fingerprint(sample) in self._recent:
            return  # the network sends again what it sent before
        confirmed = any(type(suspect) is type(sample) for suspect in part.suspects)
        part.suspects.append(sample)
        if confirmed:
            yield from self._stop(StopReason.CLOCK_JUMPED)
            for suspect in part.suspects:
                yield from self._wait(suspect, expects_audio)

    def _must_stop(self, part: _Open, due: int) -> StopReason | None:
        if part.audio_changed:
            return StopReason.AUDIO_CHANGED
        long = due - part.origin >= self._limits.duration_ms
        return StopReason.LIMIT_REACHED if long or part.bytes >= self._limits.bytes else None

    def _can_start(self, sample: Sample) -> bool:
        if self._audio_only:
            return self._audio is not None and isinstance(sample, AudioSample)
        return self._video is not None and isinstance(sample, VideoSample) and sample.keyframe

    def _wait(self, sample: Sample, expects_audio: bool) -> Iterator[Action]:
        """No part is open: nothing counts before a keyframe, and a keyframe may wait for the sound's configuration."""
        if self._open is not None:
            yield from self._sample(sample, expects_audio)
            return
        if not self._held and not self._can_start(sample):
            return
        self._held.append(sample)
        waited = abs(sample.dts - self._held[0].dts) > _HOLD_MS
        full = sum(len(held.data) for held in self._held) > _HOLD_BYTES
        if self._audio or not expects_audio or waited or full:
            yield from self._release()

    def _release(self) -> Iterator[Action]:
        """Opens a part with what was held."""
        held, self._held = self._held, []
        if not held or self._open is not None:
            return
        first = held[0]
        self._open = _Open(first.dts, first.dts)
        keyframe = first if isinstance(first, VideoSample) else None
        yield Start(self._video if keyframe else None, self._audio, keyframe, first.dts)
        for sample in held:
            yield from self._sample(sample, expects_audio=False)

    def _write(self, part: _Open, track: _Track, sample: Sample, due: int) -> Sequence[Action]:
        again = due <= track.last and track.last_at >= 0
        if isinstance(sample, AudioSample):
            # Sound of a time that has sound already is left out: each frame of it lasts as long as it lasts.
            if again or self._audio is None or part.audio_changed:
                return ()
        elif again and _fingerprint(sample) in self._recent:
            return ()
        elif part.broken is not None and not sample.keyframe:
            self._recent.append(_fingerprint(sample))  # sent again behind the keyframe, it would still be of no use
            return ()
        hole = _hole(part, track, sample, due)
        # An MP4 track's decoding times must grow: what the stream turns back a little is moved behind.
        at = max(due - part.origin, track.last_at + 1)
        track.last, track.last_at = due, at
        if due > part.newest:
            part.newest = due
        part.bytes += len(sample.data)
        self._recent.append(_fingerprint(sample))
        return (hole, Write(sample, at)) if hole else (Write(sample, at),)

    def _stop(self, reason: StopReason) -> Iterator[Action]:
        if self._open is not None:
            self._open = None
            yield Stop(reason)


def _fingerprint(sample: Sample) -> tuple[int, int, bytes]:
    """Enough to know a sample again."""
    return sample.dts, len(sample.data), sample.data[-16:]


def _acquit(part: _Open, kind: type[Sample]) -> None:
    """The clock goes on as before, so only those samples' times were wrong; where they belong nobody knows."""
    wrong = [suspect for suspect in part.suspects if type(suspect) is kind]
    if wrong and kind is VideoSample:
        part.broken = "A frame's time was wrong."
    part.suspects = [suspect for suspect in part.suspects if type(suspect) is not kind]


def _hole(part: _Open, track: _Track, sample: Sample, due: int) -> Hole | None:
    """What is missing right before a sample that is written."""
    if part.broken is not None and isinstance(sample, VideoSample):
        why, part.broken = part.broken, None
        return Hole(max(due - track.last, 0), why)
    return Hole(due - part.newest, "The stream left this out.") if due - part.newest > _HOLE_MS else None
