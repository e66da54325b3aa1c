"""Share links: where they may lead, and what they say by themselves."""

import re

import httpx
from wentlive_common.errors import Transient
from wentlive_common.handle import InvalidHandle, parse_handle

from wentlive_tiktok.status import Blocked
from wentlive_tiktok.transport import is_tiktok

MOST_REDIRECTS = 3

_LONGEST_TEXT = 4096
_LINK = re.compile(r"(?:https?://)?(?:[a-z0-9-]+\.)?tiktok\.com/[!-~]{1,2000}", re.IGNORECASE)
_ROOM = re.compile(r"/share/live/([1-9][0-9]{0,23})/?")


class LinkLeadsElsewhere(InvalidHandle):
    """This link leads away from TikTok. Paste the link to the profile."""


class LinkNamesNobody(InvalidHandle):
    """This link does not lead to a TikTok profile. Paste the link to the profile, or the name."""


class LinkUnresolved(Transient):
    """TikTok did not say where this link leads. Try again later, or paste the link to the profile."""

    def __init__(self, refused: Blocked | None = None) -> None:
        super().__init__()
        self.refused = refused
        """How TikTok refused the address that asked, if it did."""


def share_link(text: str) -> httpx.URL | None:
    """The first link to TikTok in what somebody pasted (the app shares a sentence around it)."""
    found = _LINK.search(text[:_LONGEST_TEXT])
    if found is None:
        return None
    # Never over plain HTTP, whatever was pasted.
    url = _url(f"https://{found[0].partition('://')[2] or found[0]}")
    return url if url is not None and is_tiktok(url) else None


def next_hop(url: httpx.URL, location: str) -> httpx.URL:
    """Where a redirect leads; raises LinkLeadsElsewhere when that is not TikTok."""
    target = _url(location)
    joined = url.join(target) if target is not None else None
    if joined is not None and joined.scheme == "http":
        joined = joined.copy_with(scheme="https", port=None)
    if joined is None or not is_tiktok(joined):
        raise LinkLeadsElsewhere
    return joined


def handle_in(url: httpx.URL) -> str | None:
    try:
        return parse_handle(str(url.copy_with(query=None, fragment=None)))
    except InvalidHandle:
        return None


def room_in(url: httpx.URL) -> str | None:
    found = _ROOM.fullmatch(url.path)
    return found[1] if found else None


def _url(text: str) -> httpx.URL | None:
    try:
        return httpx.URL(text)
    except httpx.InvalidURL:
        return None
