"""Places a looped clip on an endless timeline, the way a CDN sees a broadcast."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator

from wentlive_devkit.tiktok.clip import Clip
from wentlive_devkit.tiktok.flv import AUDIO, SCRIPT, VIDEO, Sample, file_header, tag


class Playout:
    """The clip repeated for ever from position 0 (ms since the broadcast began), stamped from `base_ms`."""

    def __init__(self, clip: Clip, base_ms: int) -> None:
        self.clip = clip
        self._base_ms = base_ms
        self._times = [sample.at_ms for sample in clip.samples]
        self._keyframes = [
            number for number, sample in enumerate(clip.samples) if sample.kind == VIDEO and sample.keyframe
        ]

    def first_after(self, position_ms: int) -> int:
        """The number of the first sample at or after the position."""
        loop, within = divmod(position_ms, self.clip.loop_ms)
        return loop * len(self._times) + bisect_left(self._times, within)

    def keyframe_before(self, position_ms: int) -> int:
        """The number of the last keyframe at or before the position."""
        loop, within = divmod(position_ms, self.clip.loop_ms)
        within_loop = bisect_right(self._keyframes, within, key=lambda number: self._times[number]) - 1
        return loop * len(self._times) + self._keyframes[within_loop]

    def samples(self, first: int, end: int) -> Iterator[tuple[int, Sample]]:
        """The samples numbered from `first` up to `end`, each with its timestamp."""
        for number in range(first, end):
            loop, within = divmod(number, len(self._times))
            sample = self.clip.samples[within]
            yield self._base_ms + loop * self.clip.loop_ms + sample.at_ms, sample

    def opening(self, first: int, *, audio_only: bool) -> bytes:
        """What a client gets on connecting: file header, metadata and sequence headers."""
        stamp, _ = next(self.samples(first, first + 1))
        video = b"" if audio_only else tag(VIDEO, stamp, self.clip.video_header)
        return b"".join(
            (
                file_header(video=not audio_only),
                tag(SCRIPT, 0, self.clip.metadata),
                video,
                tag(AUDIO, stamp, self.clip.audio_header),
            )
        )

    def tags(self, first: int, end: int, *, audio_only: bool) -> bytes:
        return b"".join(
            tag(sample.kind, stamp, sample.body)
            for stamp, sample in self.samples(first, end)
            if not (audio_only and sample.kind == VIDEO)
        )
