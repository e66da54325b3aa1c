"""An HLS segment as FLV: FFmpeg unwraps MPEG-TS and fMP4, and rewrites NAL units and AAC to what our decoder reads.

PyAV is imported when the first segment comes, since a recording over FLV needs none of its memory.
"""

from io import BytesIO
from typing import TYPE_CHECKING, Any

from wentlive_recorder.errors import CorruptHls

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.packet import Packet

TRANSPORT_CLOCK_MS = round((1 << 33) / 90)
"""MPEG-TS counts time in 33 bits of 90 kHz, which is 26.5 hours."""
_INPUT_OPTIONS = {
    "analyzeduration": "2000000",
    # Near the end of its clock FFmpeg would begin to count from below zero, segment by segment.
    "correct_ts_overflow": "0",
}
FLV_MUXER_CLOCK_MS = 1 << 31
"""FFmpeg's FLV has one bit less than FLV."""


def segment_as_flv(media: bytes, init: bytes | None) -> bytes:
    """Takes some milliseconds: call it in a thread. Raises CorruptHls."""
    import av
    from av.error import FFmpegError

    out = BytesIO()
    try:
        with (
            av.open(BytesIO((init or b"") + media), "r", options=_INPUT_OPTIONS) as source,
            av.open(out, "w", format="flv", options={"flvflags": "no_duration_filesize"}) as target,
        ):
            _remux(source, target)
    except (FFmpegError, ValueError, IndexError, OSError) as error:
        raise CorruptHls(f"A segment cannot be read: {type(error).__name__}") from error
    return out.getvalue()


def _remux(source: "InputContainer", target: Any) -> None:
    """One picture and one sound, with the times they have; `target`'s annotations in PyAV are incomplete."""
    wanted = [*source.streams.video[:1], *source.streams.audio[:1]]
    if not wanted:
        raise CorruptHls("A segment holds neither picture nor sound.")
    streams = {stream.index: target.add_stream_from_template(stream) for stream in wanted}
    for packet in source.demux(wanted):
        if _is_whole(packet):
            packet.stream = streams[packet.stream.index]
            target.mux(packet)


def _is_whole(packet: "Packet[Any]") -> bool:
    return packet.dts is not None and packet.size > 0 and not packet.is_corrupt
