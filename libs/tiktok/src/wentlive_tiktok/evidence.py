"""What TikTok answered, kept for a person to look at when it was not understood: without secrets, and short."""

import re

from wentlive_tiktok.status import Unknown
from wentlive_tiktok.text import cleaned

EVIDENCE_LIMIT = 4096
WHY_LIMIT = 300
REMOVED = "[removed]"

_READ_LIMIT = 4 * EVIDENCE_LIMIT
# The query of any URL: signatures, expiry, sessions. `\u0026` is how JSON may write an ampersand.
_QUERY = re.compile(r"(https?:[^\s\"'?<>]{1,2048}\?)(?:\\u0026|\\/|[^\s\"'\\<>])*", re.IGNORECASE)
_NAMED = re.compile(
    r"([\w-]{0,24}(?:sign(?:ature)?|token|cookie|session(?:id)?|sid|ticket|password|auth|csrf|ttwid|sec_?uid)"
    r"(?:_[a-z]{1,5})?[\\\"']{0,4}\s{0,4}[:=]\s{0,4}[\\\"']{0,4})[^\s\"'\\&;,<>}\]]+",
    re.IGNORECASE | re.ASCII,
)
# Whatever else is that long and has no words in it gives access to something, or says nothing to a person.
_OPAQUE = re.compile(r"[A-Za-z0-9_+/=%-]{32,}")


def redacted(answer: bytes | str) -> str:
    """The beginning of an answer as printable text of at most 4096 characters, without what gives access."""
    text = answer[:_READ_LIMIT].decode(errors="replace") if isinstance(answer, bytes) else answer[:_READ_LIMIT]
    text = _QUERY.sub(rf"\1{REMOVED}", text)
    text = _NAMED.sub(rf"\1{REMOVED}", text)
    return cleaned(_OPAQUE.sub(REMOVED, text), EVIDENCE_LIMIT)


def unknown(why: str, answer: bytes | str | None = None) -> Unknown:
    """An Unknown whose words are safe to show; with the answer, it also says that TikTok did answer."""
    return Unknown(why=cleaned(why, WHY_LIMIT), evidence=None if answer is None else redacted(answer))
