"""Streams made of real, small H.264 and AAC, encoded once."""

from fractions import Fraction
from io import BytesIO

import av
import pytest
from wentlive_recorder.decoder import SampleDecoder
from wentlive_recorder.flv import FlvReader, Tag, TagKind
from wentlive_recorder.fragment import Fragment
from wentlive_recorder.muxer import PartMuxer
from wentlive_recorder.splitter import PartSplitter, Start, Write


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
    return [tag for tag in FlvReader().feed(flv) if isinstance(tag, Tag)]


def flv_of(tags: list[Tag], *, shift: int = 0) -> bytes:
    """An FLV of these tags, all moved by `shift` milliseconds."""
    parts = [b"FLV\x01\x05\x00\x00\x00\x09\x00\x00\x00\x00"]
    for tag in tags:
        stamp = (tag.timestamp + shift) & 0xFFFFFFFF
        head = bytes([tag.kind]) + len(tag.payload).to_bytes(3, "big")
        head += (stamp & 0xFFFFFF).to_bytes(3, "big") + bytes([stamp >> 24, 0, 0, 0])
        parts.append(head + tag.payload + (len(tag.payload) + 11).to_bytes(4, "big"))
    return b"".join(parts)


_AS_THEY_ARE = {"mpegts": {"mpegts_copyts": "1"}, "mp4": {"movflags": "frag_keyframe+empty_moov+default_base_moof"}}


def remuxed(flv: bytes, container: str) -> bytes:
    """The same packets, with their times, as MPEG-TS or as fragmented MP4."""
    out = BytesIO()
    with (
        av.open(BytesIO(flv), "r") as source,
        av.open(out, "w", format=container, options=_AS_THEY_ARE[container]) as target,
    ):
        tracks = {stream.index: target.add_stream_from_template(stream) for stream in source.streams}
        for packet in source.demux():
            if packet.dts is not None:
                packet.stream = tracks[packet.stream.index]
                target.mux(packet)
    return out.getvalue()


class Muxed:
    """The first part of an FLV, as it is while live and when it is finished."""

    def __init__(self, flv: bytes, *, audio_only: bool = False) -> None:
        reader, decoder = FlvReader(), SampleDecoder(audio_only=audio_only)
        splitter, muxer = PartSplitter(audio_only=audio_only), None
        self.fragments: list[Fragment] = []
        for unit in decoder.units(reader.feed(flv)):
            for action in splitter.push(unit, expects_audio=reader.has_audio):
                if isinstance(action, Start):
                    muxer = PartMuxer(action)
                elif isinstance(action, Write) and muxer:
                    self.fragments += muxer.write(action)
        assert muxer is not None
        self.close(muxer)

    def close(self, muxer: PartMuxer) -> None:
        self.info, self.init = muxer.info, muxer.init_segment
        last, self.ending = muxer.close()
        self.fragments += last
        self.tail = b"".join(self.ending.tail)
        assert len(self.tail) == self.ending.tail_size
        assert len(self.ending.head) == len(self.init)

    @classmethod
    def of(cls, start: Start, writes: list[Write]) -> "Muxed":
        """A part of samples that no stream has brought."""
        muxed, muxer = cls.__new__(cls), PartMuxer(start)
        muxed.fragments = [fragment for write in writes for fragment in muxer.write(write)]
        muxed.close(muxer)
        return muxed

    def live(self, count: int | None = None) -> bytes:
        return self.init + b"".join(fragment.data for fragment in self.fragments[:count])

    @property
    def finished(self) -> bytes:
        return self.ending.head + self.live()[len(self.init) :] + self.tail


class Streams:
    """The tools above, as a fixture: tests cannot import a conftest."""

    encode = staticmethod(encode_flv)
    tags = staticmethod(tags_of)
    flv = staticmethod(flv_of)
    remuxed = staticmethod(remuxed)
    muxed = Muxed
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
