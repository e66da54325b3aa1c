"""The same broadcast as HLS: a sliding playlist over segments (MPEG-TS or MP4) made when they are asked for."""

from io import BytesIO
from typing import TYPE_CHECKING, Literal, Protocol, cast

import av
from av.stream import Stream

from wentlive_devkit.tiktok.playout import Playout

if TYPE_CHECKING:
    # Generic in PyAV's stubs only.
    from av.packet import Packet

SEGMENT_S = 4
WINDOW = 5
LINGERS_S = 60.0
"""How long the last segments can still be had when the live is over."""
Container = Literal["ts", "m4s"]
MEDIA_TYPES: dict[Container, str] = {"ts": "video/mp2t", "m4s": "video/iso.segment"}
_SEGMENT_MS = SEGMENT_S * 1000
# Every fragment carries its own time, and the muxer neither shifts nor edits any.
_FRAGMENTED = {"movflags": "frag_keyframe+empty_moov+default_base_moof+frag_discont", "use_editlist": "0"}


def playlist(position_ms: int, suffix: str, *, container: Container = "ts", over: bool = False) -> str | None:
    """The last complete segments; None while there is none. When it is `over`, a shorter one ends it."""
    complete = position_ms // _SEGMENT_MS
    rest = position_ms % _SEGMENT_MS if over else 0
    if complete < 1 and not rest:
        return None
    first = max(complete - WINDOW, 0)
    lines = [
        "#EXTM3U",
        f"#EXT-X-VERSION:{3 if container == 'ts' else 7}",
        f"#EXT-X-TARGETDURATION:{SEGMENT_S}",
        f"#EXT-X-MEDIA-SEQUENCE:{first}",
    ]
    if container == "m4s":
        lines.append(f'#EXT-X-MAP:URI="init.mp4{suffix}"')
    for number in range(first, complete):
        lines += [f"#EXTINF:{SEGMENT_S:.3f},", f"{number}.{container}{suffix}"]
    if rest:
        lines += [f"#EXTINF:{rest / 1000:.3f},", f"{complete}.{container}{suffix}"]
    return "\n".join([*lines, *(["#EXT-X-ENDLIST"] if over else []), ""])


def is_available(number: int, position_ms: int, *, over: bool = False) -> bool:
    """Segments stay a little longer than the playlist names them."""
    complete = position_ms // _SEGMENT_MS
    return complete - 2 * WINDOW <= number < complete + (over and position_ms % _SEGMENT_MS > 0)


def span(playout: Playout, number: int, until_ms: int | None = None) -> tuple[int, int]:
    """The samples of a segment; the last one ends where the live does."""
    end_ms = (number + 1) * _SEGMENT_MS
    return playout.first_after(number * _SEGMENT_MS), playout.first_after(min(end_ms, until_ms or end_ms))


def segment(playout: Playout, number: int, *, container: Container = "ts", until_ms: int | None = None) -> bytes:
    """Segment `number`, stamped on the broadcast's own timeline; blocks for some milliseconds."""
    first, end = span(playout, number, until_ms)
    if container == "ts":
        return _muxed(playout, first, end, "mpegts", {"mpegts_copyts": "1"})
    _, media = _split(_muxed(playout, first, end, "mp4", _FRAGMENTED))
    return media


def init_segment(playout: Playout) -> bytes:
    """What precedes the fragmented MP4's segments."""
    head, _ = _split(_muxed(playout, *span(playout, 0), "mp4", _FRAGMENTED))
    return head


def _muxed(playout: Playout, first: int, end: int, form: str, options: dict[str, str]) -> bytes:
    flv = playout.opening(first, audio_only=False) + playout.tags(first, end, audio_only=False)
    out = BytesIO()
    with (
        av.open(BytesIO(flv), "r", format="flv") as source,
        av.open(out, "w", format=form, options={"avoid_negative_ts": "disabled", **options}) as container,
    ):
        target = cast("_Target", container)
        streams = {stream.index: target.add_stream_from_template(stream) for stream in source.streams}
        for packet in source.demux():
            if packet.dts is not None:
                packet.stream = streams[packet.stream.index]
                target.mux(packet)
    return out.getvalue()


def _split(file: bytes) -> tuple[bytes, bytes]:
    """A fragmented MP4 before its first fragment, and its fragments without the list of them at the end."""
    at, cuts = 0, {b"moof": len(file), b"mfra": len(file)}
    while at < len(file):
        kind = file[at + 4 : at + 8]
        if cuts.get(kind) == len(file):
            cuts[kind] = at
        at += int.from_bytes(file[at : at + 4], "big")
    return file[: cuts[b"moof"]], file[cuts[b"moof"] : cuts[b"mfra"]]


class _Target(Protocol):
    """An output container, with the types that PyAV's stubs leave open."""

    def add_stream_from_template(self, template: Stream) -> Stream: ...

    def mux(self, packets: "Packet[Stream]") -> None: ...
