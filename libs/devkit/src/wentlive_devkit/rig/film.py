"""What readers that know nothing of us see in a recording: FFmpeg's own programs, and every frame of it."""

import asyncio
import shutil
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any, cast

import av
from wentlive_common.errors import Permanent

_BRIGHT = 128
_LOUD = 0.18
"""The tone alone is an eighth of full scale, with the beep twice as loud."""
_APART_S = 0.5


class FilmFault(Permanent):
    """A reader found something wrong with the file."""


@dataclass
class Film:
    """A file that was decoded to its last frame; times in seconds."""

    sizes: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])
    codec: str = ""
    pictures: list[float] = field(default_factory=list[float])
    sounds: list[float] = field(default_factory=list[float])
    flashes: list[float] = field(default_factory=list[float])
    beeps: list[float] = field(default_factory=list[float])
    claimed: float = 0.0
    """The duration that the file itself tells."""

    @property
    def frame(self) -> float:
        """How long a picture usually lasts."""
        steps = [later - earlier for earlier, later in pairwise(self.pictures)]
        usual = [step for step in steps if step < 1.5 * median(steps)]
        return sum(usual) / len(usual) if usual else 0.0

    @property
    def seconds(self) -> float:
        """Of pictures that are there."""
        return len(self.pictures) * self.frame

    @property
    def span(self) -> float:
        """From the first picture to the end of the last, with whatever is missing between them."""
        return self.pictures[-1] - self.pictures[0] + self.frame if self.pictures else 0.0

    @property
    def worst_sync(self) -> float:
        """The largest distance between a flash and the beep that belongs to it."""
        pairs = [(flash, beep) for flash in self.flashes for beep in self.beeps if abs(beep - flash) < _APART_S]
        return max((abs(beep - flash) for flash, beep in pairs), default=0.0)


def has_readers() -> bool:
    """Whether this machine has FFmpeg's programs."""
    return shutil.which("ffmpeg") is not None and shutil.which("ffprobe") is not None


async def judge(path: Path) -> None:
    """Lets `ffmpeg` decode everything, and `ffprobe` read it; raises FilmFault with what they complain of."""
    # Frames keep the file's own times: at a constant rate FFmpeg would complain of two that come close together.
    times = ("-vsync", "0", "-enc_time_base", "-1")
    await _quiet("ffmpeg", "-v", "error", "-i", str(path), *times, "-f", "null", "-", about=path)
    await _quiet("ffprobe", "-v", "error", "-count_packets", "-show_streams", str(path), about=path)


async def _quiet(*command: str, about: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
    )
    _, complaints = await process.communicate()
    if process.returncode or complaints:
        text = complaints.decode(errors="replace")[:2000]
        raise FilmFault(f"{command[0]} ({process.returncode}) on {about.name}: {text}")


def watch(media: bytes) -> Film:
    """Decodes every frame, strictly; raises FFmpeg's errors, and FilmFault when times do not grow."""
    film = Film()
    with av.open(BytesIO(media), "r") as opened:
        container = cast("Any", opened)
        film.claimed = (container.duration or 0) / 1_000_000
        for stream in container.streams:
            stream.codec_context.options = {"err_detect": "explode"}
        film.codec = container.streams.video[0].codec_context.name if container.streams.video else ""
        for frame in container.decode():
            if isinstance(frame, av.VideoFrame):
                _see(film, frame)
            else:
                _hear(film, frame)
    for kind, times in (("pictures", film.pictures), ("sounds", film.sounds)):
        if not _grow(times):
            raise FilmFault(f"The times of the {kind} do not grow.")
    return film


def _see(film: Film, frame: Any) -> None:
    film.pictures.append(float(frame.time))
    if (frame.width, frame.height) not in film.sizes:
        film.sizes.append((frame.width, frame.height))
    plane = frame.planes[0]
    if memoryview(plane)[4 * plane.line_size + 4] > _BRIGHT:
        _note(film.flashes, film.pictures[-1])


def _hear(film: Film, frame: Any) -> None:
    film.sounds.append(float(frame.time))
    samples = array("f", bytes(frame.planes[0])[: 4 * frame.samples])
    if max(samples) > _LOUD:
        loud = next(number for number, sample in enumerate(samples) if abs(sample) > _LOUD)
        _note(film.beeps, film.sounds[-1] + loud / frame.sample_rate)


def _note(moments: list[float], moment: float) -> None:
    """The first moment of each signal; one that began before the film did is none."""
    if moment > _APART_S and (not moments or moment - moments[-1] > _APART_S):
        moments.append(moment)


def _grow(times: Sequence[float]) -> bool:
    return all(earlier < later for earlier, later in pairwise(times))
