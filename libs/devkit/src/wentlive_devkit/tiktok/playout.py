"""Places a looped clip on an endless timeline, the way a CDN sees a broadcast."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from wentlive_devkit.tiktok.clip import Clip
from wentlive_devkit.tiktok.flv import AUDIO, SCRIPT, VIDEO, Sample, file_header, tag
from wentlive_devkit.tiktok.twists import AnyTurn, BurstTurn, ClockTurn, FormatTurn, MuteTurn

_LEGACY_HEVC = 12


@dataclass(frozen=True, slots=True)
class _Stretch:
    """From sample `first` on: this clip, and timestamps that are so much off."""

    first: int
    clip: Clip
    shift_ms: int = 0
    restarted: bool = False


class Playout:
    """The clip repeated for ever from position 0 (ms since the broadcast began), stamped from `base_ms`.

    `clips` are what the format turns change to, one each in their order; they share the first one's frame rate and
    length, so a sample's number means the same moment in all of them.
    """

    def __init__(self, clip: Clip, base_ms: int, turns: Sequence[AnyTurn] = (), clips: Sequence[Clip] = ()) -> None:
        self.clip = clip
        self._base_ms = base_ms
        self._times = [sample.at_ms for sample in clip.samples]
        self._keyframes = [
            number for number, sample in enumerate(clip.samples) if sample.kind == VIDEO and sample.keyframe
        ]
        self._mutes = [turn for turn in turns if isinstance(turn, MuteTurn)]
        self._bursts = [turn for turn in turns if isinstance(turn, BurstTurn)]
        self._stretches = self._cut_up(turns, clips)

    @property
    def fps(self) -> int:
        frames = sum(sample.kind == VIDEO for sample in self.clip.samples)
        return frames * 1000 // self.clip.loop_ms

    def first_after(self, position_ms: int) -> int:
        """The number of the first sample at or after the position."""
        loop, within = divmod(position_ms, self.clip.loop_ms)
        return loop * len(self._times) + bisect_left(self._times, within)

    def keyframe_before(self, position_ms: int) -> int:
        """The number of the last keyframe at or before the position."""
        loop, within = divmod(position_ms, self.clip.loop_ms)
        within_loop = bisect_right(self._keyframes, within, key=lambda number: self._times[number]) - 1
        return loop * len(self._times) + self._keyframes[within_loop]

    def position_ms(self, number: int) -> int:
        """Where in the broadcast a sample is."""
        loop, within = divmod(number, len(self._times))
        return loop * self.clip.loop_ms + self._times[within]

    def runs(self, first: int, end: int) -> Iterator[tuple[int, int, bool]]:
        """The range cut where another picture or another clock begins; each piece says whether it begins with one."""
        while first < end:
            stretch, until = self._stretch_at(first)
            until = min(until or end, end)
            yield first, until, 0 < stretch.first == first
            first = until

    def samples(self, first: int, end: int) -> Iterator[tuple[int, Sample]]:
        """The samples numbered from `first` up to `end` that are sent, each with its timestamp."""
        for start, until, _ in self.runs(first, end):
            stretch, _ = self._stretch_at(start)
            for number in range(start, until):
                loop, within = divmod(number, len(self._times))
                sample = stretch.clip.samples[within]
                position = loop * self.clip.loop_ms + sample.at_ms
                if self._mutes and sample.kind == AUDIO and self._muted(position):
                    continue
                if self._bursts and sample.kind == VIDEO:
                    sample = self._swollen(sample, position)
                yield self._base_ms + position + stretch.shift_ms, sample

    def opening(self, first: int, *, audio_only: bool) -> bytes:
        """What a client gets on connecting: file header, metadata and sequence headers."""
        return file_header(video=not audio_only) + self._headers(first, audio_only=audio_only)

    def tags(self, first: int, end: int, *, audio_only: bool) -> bytes:
        """The samples as tags, with new sequence headers where a turn brings them."""
        pieces: list[bytes] = []
        for start, until, turned in self.runs(first, end):
            if turned and self._stretch_at(start)[0].restarted:
                pieces.append(self._headers(start, audio_only=audio_only))
            pieces += (
                tag(sample.kind, stamp, sample.body)
                for stamp, sample in self.samples(start, until)
                if not (audio_only and sample.kind == VIDEO)
            )
        return b"".join(pieces)

    def _headers(self, first: int, *, audio_only: bool) -> bytes:
        stretch, _ = self._stretch_at(first)
        stamp = self._base_ms + self.position_ms(first) + stretch.shift_ms
        video = b"" if audio_only else tag(VIDEO, stamp, stretch.clip.video_header)
        return b"".join((tag(SCRIPT, 0, stretch.clip.metadata), video, tag(AUDIO, stamp, stretch.clip.audio_header)))

    def _stretch_at(self, number: int) -> tuple[_Stretch, int | None]:
        """What is played at a sample, and the sample at which that is over."""
        at = bisect_right(self._stretches, number, key=lambda stretch: stretch.first)
        return self._stretches[at - 1], self._stretches[at].first if at < len(self._stretches) else None

    def _cut_up(self, turns: Sequence[AnyTurn], clips: Sequence[Clip]) -> list[_Stretch]:
        stretches, following = [_Stretch(0, self.clip)], iter(clips)
        for turn in turns:
            at_ms = round(turn.at_s * 1000)
            now = stretches[-1]
            match turn:
                case FormatTurn():
                    stretches.append(
                        _Stretch(self._keyframe_after(at_ms), next(following), now.shift_ms, restarted=True)
                    )
                case ClockTurn(by_ms=int(by_ms)):
                    stretches.append(replace(now, first=self.first_after(at_ms), shift_ms=now.shift_ms + by_ms))
                case ClockTurn(to_ms=int(to_ms)):
                    first = self._keyframe_after(at_ms)
                    shift = to_ms - self._base_ms - self.position_ms(first)
                    stretches.append(_Stretch(first, now.clip, shift, restarted=True))
                case _:
                    continue
        return stretches

    def _keyframe_after(self, position_ms: int) -> int:
        loop, within = divmod(position_ms, self.clip.loop_ms)
        at = bisect_left(self._keyframes, within, key=lambda number: self._times[number])
        loop, at = (loop, at) if at < len(self._keyframes) else (loop + 1, 0)
        return loop * len(self._times) + self._keyframes[at]

    def _muted(self, position_ms: int) -> bool:
        return any(mute.at_s <= position_ms / 1000 < mute.at_s + mute.for_s for mute in self._mutes)

    def _swollen(self, sample: Sample, position_ms: int) -> Sample:
        for burst in self._bursts:
            if burst.at_s <= position_ms / 1000 < burst.at_s + burst.for_s:
                return replace(sample, body=sample.body + _filler(sample.body, burst.times))
        return sample


def _filler(body: bytes, times: int) -> bytes:
    """A filler NAL unit that makes a frame so many times as large."""
    hevc = body[0] & 0x80 or body[0] & 0x0F == _LEGACY_HEVC
    data = (b"\x4c\x01" if hevc else b"\x0c") + b"\xff" * ((times - 1) * len(body)) + b"\x80"
    return len(data).to_bytes(4, "big") + data
