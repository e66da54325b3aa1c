"""Turns a keyframe into pixels and pixels into JPEGs, by FFmpeg.

Importing this costs 23 MB, so that only the worker does, when the first picture is due.
"""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import av
from av.error import FFmpegError
from av.video.frame import VideoFrame

from wentlive_recorder.errors import PictureFailed
from wentlive_recorder.pictures.storyboard import Sheet, Tile, Tiling
from wentlive_recorder.samples import VideoConfig

_DECODERS = {"avc": "h264", "hevc": "hevc"}
MOST_PIXELS = 9_000_000
"""Beyond 4K: a configuration that claims more would have memory allocated for it."""
_ROWS = 24


def decode(config: VideoConfig, keyframe: bytes, *, finely: bool) -> VideoFrame:
    """The picture that a keyframe holds. `finely` smooths the blocks' edges, for a tenth more CPU.

    Raises PictureFailed. A decoder lives for one picture: kept open, it would keep several pictures' memory.
    """
    with _picture_errors():
        decoder: Any = av.CodecContext.create(_DECODERS[config.codec_id], "r")
        decoder.extradata = config.data
        decoder.thread_count = 1
        decoder.options = {"max_pixels": str(MOST_PIXELS), "skip_loop_filter": "default" if finely else "all"}
        frames: list[VideoFrame] = [*decoder.decode(av.Packet(keyframe)), *decoder.decode(None)]
    if not frames or frames[0].is_corrupt:
        raise PictureFailed("A keyframe does not decode to a whole picture.")
    return frames[0]


def luma_rows(frame: VideoFrame) -> list[bytes]:
    """Some rows, spread evenly over the picture."""
    with _picture_errors():
        gray = frame if _has_plain_luma(frame) else frame.reformat(format="yuv420p")
        plane = gray.planes[0]
        pixels, stride = memoryview(plane), plane.line_size
        step = max(gray.height // _ROWS, 1)
        return [bytes(pixels[y * stride : y * stride + gray.width]) for y in range(step // 2, gray.height, step)]


def jpeg(frame: VideoFrame, *, width: int | None = None, longest: int | None = None, quality: int = 3) -> bytes:
    """At most so large; `quality` is FFmpeg's: 2 is best, 31 is worst."""
    shrink = min(
        1.0,
        width / frame.width if width else 1.0,
        longest / max(frame.width, frame.height) if longest else 1.0,
    )
    wide, high = (max(2, round(side * shrink / 2) * 2) for side in (frame.width, frame.height))
    with _picture_errors():
        return _encoded(frame.reformat(wide, high, "yuvj420p"), quality)


def tile(frame: VideoFrame, tiling: Tiling) -> Tile:
    with _picture_errors():
        small = frame.reformat(tiling.tile_width, tiling.tile_height, "yuvj420p")
        return tuple(_packed(plane) for plane in small.planes)


def sprite(sheet: Sheet) -> bytes:
    with _picture_errors():
        frame = VideoFrame(sheet.width, sheet.height, "yuvj420p")
        for plane, pixels in zip(frame.planes, sheet.planes, strict=True):
            _fill(plane, pixels)
        return _encoded(frame, quality=5)


def _encoded(picture: VideoFrame, quality: int) -> bytes:
    codec: Any = av.CodecContext.create("mjpeg", "w")  # its `encode` is incompletely annotated
    codec.width, codec.height, codec.pix_fmt = picture.width, picture.height, "yuvj420p"
    codec.framerate, codec.thread_count = 1, 1
    codec.qmin = codec.qmax = quality
    picture.pts = 0
    return b"".join(bytes(packet) for packet in [*codec.encode(picture), *codec.encode(None)])


def _has_plain_luma(frame: VideoFrame) -> bool:
    layout = frame.format
    return layout.is_planar and layout.components[0].bits == 8 and not layout.is_rgb


def _packed(plane: Any) -> bytes:
    """Without the padding at the end of each row."""
    pixels, stride = memoryview(plane), plane.line_size
    return b"".join(pixels[y * stride : y * stride + plane.width] for y in range(plane.height))


def _fill(plane: Any, pixels: memoryview) -> None:
    there, stride, width = memoryview(plane), plane.line_size, plane.width
    for y in range(plane.height):
        there[y * stride : y * stride + width] = pixels[y * width : (y + 1) * width]


@contextmanager
def _picture_errors() -> Generator[None]:
    try:
        yield
    except (FFmpegError, ValueError, IndexError, MemoryError) as error:
        raise PictureFailed(f"No picture could be made: {type(error).__name__}: {error}") from error
