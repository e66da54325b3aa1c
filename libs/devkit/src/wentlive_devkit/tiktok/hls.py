"""The same broadcast as HLS: a sliding playlist over MPEG-TS segments made when they are asked for."""

from io import BytesIO
from typing import TYPE_CHECKING, Protocol, cast

import av
from av.stream import Stream

from wentlive_devkit.tiktok.playout import Playout

if TYPE_CHECKING:
    # Generic in PyAV's stubs only.
    from av.packet import Packet

SEGMENT_S = 4
WINDOW = 5


def playlist(position_ms: int, suffix: str) -> str | None:
    """The last complete segments; None while there is none."""
    complete = position_ms // (SEGMENT_S * 1000)
    if complete < 1:
        return None
    first = max(complete - WINDOW, 0)
    lines = [
        "#EXTM3U",
        "#EXT-X-VERSION:3",
        f"#EXT-X-TARGETDURATION:{SEGMENT_S}",
        f"#EXT-X-MEDIA-SEQUENCE:{first}",
    ]
    for number in range(first, complete):
        lines += [f"#EXTINF:{SEGMENT_S:.3f},", f"{number}.ts{suffix}"]
    return "\n".join(lines) + "\n"


def is_available(number: int, position_ms: int) -> bool:
    """Segments stay a little longer than the playlist names them."""
    complete = position_ms // (SEGMENT_S * 1000)
    return complete - 2 * WINDOW <= number < complete


def segment(playout: Playout, number: int) -> bytes:
    """Segment `number` as MPEG-TS, stamped on the broadcast's own timeline; blocks for some milliseconds."""
    first = playout.first_after(number * SEGMENT_S * 1000)
    end = playout.first_after((number + 1) * SEGMENT_S * 1000)
    flv = playout.opening(first, audio_only=False) + playout.tags(first, end, audio_only=False)
    out = BytesIO()
    with (
        av.open(BytesIO(flv), "r", format="flv") as source,
        av.open(out, "w", format="mpegts", options={"mpegts_copyts": "1"}) as container,
    ):
        target = cast("_Target", container)
        streams = {stream.index: target.add_stream_from_template(stream) for stream in source.streams}
        for packet in source.demux():
            if packet.dts is not None:
                packet.stream = streams[packet.stream.index]
                target.mux(packet)
    return out.getvalue()


class _Target(Protocol):
    """An output container, with the types that PyAV's stubs leave open."""

    def add_stream_from_template(self, template: Stream) -> Stream: ...

    def mux(self, packets: "Packet[Stream]") -> None: ...
