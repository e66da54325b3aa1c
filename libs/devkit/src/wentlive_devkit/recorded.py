"""Recordings as a recorder leaves them in storage, made in a moment: for tests of what lists and plays them."""

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import Any

import av
from azure.storage.blob import BlobBlock, ContentSettings
from azure.storage.blob.aio import ContainerClient
from wentlive_common.fragment_index import (
    INDEX_CONTENT_TYPE,
    IndexClosing,
    IndexFragment,
    closing_line,
    fragment_lines,
    header_line,
    make_header,
)

RATE = 24
SAMPLE_RATE = 44_100
GOP_SECONDS = 2
MOVFLAGS = "hybrid_fragmented+frag_keyframe+empty_moov+default_base_moof"


@dataclass(frozen=True, slots=True)
class Sample:
    """One part's bytes: while it grows (`init` and `fragments`), when it is closed (`finished`), and its picture."""

    init: bytes
    fragments: tuple[bytes, ...]
    index: tuple[IndexFragment, ...]
    finished: bytes
    poster: bytes
    width: int
    height: int

    def size(self, fragments: int) -> int:
        return len(self.init) + sum(map(len, self.fragments[:fragments]))

    def duration(self, fragments: int) -> float:
        return sum(fragment.duration for fragment in self.index[:fragments])


def make_sample(seconds: int = 12, *, hue: float = 0.6, width: int = 360, height: int = 640) -> Sample:
    """A portrait clip of moving bands in a colour of its own, with a tone; a fragment every two seconds."""
    frames = [_frame(n, hue, width, height) for n in range(seconds * RATE)]
    file = io.BytesIO()
    output: Any = av.open(file, "w", format="mp4", options={"movflags": MOVFLAGS})
    video = output.add_stream("libx264", rate=RATE, options=_X264)
    video.width, video.height, video.pix_fmt = width, height, "yuv420p"
    audio = output.add_stream("aac", rate=SAMPLE_RATE)
    played = 0
    for number, frame in enumerate(frames):
        output.mux(video.encode(frame))
        while played * 1024 / SAMPLE_RATE < (number + 1) / RATE:
            output.mux(audio.encode(_tone(played, 220 + 440 * hue)))
            played += 1
    output.mux(video.encode(None))
    output.mux(audio.encode(None))
    output.close()
    return _sample(file.getvalue(), _jpeg(frames[RATE]), width, height)


_X264 = {"preset": "ultrafast", "g": str(RATE * GOP_SECONDS), "bf": "0", "sc_threshold": "0", "crf": "30"}


def _sample(finished: bytes, poster: bytes, width: int, height: int) -> Sample:
    """Cuts the finished file where its fragments are, and undoes the eight bytes that finishing put into the head."""
    first = finished.index(b"moof") - 4
    init = _fragmented_head(finished[:first])
    starts: list[int] = []
    position = first
    while position < len(finished):
        length, kind = int.from_bytes(finished[position : position + 4], "big"), finished[position + 4 : position + 8]
        if kind not in (b"moof", b"mdat"):
            break
        if kind == b"moof":
            starts.append(position)
        position += length
    ends = [*starts[1:], position]
    index = tuple(
        IndexFragment(offset=start, length=end - start, duration=float(GOP_SECONDS))
        for start, end in zip(starts, ends, strict=True)
    )
    fragments = tuple(finished[fragment.offset : fragment.end] for fragment in index)
    return Sample(init, fragments, index, finished, poster, width, height)


def _fragmented_head(head: bytes) -> bytes:
    """Before finishing, the `mdat` header that now spans the fragments was a `free` box around `moov`'s neighbours."""
    at = head.index(b"mdat") - 4
    large = int.from_bytes(head[at : at + 4], "big") == 1
    length = 16 if large else 8
    return head[:at] + length.to_bytes(4, "big") + b"free" + head[at + 8 :]


def _frame(number: int, hue: float, width: int, height: int) -> av.VideoFrame:
    frame = av.VideoFrame(width, height, "yuv420p")
    turn = number / RATE
    luma = [round(95 + 55 * math.sin(y / height * 5 + turn) + 45 * (y / height)) for y in range(height)]
    blue = [round(128 + 60 * math.sin(hue * 6.28 + y / height * 1.6)) for y in range(height // 2)]
    red = [round(128 + 60 * math.cos(hue * 6.28 + y / height * 1.6 + turn / 9)) for y in range(height // 2)]
    for plane, rows in zip(frame.planes, (luma, blue, red), strict=True):
        plane.update(b"".join(bytes((min(235, max(16, row)),)) * plane.line_size for row in rows))
    frame.pts, frame.time_base = number, Fraction(1, RATE)
    return frame


def _tone(number: int, pitch: float) -> av.AudioFrame:
    frame = av.AudioFrame(format="s16", layout="mono", samples=1024)
    first = number * 1024
    waves = (round(2500 * math.sin(6.2832 * pitch * (first + n) / SAMPLE_RATE)) for n in range(1024))
    frame.planes[0].update(b"".join(wave.to_bytes(2, "little", signed=True) for wave in waves))
    frame.sample_rate, frame.pts, frame.time_base = SAMPLE_RATE, first, Fraction(1, SAMPLE_RATE)
    return frame


def _jpeg(frame: av.VideoFrame) -> bytes:
    codec: Any = av.CodecContext.create("mjpeg", "w")
    codec.width, codec.height, codec.pix_fmt = frame.width, frame.height, "yuvj420p"
    codec.time_base = Fraction(1, RATE)
    packets = [*codec.encode(frame.reformat(format="yuvj420p")), *codec.encode(None)]
    return b"".join(bytes(packet) for packet in packets)


class StoredPart:
    """A part in storage that is written as a recorder writes it: fragment by fragment, then finished."""

    def __init__(self, container: ContainerClient, stem: str, sample: Sample, opened_at: datetime) -> None:
        self.sample = sample
        self.blob, self.index_blob, self.poster_blob = f"{stem}.mp4", f"{stem}.index", f"{stem}.jpg"
        self.opened_at = opened_at
        self.written = 0
        self.closed = False
        self._media = container.get_blob_client(self.blob)
        self._index = container.get_blob_client(self.index_blob)
        self._poster = container.get_blob_client(self.poster_blob)
        self._blocks: list[BlobBlock] = []

    async def open(self) -> None:
        await self._index.create_append_blob(content_settings=ContentSettings(content_type=INDEX_CONTENT_TYPE))
        header = make_header(
            self.sample.init, video_codec="avc1.42c01e", audio_codec="mp4a.40.2", width=self.sample.width,
            height=self.sample.height, opened_at=self.opened_at,
        )  # fmt: skip
        await self._index.append_block(header_line(header))
        await self._stage(self.sample.init)
        await self._poster.upload_blob(self.sample.poster, content_settings=ContentSettings(content_type="image/jpeg"))

    async def grow(self, fragments: int = 1) -> None:
        """Commits that many more fragments, and then says so in the index."""
        upto = min(self.written + fragments, len(self.sample.fragments))
        for media in self.sample.fragments[self.written : upto]:
            await self._stage(media)
        await self._commit(self._blocks)
        await self._index.append_block(fragment_lines(self.sample.index[self.written : upto]))
        self.written = upto

    async def close(self) -> None:
        """Makes it a standard MP4: a new head, a tail, no media byte again."""
        await self.grow(len(self.sample.fragments) - self.written) if self.written < len(
            self.sample.fragments
        ) else None
        head, tail = len(self.sample.init), self.sample.index[-1].end
        first = await self._stage(self.sample.finished[:head])
        last = await self._stage(self.sample.finished[tail:])
        await self._commit([first, *self._blocks[1:-2], last])
        closing = IndexClosing(bytes=len(self.sample.finished), duration=self.sample.duration(self.written))
        await self._index.append_block(closing_line(closing))
        self.closed = True

    @property
    def size(self) -> int:
        return len(self.sample.finished) if self.closed else self.sample.size(self.written)

    async def _stage(self, data: bytes) -> BlobBlock:
        block = BlobBlock(f"{len(self._blocks):08d}")
        await self._media.stage_block(block.id, data)
        self._blocks.append(block)
        return block

    async def _commit(self, blocks: Sequence[BlobBlock]) -> None:
        await self._media.commit_block_list(list(blocks), content_settings=ContentSettings(content_type="video/mp4"))
