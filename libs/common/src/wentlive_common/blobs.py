"""The names of a recording's blobs, in one place: who grants, writes, reads and rebuilds must mean the same ones."""

from collections.abc import Iterator
from dataclasses import dataclass

from wentlive_common.model import part_name


@dataclass(frozen=True, slots=True)
class PartBlobs:
    """What belongs to one part. It can be recorded with `media` and `index` alone."""

    media: str
    index: str
    """Append blob: see `fragment_index`."""
    poster: str
    storyboard: str
    """One JPEG of many small pictures."""
    storyboard_track: str
    """WebVTT: which of them belongs to which time."""

    def __iter__(self) -> Iterator[str]:
        return iter((self.media, self.index, self.poster, self.storyboard, self.storyboard_track))


@dataclass(frozen=True, slots=True)
class RecordingBlobs:
    """What belongs to a recording as a whole, or to one attempt at it."""

    preview: str
    """The newest picture, replaced again and again while it is recorded."""
    manifest: str
    """Read before it is written: see `manifest`."""
    log: str
    """Append blob; this attempt's own."""

    def __iter__(self) -> Iterator[str]:
        return iter((self.preview, self.manifest, self.log))


def part_blobs(prefix: str, attempt: int, part: int) -> PartBlobs:
    """`prefix` is the recording's `blob_prefix`."""
    stem = f"{prefix}/{part_name(attempt, part)}"
    storyboard = f"{stem}.storyboard"
    return PartBlobs(f"{stem}.mp4", f"{stem}.index", f"{stem}.jpg", f"{storyboard}.jpg", f"{storyboard}.vtt")


def recording_blobs(prefix: str, attempt: int) -> RecordingBlobs:
    return RecordingBlobs(f"{prefix}/preview.jpg", f"{prefix}/recording.json", f"{prefix}/a{attempt}.log")
