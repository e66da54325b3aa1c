"""Each creator's picture and sound, encoded once into a clip that loops without a seam."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from typing import Protocol, TypeVar, cast

from av.audio.codeccontext import AudioCodecContext
from av.audio.frame import AudioFrame
from av.codec.context import Flags
from av.filter import Graph
from av.filter.context import FilterContext
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType, VideoFrame
from wentlive_common.errors import Transient

from wentlive_devkit.tiktok import avc, flv, hevc
from wentlive_devkit.tiktok.flv import AUDIO, VIDEO, Sample, aac_frame_body, aac_header_body, metadata_body
from wentlive_devkit.tiktok.scenario import AAC_FRAME, SAMPLE_RATE, MediaScript
from wentlive_devkit.tiktok.twists import VideoCodec

AUDIO_BITRATE = 64_000
_PRIMING_FRAMES = 8
# The encoder hands out each frame's sound with the next packet, so the eighth packet plays what came seven before it.
_PRIMING_SAMPLES = (_PRIMING_FRAMES - 1) * AAC_FRAME
_FLASH_S = 0.1
_Frame = TypeVar("_Frame", VideoFrame, AudioFrame)


@dataclass(frozen=True, slots=True)
class ClipPlan:
    """All that a clip depends on."""

    media: MediaScript
    colours: tuple[str, str]
    tone_hz: int


@dataclass(frozen=True, slots=True)
class Clip:
    """One loop of encoded media. Frame n of the next loop continues exactly where this one ends."""

    loop_ms: int
    samples: tuple[Sample, ...]
    metadata: bytes
    video_header: bytes
    audio_header: bytes
    cover_png: bytes


class EncodingStopped(Transient):
    """The simulator stops, so its clips are not made any more."""


def encode(plan: ClipPlan, stopped: Callable[[], bool]) -> Clip:
    """Encodes the clip; takes about a CPU-second, so call it off the event loop. Asks `stopped` at each frame."""
    video_config, video = _encode_video(plan, stopped)
    audio_config, audio = _encode_audio(plan, stopped)
    media = plan.media
    return Clip(
        loop_ms=media.loop_s * 1000,
        samples=tuple(sorted([*video, *audio], key=lambda sample: (sample.at_ms, sample.kind != VIDEO))),
        metadata=metadata_body(
            {
                "width": media.width,
                "height": media.height,
                "framerate": media.fps,
                "videocodecid": _wrapping(media.codec).flv_id,
                "videodatarate": media.bitrate / 1000,
                "audiocodecid": 10,
                "audiosamplerate": SAMPLE_RATE,
                "audiodatarate": AUDIO_BITRATE / 1000,
            }
        ),
        video_header=_wrapping(media.codec).header(video_config),
        audio_header=aac_header_body(audio_config),
        cover_png=_still(plan),
    )


def _encode_video(plan: ClipPlan, stopped: Callable[[], bool]) -> tuple[bytes, list[Sample]]:
    media, wrapping = plan.media, _wrapping(plan.media.codec)
    context = cast("VideoCodecContext", VideoCodecContext.create(wrapping.encoder, "w"))
    context.width, context.height, context.pix_fmt = media.width, media.height, "yuv420p"
    context.framerate, context.time_base = Fraction(media.fps), Fraction(1, media.fps)
    context.bit_rate, context.gop_size, context.max_b_frames = media.bitrate, media.gop_s * media.fps, 0
    context.thread_count = 1
    context.flags |= Flags.global_header
    gop = f"scenecut=0:keyint={context.gop_size}:min-keyint={context.gop_size}"
    rate = str(media.bitrate)
    if media.codec == "h264":
        rates = {"maxrate": rate, "bufsize": rate}
        context.options = {"preset": "superfast", "profile": "main", "x264-params": gop, **rates}
    else:
        alone = "bframes=0:open-gop=0:pools=none:frame-threads=1:repeat-headers=0:info=0:log-level=none"
        context.options = {"preset": "ultrafast", "x265-params": f"{gop}:{alone}"}
    context.open()
    frames = _unless(stopped, islice(_pictures(plan), media.fps * media.loop_s))
    samples = [
        Sample(
            at_ms=number * 1000 // media.fps,
            kind=VIDEO,
            keyframe=packet.is_keyframe,
            body=wrapping.frame(wrapping.prefixed(bytes(packet)), keyframe=packet.is_keyframe),
        )
        for number, packet in enumerate(_encoded(context, frames))
    ]
    return wrapping.configuration(bytes(context.extradata or b"")), samples


class _Framing(Protocol):
    def __call__(self, frame: bytes, *, keyframe: bool) -> bytes: ...


@dataclass(frozen=True, slots=True)
class _Wrapping:
    """How a codec's output comes into FLV."""

    encoder: str
    flv_id: int
    configuration: Callable[[bytes], bytes]
    prefixed: Callable[[bytes], bytes]
    header: Callable[[bytes], bytes]
    frame: _Framing


def _wrapping(codec: VideoCodec) -> _Wrapping:
    match codec:
        case "h264":
            return _Wrapping(
                "libx264", 7, avc.configuration, avc.length_prefixed, flv.avc_header_body, flv.avc_frame_body
            )
        case "hevc":
            fourcc = int.from_bytes(b"hvc1", "big")
            own = (flv.hevc_header_body, flv.hevc_frame_body)
            return _Wrapping("libx265", fourcc, hevc.configuration, hevc.length_prefixed, *own)
        case "hevc_legacy":
            own = (flv.legacy_hevc_header_body, flv.legacy_hevc_frame_body)
            return _Wrapping("libx265", 12, hevc.configuration, hevc.length_prefixed, *own)


def _encode_audio(plan: ClipPlan, stopped: Callable[[], bool]) -> tuple[bytes, list[Sample]]:
    """The tone repeats every second, so any whole number of seconds of it joins up with itself.

    It beeps when the picture flashes: at the start of each second of the clip.
    """
    context = AudioCodecContext.create("aac", "w")
    context.sample_rate, context.layout, context.format = SAMPLE_RATE, "stereo", "fltp"
    context.bit_rate, context.time_base = AUDIO_BITRATE, Fraction(1, SAMPLE_RATE)
    context.open()
    wanted = plan.media.loop_s * SAMPLE_RATE // AAC_FRAME
    frames = _unless(stopped, islice(_tones(plan.tone_hz), wanted + 2 * _PRIMING_FRAMES))
    packets = [bytes(packet) for packet in _encoded(context, frames)][_PRIMING_FRAMES : _PRIMING_FRAMES + wanted]
    samples = [
        Sample(at_ms=number * AAC_FRAME * 1000 // SAMPLE_RATE, kind=AUDIO, keyframe=True, body=aac_frame_body(packet))
        for number, packet in enumerate(packets)
    ]
    return bytes(context.extradata or b""), samples


def _unless(stopped: Callable[[], bool], frames: Iterable[_Frame]) -> Iterator[_Frame]:
    for frame in frames:
        if stopped():
            raise EncodingStopped
        yield frame


def _pictures(plan: ClipPlan) -> Iterator[VideoFrame]:
    """A drifting gradient in the creator's colours, a test card with a running counter, and a bar that crosses."""
    media = plan.media
    rate = str(media.fps)
    card_width = media.width * 3 // 4 // 2 * 2
    card = f"{card_width}x{card_width * 9 // 16 // 2 * 2}"
    first, second = (colour.replace("#", "0x") for colour in plan.colours)
    graph = Graph()
    graph.threads = 1
    # Drawn small and stretched: a gradient does not show it, and drawing is most of the encoder's work.
    ground = f"size={media.width // 4}x{media.height // 4}:rate={rate}:c0={first}:c1={second}:n=2:speed=0.02:seed=7"
    background = graph.add("scale", f"w={media.width}:h={media.height}:flags=fast_bilinear")
    graph.link_nodes(graph.add("gradients", ground), graph.add("format", "pix_fmts=yuv420p"), background)
    counter = graph.add("testsrc2", f"size={card}:rate={rate}")
    bar = graph.add("color", f"color={second}:size={max(media.width // 18, 4)}x{media.height // 3}:rate={rate}")
    with_counter = graph.add("overlay", "x=(W-w)/2:y=(H-h)/3")
    with_bar = graph.add("overlay", "x=mod(t*W/4\\,W):y=H-h")
    marker, flash = _marker(graph, media)
    shape = graph.add("format", "pix_fmts=yuv420p")
    background.link_to(with_counter, 0, 0)
    counter.link_to(with_counter, 0, 1)
    with_counter.link_to(with_bar, 0, 0)
    bar.link_to(with_bar, 0, 1)
    graph.link_nodes(with_bar, marker, flash, shape, graph.add("buffersink")).configure()
    while True:
        picture = graph.vpull()
        # The sources mark every picture as intra, which x264 would take as an order.
        picture.pict_type = PictureType.NONE
        yield picture


def _marker(graph: Graph, media: MediaScript) -> tuple[FilterContext, FilterContext]:
    """A dark square in the upper left corner that flashes at the start of each second."""
    side = media.width // 6 // 2 * 2
    box = f"x=0:y=0:w={side}:h={side}:t=fill"
    return (
        graph.add("drawbox", f"{box}:color=black"),
        graph.add("drawbox", f"{box}:color=white:enable=lt(mod(t\\,1)\\,{_FLASH_S})"),
    )


def _tones(tone_hz: int) -> Iterator[AudioFrame]:
    """A quiet tone with a beep each second."""
    graph = Graph()
    source = graph.add("sine", f"frequency={tone_hz}:beep_factor=3:sample_rate={SAMPLE_RATE}")
    start = graph.add("atrim", f"start_sample={SAMPLE_RATE - _PRIMING_SAMPLES}")
    shape = graph.add("aformat", f"sample_fmts=fltp:channel_layouts=stereo:sample_rates={SAMPLE_RATE}")
    frames = graph.add("asetnsamples", f"n={AAC_FRAME}")
    stamps = graph.add("asetpts", "N/SR/TB")
    graph.link_nodes(source, start, shape, frames, stamps, graph.add("abuffersink")).configure()
    while True:
        yield cast("AudioFrame", graph.pull())


def _still(plan: ClipPlan) -> bytes:
    """The first picture as a PNG."""
    picture = next(_pictures(plan)).reformat(format="rgb24")
    context = VideoCodecContext.create("png", "w")
    context.width, context.height, context.pix_fmt = picture.width, picture.height, "rgb24"
    context.time_base = Fraction(1, 1)
    return b"".join(bytes(packet) for packet in _encoded(context, [picture]))


class _Packet(Protocol):
    is_keyframe: bool

    def __buffer__(self, flags: int, /) -> memoryview: ...


class _Encoder(Protocol):
    def encode(self, frame: VideoFrame | AudioFrame | None = None) -> Sequence[_Packet]: ...


def _encoded(
    context: VideoCodecContext | AudioCodecContext, frames: Iterable[VideoFrame | AudioFrame]
) -> Iterator[_Packet]:
    """Every packet of the frames; the cast names what PyAV's stubs leave open."""
    encoder = cast("_Encoder", context)
    for frame in frames:
        yield from encoder.encode(frame)
    yield from encoder.encode(None)
