"""From FLV tags to codec configurations and samples: the only place that knows how FLV wraps H.264 and AAC."""

from typing import NamedTuple

from wentlive_recorder.errors import CorruptFlv, UnsupportedCodec
from wentlive_recorder.flv import Tag, TagKind

_AVC, _LEGACY_HEVC = 7, 12
_AAC = 10
_SEQUENCE_HEADER, _CODED = 0, 1
_INFO_FRAME = 5
_KEY_FRAME = 1
_ENHANCED = 0x80


class VideoConfig(NamedTuple):
    """H.264's `avcC`: two parts of a stream belong into one track only while this stays byte for byte the same."""

    data: bytes

    @property
    def codec(self) -> str:
        """RFC 6381, such as `avc1.64001f`."""
        return f"avc1.{self.data[1:4].hex()}"

    @property
    def length_size(self) -> int:
        return (self.data[4] & 3) + 1


class AudioConfig(NamedTuple):
    """AAC's AudioSpecificConfig."""

    data: bytes

    @property
    def codec(self) -> str:
        """RFC 6381, such as `mp4a.40.2`."""
        kind = self.data[0] >> 3
        if kind == 31:
            kind = 32 + ((self.data[0] & 7) << 3 | self.data[1] >> 5)
        return f"mp4a.40.{kind}"


class VideoSample(NamedTuple):
    """One frame, length-prefixed NAL units; it is decoded at `dts` and shown `delay` later, in milliseconds."""

    dts: int
    delay: int
    keyframe: bool
    data: bytes


class AudioSample(NamedTuple):
    """One raw AAC frame; time in milliseconds."""

    dts: int
    data: bytes


Sample = VideoSample | AudioSample
Unit = VideoConfig | AudioConfig | Sample


class SampleDecoder:
    """Unwraps tags; remembers the video configuration, to check each frame's NAL units against it."""

    def __init__(self) -> None:
        self._video: VideoConfig | None = None

    def decode(self, tag: Tag) -> Unit | None:
        """The tag's content, or None when it holds nothing to record; raises CorruptFlv or UnsupportedCodec."""
        if tag.kind is TagKind.VIDEO:
            return self._video_unit(tag)
        if tag.kind is TagKind.AUDIO:
            return _audio_unit(tag)
        return None

    def _video_unit(self, tag: Tag) -> VideoConfig | VideoSample | None:
        payload = tag.payload
        if not payload or payload[0] >> 4 == _INFO_FRAME:
            return None
        _check_video_codec(payload)
        if len(payload) < 5:
            raise CorruptFlv("An H.264 tag is shorter than its own header.")
        if payload[1] == _SEQUENCE_HEADER:
            self._video = _video_config(payload[5:])
            return self._video
        if payload[1] != _CODED or len(payload) == 5:
            return None
        return self._frame(tag)

    def _frame(self, tag: Tag) -> VideoSample | None:
        if self._video is None:
            return None
        payload = tag.payload
        data = payload[5:]
        _check_nal_units(data, self._video.length_size)
        delay = int.from_bytes(payload[2:5], "big", signed=True)
        return VideoSample(tag.timestamp, delay, payload[0] >> 4 == _KEY_FRAME, data)


def _check_video_codec(payload: bytes) -> None:
    if payload[0] & _ENHANCED:
        name = payload[1:5].decode("ascii", "replace")
        raise UnsupportedCodec(f"The stream's video codec ({name!r}, enhanced FLV) is not supported yet.")
    codec = payload[0] & 0x0F
    if codec == _LEGACY_HEVC:
        raise UnsupportedCodec("The stream's video codec (H.265, FLV id 12) is not supported yet.")
    if codec != _AVC:
        raise UnsupportedCodec(f"The stream's video codec (FLV id {codec}) is not supported.")


def _video_config(data: bytes) -> VideoConfig:
    if len(data) < 7 or data[0] != 1:
        raise CorruptFlv("The H.264 sequence header is damaged.")
    return VideoConfig(data)


def _check_nal_units(data: bytes, length_size: int) -> None:
    """The lengths must add up to the frame: a frame that does not would corrupt the file around it."""
    position, end = 0, len(data)
    while position < end:
        position += length_size + int.from_bytes(data[position : position + length_size], "big")
    if position != end:
        raise CorruptFlv("A video frame's NAL units do not add up to its size.")


def _audio_unit(tag: Tag) -> AudioConfig | AudioSample | None:
    payload = tag.payload
    if not payload:
        return None
    if payload[0] >> 4 != _AAC:
        raise UnsupportedCodec(f"The stream's audio codec (FLV id {payload[0] >> 4}) is not supported.")
    if len(payload) < 3:
        return None
    if payload[1] != _SEQUENCE_HEADER:
        return AudioSample(tag.timestamp, payload[2:])
    if len(payload) < 4:
        raise CorruptFlv("The AAC sequence header is damaged.")
    return AudioConfig(payload[2:])
