"""One part's MP4: samples in, fragments out as they complete, and at the end what makes it a standard file.

No demuxer runs, and so no thread and no pipe: FFmpeg reads a tiny FLV of the sequence headers and the first keyframe
once, which fills in the tracks' parameters, and from then on packets are built straight from the tags.
"""

from collections.abc import Generator
from contextlib import contextmanager
from fractions import Fraction
from io import BytesIO
from typing import TYPE_CHECKING, Any, cast

import av
from av.error import FFmpegError

from wentlive_recorder.errors import MuxFailed
from wentlive_recorder.fragment import Ending, Fragment, MediaInfo
from wentlive_recorder.mp4_file import GrowingMp4
from wentlive_recorder.samples import VideoSample
from wentlive_recorder.splitter import Start, Write

if TYPE_CHECKING:
    from av.container import OutputContainer
    from av.stream import Stream

_MILLISECOND = Fraction(1, 1000)
_AAC_FRAME = 1024
_MUX_ERRORS = (FFmpegError, ValueError, IndexError, EOFError)
_MUXER_OPTIONS = {
    "movflags": "hybrid_fragmented+frag_keyframe+empty_moov+default_base_moof",
    # A fragment is lost whole when the recorder is killed, so long groups of pictures are cut (microseconds).
    "frag_duration": "4000000",
    "min_frag_duration": "500000",
    # One track falling silent must not hold the other back in the muxer's queue (microseconds).
    "max_interleave_delta": "1000000",
    "flush_packets": "1",
}


class PartMuxer:
    """The MP4 of one part. Times count from the part's start, in milliseconds."""

    def __init__(self, start: Start) -> None:
        self._file = GrowingMp4()
        self._last_video = 0
        with _mux_errors(), av.open(BytesIO(opening_flv(start)), "r", format="flv") as probe:
            output: OutputContainer = av.open(cast("BytesIO", self._file), "w", format="mp4", options=_MUXER_OPTIONS)
            self._output: Any = output  # PyAV's own annotations of what follows are incomplete
            video = probe.streams.video[0]
            self.info = MediaInfo(
                start.video.codec, start.audio.codec if start.audio else None, video.width, video.height
            )
            self._check_size()
            self._video: Stream = self._output.add_stream_from_template(video, opaque=True)
            self._audio: Stream | None = None
            if start.audio is not None:
                audio = probe.streams.audio[0]
                self._audio_frame_ms = round(_AAC_FRAME * 1000 / (audio.rate or 44100))
                self._audio = self._output.add_stream_from_template(audio, opaque=True)

    @property
    def init_segment(self) -> bytes:
        """Known from the first fragment on."""
        return bytes(self._file.head)

    def write(self, write: Write) -> list[Fragment]:
        """Takes the next sample; returns the fragments that it completes."""
        sample, at = write
        packet = av.Packet(sample.data)
        packet.time_base = _MILLISECOND
        packet.dts = packet.pts = at
        packet.is_keyframe = True
        if isinstance(sample, VideoSample):
            packet.stream = self._video
            packet.pts = max(at + sample.delay, at)
            packet.is_keyframe = sample.keyframe
            packet.duration, self._last_video = at - self._last_video, at
        elif self._audio is not None:
            packet.stream = self._audio
            packet.duration = self._audio_frame_ms
        else:
            return []
        try:
            self._output.mux_one(packet)
        except _MUX_ERRORS as error:
            raise _mux_failed(error) from error
        return self._file.take_fragments()

    def close(self) -> tuple[list[Fragment], Ending]:
        """The last fragments, and the ending to store after them."""
        with _mux_errors():
            self._output.close()
        fragments = self._file.take_fragments()
        return fragments, Ending(bytes(self._file.head), self._file.take_tail())

    def _check_size(self) -> None:
        if self.info.width <= 0 or self.info.height <= 0:
            raise MuxFailed("The stream's first keyframe does not say how large the picture is.")


def opening_flv(start: Start) -> bytes:
    """The shortest FLV that FFmpeg can open: the sequence headers and the first keyframe."""
    flv = [b"FLV\x01\x05\x00\x00\x00\x09\x00\x00\x00\x00", _flv_tag(9, b"\x17\x00\x00\x00\x00" + start.video.data)]
    if start.audio is not None:
        flv.append(_flv_tag(8, b"\xaf\x00" + start.audio.data))
    flv.append(_flv_tag(9, b"\x17\x01\x00\x00\x00" + start.keyframe.data))
    return b"".join(flv)


def _flv_tag(kind: int, payload: bytes) -> bytes:
    size = len(payload)
    return b"%c%b%b%b%b" % (kind, size.to_bytes(3, "big"), bytes(7), payload, (size + 11).to_bytes(4, "big"))


@contextmanager
def _mux_errors() -> Generator[None]:
    try:
        yield
    except _MUX_ERRORS as error:
        raise _mux_failed(error) from error


def _mux_failed(error: Exception) -> MuxFailed:
    return MuxFailed(f"The media could not be written as MP4: {type(error).__name__}: {error}")
