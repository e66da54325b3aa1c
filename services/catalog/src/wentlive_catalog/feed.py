"""The library as an RSS 2.0 feed: what people follow in a reader, with links back to the pages here."""

from collections.abc import Sequence
from email.utils import format_datetime
from xml.etree.ElementTree import Element, SubElement, tostring

from wentlive_catalog.domain.recordings import Recording


def render_feed(recordings: Sequence[Recording], site: str) -> bytes:
    """`site` is the catalog's address, without a slash at the end."""
    feed = Element("rss", version="2.0")
    channel = SubElement(feed, "channel")
    _say(channel, "title", "Wentlive")
    _say(channel, "link", f"{site}/")
    _say(channel, "description", "Recorded TikTok lives")
    for recording in recordings:
        _add_item(channel, recording, site)
    return tostring(feed, encoding="utf-8", xml_declaration=True)


def _add_item(channel: Element, recording: Recording, site: str) -> None:
    item = SubElement(channel, "item")
    _say(item, "title", f"@{recording.handle}: {recording.shown_title or 'live'}")
    _say(item, "link", f"{site}/recordings/{recording.recording_id}")
    SubElement(item, "guid", isPermaLink="false").text = recording.recording_id
    _say(item, "pubDate", format_datetime(recording.ended_at or recording.live_started_at, usegmt=True))
    minutes, size = round(recording.duration / 60), recording.bytes / 2**20
    _say(item, "description", f"{minutes} min, {size:.0f} MiB, {recording.state}")


def _say(parent: Element, name: str, text: str) -> None:
    # XML 1.0 has no place for control characters, not even escaped ones; a title may hold any.
    SubElement(parent, name).text = "".join(letter if letter.isprintable() else " " for letter in text)
