"""Streams made of real, small H.264 and AAC, encoded once."""

from fractions import Fraction
from io import BytesIO

import av
import pytest
from wentlive_recorder.flv import FlvReader, Tag, TagKind


def encode_flv(seconds: float, *, width: int = 96, height: int = 160, gop: int = 20, audio: bool = True) -> bytes:
    """20 frames a second with B-frames, mono AAC."""
    target = BytesIO()
    with av.open(target, "w", format="flv") as container:
        video = container.add_stream("libx264", rate=20, options={"preset": "ultrafast", "bf": "2", "g": str(gop)})
        video.width, video.height, video.pix_fmt = width, height, "yuv420p"
        sound = container.add_stream("aac", rate=22050, layout="mono") if audio else None
        done = 0
        for number in range(int(seconds * 20)):
            frame = av.VideoFrame(width, height, "yuv420p")
            for shade, plane in enumerate(frame.planes):
                plane.update(bytes([(number * 5 + shade * 60) % 256]) * plane.buffer_size)
            frame.pts, frame.time_base = number, Fraction(1, 20)
            container.mux(video.encode(frame))
            while sound and done / 22050 < number / 20:
                silence = av.AudioFrame(format="fltp", layout="mono", samples=1024)
                silence.planes[0].update(bytes(silence.planes[0].buffer_size))
                silence.sample_rate, silence.pts, silence.time_base = 22050, done, Fraction(1, 22050)
                container.mux(sound.encode(silence))
                done += 1024
        for stream in (video, sound):
            container.mux(stream.encode(None) if stream else [])
    return target.getvalue()


def tags_of(flv: bytes) -> list[Tag]:
    return list(FlvReader().feed(flv))


def flv_of(tags: list[Tag], *, shift: int = 0) -> bytes:
    """An FLV of these tags, all moved by `shift` milliseconds."""
    parts = [b"FLV\x01\x05\x00\x00\x00\x09\x00\x00\x00\x00"]
    for tag in tags:
        stamp = (tag.timestamp + shift) & 0xFFFFFFFF
        head = bytes([tag.kind]) + len(tag.payload).to_bytes(3, "big")
        head += (stamp & 0xFFFFFF).to_bytes(3, "big") + bytes([stamp >> 24, 0, 0, 0])
        parts.append(head + tag.payload + (len(tag.payload) + 11).to_bytes(4, "big"))
    return b"".join(parts)


class Streams:
    """The tools above, as a fixture: tests cannot import a conftest."""

    encode = staticmethod(encode_flv)
    tags = staticmethod(tags_of)
    flv = staticmethod(flv_of)
    video_kind = TagKind.VIDEO


@pytest.fixture(scope="session")
def streams() -> type[Streams]:
    return Streams


@pytest.fixture(scope="session")
def portrait() -> bytes:
    """Twelve seconds of 96x160, a keyframe each second."""
    return encode_flv(12)


@pytest.fixture(scope="session")
def landscape() -> bytes:
    return encode_flv(8, width=160, height=96)
