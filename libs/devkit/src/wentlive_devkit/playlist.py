"""Reads just enough of an HLS playlist to fetch what a player would fetch first."""

from wentlive_common.errors import Permanent
from wentlive_common.model import Model


class PlaylistFault(Permanent):
    """The playlist cannot be played."""


class Segment(Model):
    init_uri: str
    uri: str
    offset: int
    length: int


def first_segment(playlist: str) -> Segment:
    """The first byte-range segment with its initialisation segment; raises `PlaylistFault` when there is none."""
    init: str | None = None
    byte_range: tuple[int, int] | None = None
    for line in playlist.splitlines():
        if line.startswith("#EXT-X-MAP:"):
            init = line.split('URI="', 1)[1].split('"', 1)[0]
        elif line.startswith("#EXT-X-BYTERANGE:"):
            length, _, offset = line.removeprefix("#EXT-X-BYTERANGE:").partition("@")
            byte_range = (int(offset), int(length))
        elif line and not line.startswith("#"):
            if init is None or byte_range is None:
                raise PlaylistFault("A segment comes before its initialisation segment or has no byte range.")
            return Segment(init_uri=init, uri=line, offset=byte_range[0], length=byte_range[1])
    raise PlaylistFault("The playlist has no segment.")
