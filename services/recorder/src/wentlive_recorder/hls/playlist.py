"""The little of an HLS playlist that a recorder needs (RFC 8216), read from what a stranger sent."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import urljoin, urlsplit

from wentlive_recorder.errors import NotHls

_MOST_LINES = 20_000
_MOST_SEGMENTS = 5_000
_LONGEST_SEGMENT = 600.0
_LARGEST_NUMBER = 2**62
_ATTRIBUTE = re.compile(r'([A-Z0-9-]+)=("[^"]*"|[^",]*)')


@dataclass(frozen=True, slots=True)
class Resource:
    """A file, or a stretch (offset and length) of one."""

    url: str
    stretch: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Segment:
    """A few seconds of media."""

    number: int
    media: Resource
    seconds: float
    init: Resource | None = None
    """What an fMP4 segment needs before it."""
    discontinuity: bool = False
    """Whether the times, or the tracks, begin anew here."""
    gap: bool = False
    """Whether the server says itself that it has not got it."""


@dataclass(frozen=True, slots=True)
class MediaPlaylist:
    segments: tuple[Segment, ...]
    target: float
    """Seconds; no segment is longer, and the playlist changes about as often."""
    ended: bool


@dataclass(frozen=True, slots=True)
class MasterPlaylist:
    """The addresses of one stream in several sizes, the best first."""

    variants: tuple[str, ...]


def parse_playlist(data: bytes, base: str) -> MediaPlaylist | MasterPlaylist:
    """Reads either kind; `base` is the playlist's own address. Raises NotHls."""
    text = data.decode("utf-8", "replace").removeprefix("\ufeff")
    lines = [line for line in map(str.strip, text.splitlines()[:_MOST_LINES]) if line]
    if lines[:1] != ["#EXTM3U"]:
        raise NotHls(f"The address gives no HLS playlist: it begins with {data[:24]!r}")
    if any(line.startswith("#EXT-X-STREAM-INF") for line in lines):
        return _master(lines, base)
    return _MediaReader(base).read(lines)


def _master(lines: list[str], base: str) -> MasterPlaylist:
    variants: list[tuple[int, str]] = []
    bandwidth: int | None = None
    for line in lines:
        if line.startswith("#EXT-X-STREAM-INF:"):
            bandwidth = _number(_attributes(line).get("BANDWIDTH", "0"))
        elif not line.startswith("#") and bandwidth is not None:
            variants.append((bandwidth, _joined(base, line)))
            bandwidth = None
    if not variants:
        raise NotHls("The HLS playlist names no stream.")
    return MasterPlaylist(tuple(url for _, url in sorted(variants, key=lambda variant: -variant[0])))


@dataclass(slots=True)
class _MediaReader:
    """Goes through a media playlist line by line; a tag holds for the segment that follows it, or for all of them."""

    base: str
    number: int = 0
    target: float = 5.0
    ended: bool = False
    init: Resource | None = None
    seconds: float = 0.0
    discontinuity: bool = False
    gap: bool = False
    stretch: tuple[int | None, int] | None = None
    end_of_stretch: int = 0
    segments: list[Segment] = field(default_factory=list[Segment])

    def read(self, lines: list[str]) -> MediaPlaylist:
        for line in lines:
            if line.startswith("#EXT"):
                self._tag(line)
            elif not line.startswith("#"):
                self._segment(line)
        return MediaPlaylist(tuple(self.segments[-_MOST_SEGMENTS:]), self.target, self.ended)

    def _tag(self, line: str) -> None:
        name, _, value = line.partition(":")
        match name:
            case "#EXTINF":
                self.seconds = _seconds(value.partition(",")[0])
            case "#EXT-X-TARGETDURATION":
                self.target = max(_seconds(value), 0.5)
            case "#EXT-X-MEDIA-SEQUENCE":
                self.number = self.number if self.segments else _number(value)
            case "#EXT-X-MAP":
                self._map(_attributes(line))
            case "#EXT-X-BYTERANGE":
                self.stretch = _stretch(value)
            case "#EXT-X-KEY":
                if _attributes(line).get("METHOD", "NONE") != "NONE":
                    raise NotHls("The HLS stream is encrypted; it cannot be recorded.")
            case _:
                self._flag(name)

    def _flag(self, name: str) -> None:
        match name:
            case "#EXT-X-DISCONTINUITY":
                self.discontinuity = True
            case "#EXT-X-GAP":
                self.gap = True
            case "#EXT-X-ENDLIST":
                self.ended = True
            case _:
                return

    def _map(self, attributes: dict[str, str]) -> None:
        if "URI" not in attributes:
            raise NotHls("The HLS playlist's EXT-X-MAP has no address.")
        stretch = _stretch(attributes["BYTERANGE"]) if "BYTERANGE" in attributes else None
        self.init = Resource(_joined(self.base, attributes["URI"]), stretch and (stretch[0] or 0, stretch[1]))

    def _segment(self, line: str) -> None:
        stretch = None
        if self.stretch is not None:
            offset, length = self.stretch
            stretch = (self.end_of_stretch if offset is None else offset, length)
            self.end_of_stretch = sum(stretch)
        media = Resource(_joined(self.base, line), stretch)
        self.segments.append(Segment(self.number, media, self.seconds, self.init, self.discontinuity, self.gap))
        self.number += 1
        self.seconds, self.discontinuity, self.gap, self.stretch = 0.0, False, False, None


def _attributes(line: str) -> dict[str, str]:
    return {name: value.strip('"') for name, value in _attribute_pairs(line)}


def _attribute_pairs(line: str) -> Iterator[tuple[str, str]]:
    for match in _ATTRIBUTE.finditer(line.partition(":")[2]):
        yield match[1], match[2]


def _number(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,20}", text.strip()) or int(text) > _LARGEST_NUMBER:
        raise NotHls(f"The HLS playlist has {text[:40]!r} where a number belongs.")
    return int(text)


def _seconds(text: str) -> float:
    if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{0,20})?", text.strip()):
        raise NotHls(f"The HLS playlist has {text[:40]!r} where seconds belong.")
    return min(float(text), _LONGEST_SEGMENT)


def _stretch(text: str) -> tuple[int | None, int]:
    length, _, offset = text.strip().partition("@")
    if not _number(length):
        raise NotHls("The HLS playlist names an empty stretch of a file.")
    return (_number(offset) if offset else None), _number(length)


def _joined(base: str, reference: str) -> str:
    try:
        url = urljoin(base, reference)
        scheme = urlsplit(url).scheme
    except ValueError as error:
        raise NotHls("The HLS playlist has an address that cannot be read.") from error
    if scheme not in ("http", "https"):
        raise NotHls("The HLS playlist has an address that is not of the web.")
    return url
