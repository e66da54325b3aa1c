"""What every connection was sent, because only the sender knows what a recording should hold."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

from wentlive_devkit.tiktok.flv import VIDEO, Sample

Protocol = Literal["flv", "hls"]


@dataclass(slots=True)
class Passage:
    """A connection's media from one mischief to the next; whole tags only, and nothing that was sent twice."""

    after: str
    """What came before it: `joined`, a turn or an accident."""
    fps: int
    video_frames: int = 0
    audio_frames: int = 0
    bytes: int = 0

    @property
    def seconds(self) -> float:
        return self.video_frames / self.fps


@dataclass(slots=True)
class Viewing:
    """One connection to a stream: what it was sent so far, and how it was over."""

    protocol: Protocol
    backup: bool
    joined_ms: int
    """Where in the live its first frame is."""
    fps: int
    passages: list[Passage] = field(default_factory=list[Passage])
    over: str | None = None

    @property
    def seconds(self) -> float:
        """Media sent in whole tags."""
        return sum(passage.seconds for passage in self.passages)

    def enter(self, after: str) -> None:
        if self.passages and not self.passages[-1].bytes:
            self.passages.pop()
        self.passages.append(Passage(after, self.fps))

    def count(self, samples: Iterable[tuple[int, Sample]]) -> None:
        passage = self.passages[-1]
        for _, sample in samples:
            passage.bytes += len(sample.body)
            if sample.kind == VIDEO:
                passage.video_frames += 1
            else:
                passage.audio_frames += 1

    def describe(self) -> dict[str, Any]:
        return {
            "protocol": self.protocol,
            "backup": self.backup,
            "joined_ms": self.joined_ms,
            "seconds": round(self.seconds, 3),
            "over": self.over,
            "passages": [
                {
                    "after": passage.after,
                    "seconds": round(passage.seconds, 3),
                    "video_frames": passage.video_frames,
                    "audio_frames": passage.audio_frames,
                    "bytes": passage.bytes,
                }
                for passage in self.passages
            ],
        }
