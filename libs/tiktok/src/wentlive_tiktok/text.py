"""Other people's words, made harmless: they end up on pages, in logs and in file names."""

import re
from collections.abc import Callable

# Control characters, lone surrogates, and what turns the direction of the text around it. Joiners stay, for emoji.
_HARMFUL = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb\ud800-\udfff\ufffe\uffff]"
)


def cleaned(text: str, limit: int) -> str:
    """The text on one line, without what could harm, at most `limit` characters."""
    # Cut first as well, so that the work is bounded too.
    words = " ".join(text[: limit * 4].split())
    # Split again: what was between two spaces may be gone.
    return " ".join(_HARMFUL.sub("", words).split())[:limit].strip()


def cleaner(limit: int) -> Callable[[str], str]:
    """`cleaned` with its limit, for a field of a payload."""
    return lambda text: cleaned(text, limit)
