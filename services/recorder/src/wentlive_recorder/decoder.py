"""From FLV tags to codec configurations and samples: the only place that knows how FLV wraps H.264, H.265 and AAC."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import NamedTuple

from wentlive_common.capture import VideoCodec

from wentlive_recorder.errors import CorruptFlv, UnsupportedCodec
from wentlive_recorder.flv import Skipped, Tag, TagKind
from wentlive_recorder.parameter_sets import Sets, is_parameter_set, parsed, updated
from wentlive_recorder.samples import AudioConfig, AudioSample, Break, CodecId, Unit, VideoConfig, VideoSample

_AVC, _LEGACY_HEVC = 7, 12
_AAC, _ENHANCED_AUDIO = 10, 9
_KEY_FRAME, _INFO_FRAME = 1, 5
_ENHANCED = 0x80
_HEADER, _CODED, _CODED_AT_ONCE = 0, 1, 3
"""Packet types; the last one is enhanced FLV's frame that is shown when it is decoded."""
_FOUR_LETTERS: dict[bytes, CodecId] = {b"avc1": "avc", b"hvc1": "hevc"}
_NAMES: dict[CodecId, VideoCodec] = {"avc": "h264", "hevc": "h265"}
_BOTH: tuple[VideoCodec, ...] = ("h264", "h265")
_LONGEST_DELAY = 10_000


class _VideoPacket(NamedTuple):
    """What stands in a video tag before its data, however it is written."""

    codec_id: CodecId
    kind: int
    delay: int
    data: bytes


class SampleDecoder:
    """Unwraps tags; remembers the video configuration, to check each frame's NAL units against it, and the clock."""

    def __init__(self, codecs: Collection[VideoCodec] = _BOTH, *, audio_only: bool = False) -> None:
        self._codecs, self._audio_only = codecs, audio_only
        self._header: VideoConfig | None = None
        self._config: VideoConfig | None = None
        self._sets: Sets = {}
        self._stamp: int | None = None
        self._time = 0
        self.clock_wraps_at: int = 1 << 32
        """FLV's clock has 32 bits and begins anew after 49 days; ours goes on."""

    def units(self, items: Iterable[Tag | Skipped]) -> Iterator[Unit]:
        """What the tags hold to record; raises CorruptFlv or UnsupportedCodec after all that came before."""
        for item in items:
            if isinstance(item, Skipped):
                yield Break(item.why)
            elif item.kind is TagKind.VIDEO:
                if not self._audio_only:
                    yield from self._video(item)
            elif item.kind is TagKind.AUDIO:
                unit = self._audio(item)
                if unit is not None:
                    yield unit

    def _video(self, tag: Tag) -> Sequence[VideoConfig | VideoSample | Break]:
        packet = _video_packet(tag.payload)
        if packet is None:
            return ()
        codec_id, kind, delay, data = packet
        if kind == _HEADER:
            return self._sequence_header(VideoConfig(data, codec_id))
        config = self._config
        if not data or config is None or codec_id != config.codec_id:
            return ()
        if not _adds_up(data, config.length_size):
            return (Break("A video frame is damaged."),)
        keyframe = tag.payload[0] >> 4 & 7 == _KEY_FRAME
        sample = VideoSample(self._unwrapped(tag.timestamp), delay, keyframe, data)
        return (*self._changed(data, config), sample) if keyframe else (sample,)

    def _sequence_header(self, header: VideoConfig) -> Sequence[VideoConfig]:
        if _NAMES[header.codec_id] not in self._codecs:
            raise UnsupportedCodec(f"The stream is {_NAMES[header.codec_id]}, which is not to be recorded.")
        if header == self._header:
            return ()  # repeated; keyframes may have brought newer parameter sets meanwhile
        config, self._sets = parsed(header)
        self._header, former, self._config = header, self._config, config
        return () if config == former else (config,)

    def _changed(self, data: bytes, config: VideoConfig) -> Sequence[VideoConfig]:
        """The new configuration when a keyframe brings parameter sets of its own that are new."""
        news = updated(config, self._sets, _parameter_sets(data, config))
        if news is config:
            return ()
        self._config, self._sets = parsed(news)
        return (self._config,)

    def _audio(self, tag: Tag) -> AudioConfig | AudioSample | None:
        payload = tag.payload
        if not payload:
            return None
        kind, data = _audio_packet(payload)
        if kind == _CODED and data:
            return AudioSample(self._unwrapped(tag.timestamp), data)
        # FFmpeg writes an empty sequence header while it does not know better, and a right one later.
        return AudioConfig(data) if kind == _HEADER and len(data) >= 2 else None

    def _unwrapped(self, stamp: int) -> int:
        if self._stamp is None:
            self._time = stamp
        else:
            wrap = self.clock_wraps_at
            step = (stamp - self._stamp) % wrap
            self._time += step if step < wrap // 2 else step - wrap
        self._stamp = stamp
        return self._time


def _video_packet(payload: bytes) -> _VideoPacket | None:
    """None for what holds no media: commands to the player, ends, metadata."""
    if not payload:
        return None
    if payload[0] & _ENHANCED:
        return _enhanced_packet(payload)
    if payload[0] >> 4 == _INFO_FRAME:
        return None
    codec_id = _legacy_codec(payload[0] & 0x0F)
    if len(payload) < 5:
        raise CorruptFlv("A video tag is shorter than its own header.")
    if payload[1] not in (_HEADER, _CODED):
        return None
    return _VideoPacket(codec_id, payload[1], _delay(payload[2:5]), payload[5:])


def _legacy_codec(codec: int) -> CodecId:
    if codec == _AVC:
        return "avc"
    if codec == _LEGACY_HEVC:
        return "hevc"
    raise UnsupportedCodec(f"The stream's video codec (FLV id {codec}) is not supported.")


def _enhanced_packet(payload: bytes) -> _VideoPacket | None:
    kind = payload[0] & 0x0F
    if payload[0] >> 4 & 7 == _INFO_FRAME or kind not in (_HEADER, _CODED, _CODED_AT_ONCE):
        return None
    codec_id = _FOUR_LETTERS.get(payload[1:5])
    if codec_id is None:
        name = payload[1:5].decode("ascii", "replace")
        raise UnsupportedCodec(f"The stream's video codec ({name!r}, enhanced FLV) is not supported.")
    if kind == _CODED:
        return _VideoPacket(codec_id, _CODED, _delay(payload[5:8]), payload[8:])
    return _VideoPacket(codec_id, _HEADER if kind == _HEADER else _CODED, 0, payload[5:])


def _delay(field: bytes) -> int:
    delay = int.from_bytes(field, "big", signed=True)
    return delay if -_LONGEST_DELAY <= delay <= _LONGEST_DELAY else 0


def _audio_packet(payload: bytes) -> tuple[int, bytes]:
    codec = payload[0] >> 4
    if codec == _AAC:
        return (_HEADER if payload[1:2] == b"\x00" else _CODED), payload[2:]
    if codec != _ENHANCED_AUDIO:
        raise UnsupportedCodec(f"The stream's audio codec (FLV id {codec}) is not supported.")
    if payload[1:5] != b"mp4a":
        name = payload[1:5].decode("ascii", "replace")
        raise UnsupportedCodec(f"The stream's audio codec ({name!r}, enhanced FLV) is not supported.")
    return payload[0] & 0x0F, payload[5:]


def _adds_up(data: bytes, width: int) -> bool:
    """Whether the NAL units' lengths add up to the frame: one that does not would corrupt the file around it."""
    position, end = 0, len(data)
    while position < end:
        position += width + int.from_bytes(data[position : position + width], "big")
    return position == end


def _parameter_sets(data: bytes, config: VideoConfig) -> list[bytes]:
    """The keyframe's own parameter sets; its NAL units add up."""
    found: list[bytes] = []
    position, width = 0, config.length_size
    while position < len(data):
        start = position + width
        position = start + int.from_bytes(data[position:start], "big")
        if position > start and is_parameter_set(config.codec_id, data[start]):
            found.append(data[start:position])
    return found
