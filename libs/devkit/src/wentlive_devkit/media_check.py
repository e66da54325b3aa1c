"""Decodes media to the last frame, because a file that merely opens proves nothing."""

import io
from typing import Any

import av
from av.error import FFmpegError
from wentlive_common.errors import Permanent
from wentlive_common.model import Model


class MediaFault(Permanent):
    """The media cannot be decoded, or is not the standard MP4 it should be."""


class MediaReport(Model):
    video_frames: int
    audio_frames: int
    duration: float
    """Seconds from the first frame shown to the end of the last."""


def decode_fully(media: bytes) -> MediaReport:
    """Decodes every frame of a finished part and checks that it is one seekable MP4; raises `MediaFault`."""
    boxes = [kind for kind, _ in top_level_boxes(media)]
    if "moov" not in boxes or "mdat" not in boxes or "moof" in boxes:
        raise MediaFault(f"Not a standard MP4: its boxes are {' '.join(boxes)}.")
    try:
        with av.open(io.BytesIO(media), mode="r") as container:
            return _decode(container)
    except FFmpegError as error:
        raise MediaFault(f"The media cannot be decoded: {error}") from error


def decode_some(media: bytes) -> None:
    """Decodes at least one picture of a fragment or an image; raises `MediaFault`."""
    try:
        with av.open(io.BytesIO(media), mode="r") as container:
            if next(container.decode(video=0), None) is None:
                raise MediaFault("There is no picture in it.")
    except (FFmpegError, IndexError) as error:
        raise MediaFault(f"The media cannot be decoded: {error}") from error


def top_level_boxes(media: bytes) -> list[tuple[str, int]]:
    """Type and size of each top-level box of an MP4."""
    boxes: list[tuple[str, int]] = []
    at = 0
    while at + 8 <= len(media):
        size = int.from_bytes(media[at : at + 4])
        kind = media[at + 4 : at + 8].decode("latin-1")
        if size == 1:
            size = int.from_bytes(media[at + 8 : at + 16])
        if size < 8 or at + size > len(media):
            raise MediaFault(f"The {kind} box at {at} does not fit into the file.")
        boxes.append((kind, size))
        at += size
    return boxes


def _decode(container: Any) -> MediaReport:
    video, audio = container.streams.video[0], container.streams.audio[0]
    # Errors in the bitstream become exceptions instead of grey pictures.
    video.codec_context.options = {"err_detect": "explode"}
    pictures, sounds, end = 0, 0, 0.0
    for frame in container.decode(video, audio):
        if isinstance(frame, av.VideoFrame):
            pictures += 1
            end = max(end, float(frame.time or 0) + float(1 / (video.average_rate or 30)))
        else:
            sounds += 1
            end = max(end, float(frame.time or 0) + frame.samples / frame.sample_rate)
    if pictures < video.frames:
        raise MediaFault(f"{pictures} of {video.frames} pictures could be decoded.")
    return MediaReport(video_frames=pictures, audio_frames=sounds, duration=end)
