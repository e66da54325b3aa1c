"""The HLS playlist of a recording, made from its parts' fragment indexes: byte ranges over one blob a part.

A live playlist only grows (EVENT): a line that was once given stays as it is, apart from the link, which changes
when its time window does. Segments may begin inside a group of pictures, since the recorder caps how long one may
be, so EXT-X-INDEPENDENT-SEGMENTS is not claimed. Without EXT-X-START a player begins at the live edge while it is
live and at the beginning afterwards, which is what people expect.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from wentlive_common.fragment_index import IndexFragment
from wentlive_common.model import Model, UtcDatetime, to_rfc3339

TARGET_SECONDS = 6
"""At least this: the tag must not change while the playlist grows, and recorders cut fragments well below it."""

MEDIA_TYPE = "application/vnd.apple.mpegurl"


class PlaylistPart(Model):
    """One part's share of the playlist; `media_url` carries a SAS, `init_url` is ours."""

    media_url: str
    init_url: str
    opened_at: UtcDatetime
    fragments: tuple[IndexFragment, ...]


class Window(Model):
    """From when until when a link holds."""

    starts_at: UtcDatetime
    expires_at: UtcDatetime


def playback_window(now: datetime, lifetime: timedelta) -> Window:
    """The same window for half a lifetime: reloads, and other replicas, give out the very same URL without a memory.

    A link from it holds for at least another half of `lifetime`.
    """
    half = lifetime.total_seconds() / 2
    start = now.timestamp() // half * half
    begin = datetime.fromtimestamp(start, tz=now.tzinfo)
    return Window(starts_at=begin - CLOCK_SKEW, expires_at=begin + lifetime)


CLOCK_SKEW = timedelta(minutes=5)
"""How far storage's clock may be behind ours before it would refuse a fresh link."""


def render_playlist(parts: Sequence[PlaylistPart], *, over: bool) -> str:
    """The playlist's text; `over` closes it, so that players stop asking for more."""
    longest = max((fragment.duration for part in parts for fragment in part.fragments), default=0.0)
    lines = [
        "#EXTM3U",
        "#EXT-X-VERSION:7",
        f"#EXT-X-TARGETDURATION:{max(TARGET_SECONDS, round(longest + 0.5))}",
        "#EXT-X-MEDIA-SEQUENCE:0",
        f"#EXT-X-PLAYLIST-TYPE:{'VOD' if over else 'EVENT'}",
    ]
    for number, part in enumerate(part for part in parts if part.fragments):
        if number:
            lines.append("#EXT-X-DISCONTINUITY")
        lines += _part_lines(part)
    if over:
        lines.append("#EXT-X-ENDLIST")
    return "\n".join(lines) + "\n"


def _part_lines(part: PlaylistPart) -> list[str]:
    lines = [f'#EXT-X-MAP:URI="{part.init_url}"', f"#EXT-X-PROGRAM-DATE-TIME:{to_rfc3339(part.opened_at)}"]
    for fragment in part.fragments:
        lines += [
            f"#EXTINF:{fragment.duration:.3f},",
            f"#EXT-X-BYTERANGE:{fragment.length}@{fragment.offset}",
            part.media_url,
        ]
    return lines
