"""A part's poster: its first keyframe as a JPEG, made beside the recording and never at its cost."""

from io import BytesIO
from typing import Any

import av
from av.error import FFmpegError
from av.video.frame import VideoFrame

from wentlive_recorder.errors import MuxFailed

POSTER_CONTENT_TYPE = "image/jpeg"
_LONGEST_SIDE = 1280


def poster_jpeg(opening: bytes) -> bytes:
    """The first frame of an opening FLV. Takes tens of milliseconds: call it in a thread."""
    try:
        return _encode(_first_frame(opening))
    except (FFmpegError, ValueError, IndexError) as error:
        raise MuxFailed(f"No poster could be made: {type(error).__name__}: {error}") from error


def _first_frame(opening: bytes) -> VideoFrame:
    with av.open(BytesIO(opening), "r", format="flv") as container:
        for frame in container.decode(video=0):
            return frame
    raise MuxFailed("No poster could be made: the first keyframe does not decode.")


def _encode(frame: VideoFrame) -> bytes:
    scale = min(1.0, _LONGEST_SIDE / max(frame.width, frame.height))
    width, height = (max(2, round(side * scale / 2) * 2) for side in (frame.width, frame.height))
    codec: Any = av.CodecContext.create("mjpeg", "w")  # its `encode` is incompletely annotated
    codec.width, codec.height, codec.pix_fmt = width, height, "yuvj420p"
    codec.framerate = 1
    picture = frame.reformat(width, height, "yuvj420p")
    picture.pts = 0
    return b"".join(bytes(packet) for packet in [*codec.encode(picture), *codec.encode(None)])
