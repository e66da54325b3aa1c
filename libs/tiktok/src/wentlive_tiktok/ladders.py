"""Both of TikTok's quality ladders as one flat list of streams."""

import re
from collections.abc import Iterable, Iterator
from itertools import islice
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from pydantic import TypeAdapter, ValidationError

from wentlive_tiktok.payload import (
    LadderPayload,
    LiveRoomPayload,
    SdkParamsPayload,
    SourcePayload,
    StreamsPayload,
    UpstreamChanged,
    Url,
    read,
)
from wentlive_tiktok.streams import Codec, Protocol, Role, StreamCandidate

ORIGIN = "origin"
AUDIO_ONLY = "ao"
ORIGIN_LEVEL = 10
MOST_STREAMS = 64
_USUAL_LEVELS = {ORIGIN: ORIGIN_LEVEL, "uhd_60": 6, "uhd": 5, "hd_60": 4, "hd": 3, "sd": 2, "ld": 1, AUDIO_ONLY: 0}
_CODECS: dict[str, Codec] = {"h264": "h264", "h265": "h265", "bytevc1": "h265"}
_RESOLUTION = re.compile(r"([0-9]{2,5})x([0-9]{2,5})")
_QUALITY = re.compile(r"[A-Za-z0-9_-]{1,32}")
_URL: TypeAdapter[str] = TypeAdapter(Url)


def streams_of(room: LiveRoomPayload) -> tuple[StreamCandidate, ...]:
    """Every stream of both ladders, in TikTok's order; one unreadable ladder does not hide the other."""
    found: list[StreamCandidate] = []
    trouble: UpstreamChanged | None = None
    for name, ladder in (("streamData", room.stream_data), ("hevcStreamData", room.hevc_stream_data)):
        try:
            found += ladder_streams(ladder, f"data.liveRoom.{name}.pull_data.stream_data")
        except UpstreamChanged as error:
            trouble = error
    if trouble and not found:
        raise trouble
    return with_derived(found)


def with_derived(found: Iterable[StreamCandidate]) -> tuple[StreamCandidate, ...]:
    """Each URL once, the first mention of it, and the origin where only its sound is named."""
    unique: dict[str, StreamCandidate] = {}
    for candidate in islice(found, MOST_STREAMS):
        unique.setdefault(candidate.url, candidate)
    streams = tuple(unique.values())
    return streams + tuple(_derived_origins(streams))


def has_ladder(room: LiveRoomPayload) -> bool:
    """Whether TikTok shows this guest any stream at all."""
    ladders = (room.stream_data, room.hevc_stream_data)
    return any(ladder and ladder.pull_data and ladder.pull_data.stream_data for ladder in ladders)


def ladder_streams(ladder: LadderPayload | None, path: str) -> Iterator[StreamCandidate]:
    """The streams of one ladder; raises UpstreamChanged with the path when it cannot be read."""
    if ladder is None or ladder.pull_data is None or not ladder.pull_data.stream_data:
        return
    streams = read(StreamsPayload, ladder.pull_data.stream_data, path)
    options = ladder.pull_data.options
    levels = {quality.sdk_key: quality.level for quality in (options and options.qualities) or () if quality}
    for quality, variant in streams.data.items():
        if not _QUALITY.fullmatch(quality):
            continue
        level = levels.get(quality, _USUAL_LEVELS.get(quality, 0))
        if variant and variant.main:
            yield from _source_streams(variant.main, quality, level, "main")
        if variant and variant.backup:
            yield from _source_streams(variant.backup, quality, level, "backup")


def _source_streams(source: SourcePayload, quality: str, level: int, role: Role) -> Iterator[StreamCandidate]:
    params = _params(source.sdk_params)
    size = _RESOLUTION.fullmatch(params.resolution)
    codec = "audio" if quality == AUDIO_ONLY else _CODECS.get(params.codec.lower(), "unknown")
    protocols: tuple[tuple[Protocol, str], ...] = (("flv", source.flv), ("hls", source.hls))
    for protocol, url in protocols:
        if is_url(url):
            yield StreamCandidate(
                url=url,
                protocol=protocol,
                quality=quality,
                level=level,
                codec=codec,
                width=int(size[1]) if size else None,
                height=int(size[2]) if size else None,
                bitrate=params.bitrate or None,
                role=role,
            )


def _params(text: str) -> SdkParamsPayload:
    """What TikTok says about a stream; nothing known when it cannot be read, for the stream itself may be fine."""
    try:
        return SdkParamsPayload.model_validate_json(text or "{}")
    except ValidationError:
        return SdkParamsPayload()


def is_url(text: str) -> bool:
    try:
        _URL.validate_python(text)
    except ValidationError:
        return False
    return True


def _derived_origins(streams: tuple[StreamCandidate, ...]) -> Iterator[StreamCandidate]:
    """The audio-only FLV is the origin's FLV with a parameter more, under the same signature."""
    if any(candidate.quality == ORIGIN for candidate in streams):
        return
    for candidate in streams:
        if candidate.codec == "audio" and candidate.protocol == "flv":
            url = _without_audio_only(candidate.url)
            if url != candidate.url:
                # The audio stream's own VCodec says h264 even where the origin is h265.
                yield StreamCandidate(
                    url=url,
                    protocol="flv",
                    quality=ORIGIN,
                    level=ORIGIN_LEVEL,
                    codec="unknown",
                    role=candidate.role,
                )


def _without_audio_only(url: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError:
        return url
    query = [(key, value) for key, value in parse_qsl(parts.query, keep_blank_values=True) if key != "only_audio"]
    return urlunsplit(parts._replace(query=urlencode(query)))
