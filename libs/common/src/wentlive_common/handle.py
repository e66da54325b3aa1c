"""People paste all sorts of things for a TikTok name; this turns them into one spelling or says why not."""

import re
from urllib.parse import urlsplit

from wentlive_common.errors import InvalidInput

_HANDLE = re.compile(r"[A-Za-z0-9_.]{1,24}")
_PROFILE_PATH = re.compile(r"/@([^/]+)(?:/.*)?")
_PROFILE_HOSTS = frozenset({"tiktok.com", "www.tiktok.com", "m.tiktok.com"})
_SHORT_LINK_HOSTS = frozenset({"vm.tiktok.com", "vt.tiktok.com"})
_LONGEST_SHOWN = 60


class InvalidHandle(InvalidInput):
    """This is not a TikTok name. Write it as @name, or paste the link to the profile."""


def parse_handle(text: str) -> str:
    """The lower-case handle in `@name`, `name`, or a profile or live link; raises InvalidHandle."""
    wanted = text.strip()
    if not wanted:
        raise InvalidHandle("Write a TikTok name, such as @name, or paste the link to the profile.")
    if "/" in wanted:
        wanted = _name_in_link(wanted)
    name = wanted.removeprefix("@")
    # Matched before lower-casing: some letters outside ASCII (the Kelvin sign) lower to ASCII ones.
    if not _HANDLE.fullmatch(name) or not name.strip("."):
        raise InvalidHandle(
            f"{_shown(name)} is not a TikTok name: it takes 1 to 24 letters (a-z), digits, dots, underscores."
        )
    return name.lower()


def _name_in_link(link: str) -> str:
    try:
        parts = urlsplit(link if "://" in link else f"https://{link}")
        host = (parts.hostname or "").lower()
    except ValueError as error:
        raise InvalidHandle(f"{_shown(link)} is not a link that can be read.") from error
    if host in _SHORT_LINK_HOSTS or (host in _PROFILE_HOSTS and parts.path.startswith(("/t/", "/share/"))):
        raise InvalidHandle("This is a short link. Open it in a browser and paste the link it leads to.")
    profile = _PROFILE_PATH.fullmatch(parts.path)
    if host not in _PROFILE_HOSTS or profile is None:
        raise InvalidHandle(f"{_shown(link)} is not a link to a TikTok profile (https://www.tiktok.com/@name).")
    return profile.group(1)


def _shown(text: str) -> str:
    """The text as a person typed it, without what could break the line it is shown on."""
    printable = "".join(letter if letter.isprintable() else "?" for letter in text[:_LONGEST_SHOWN])
    return f"“{printable}…”" if len(text) > _LONGEST_SHOWN else f"“{printable}”"
