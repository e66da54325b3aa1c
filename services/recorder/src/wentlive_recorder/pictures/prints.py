"""What passes between the recording and the darkroom: keyframes in, finished pictures out."""

from dataclasses import dataclass
from typing import NamedTuple

from wentlive_recorder.pictures.storyboard import Track


class Shot(NamedTuple):
    """A keyframe."""

    data: bytes
    at: int
    """Milliseconds since the part's start."""


class StoryboardFiles(NamedTuple):
    sprite: bytes
    track: Track


@dataclass(frozen=True, slots=True)
class Prints:
    """What is to be stored in place of what there was; None: nothing new."""

    poster: bytes | None = None
    preview: bytes | None = None
    storyboard: StoryboardFiles | None = None

    def over(self, older: "Prints") -> "Prints":
        """With the older one's where there is nothing newer."""
        return Prints(self.poster or older.poster, self.preview or older.preview, self.storyboard or older.storyboard)
