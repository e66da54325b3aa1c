"""How TikTok refuses a network address, told apart from what it says about a creator."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from wentlive_tiktok.status import Blocked

LONGEST_RETRY_AFTER = timedelta(days=1)

_WAF_SIGNS = (b"Please wait...", b"_wafchallengeid", b"SlardarWAF", b"slardar_us_waf", b"waf-jschallenge")
_COUNTRY_SIGN = b"discontinued operating TikTok"
_DENIED_SIGN = b"Access Denied"
_OK = 200


def refusal(status: int, headers: Mapping[str, str], body: bytes, *, understood: bool) -> Blocked | None:
    """What refused the question, if anything did.

    `understood`: the body is of the kind that was asked for, so that its words are a creator's and no refusal:
    anybody may write "Please wait..." into a title.
    """
    if status in (420, 429):
        return Blocked(how="rate_limited", retry_after=retry_after(headers.get("retry-after"), datetime.now(UTC)))
    if headers.get("x-tt-system-error") == "3":
        return Blocked(how="waf")
    if 300 <= status < 400:
        return _redirect(headers.get("location", ""))
    by_words = None if understood else _by_words(body)
    if by_words:
        return by_words
    if status in (403, 444, 451):
        return Blocked(how="country" if status == 451 else "forbidden")
    return None


def _by_words(body: bytes) -> Blocked | None:
    if _COUNTRY_SIGN in body:
        return Blocked(how="country")
    if any(sign in body for sign in _WAF_SIGNS):
        return Blocked(how="waf")
    if _DENIED_SIGN in body:
        return Blocked(how="forbidden")
    return None


def silent_refusal(status: int, body: bytes) -> Blocked | None:
    """An empty body or a page in place of JSON is how TikTok refuses without saying so."""
    if status == _OK and (not body.strip() or is_page(body)):
        return Blocked(how="waf")
    return None


def is_page(body: bytes) -> bool:
    return body.lstrip()[:1] == b"<"


def _redirect(location: str) -> Blocked:
    try:
        path = urlsplit(location).path
    except ValueError:
        path = ""
    return Blocked(how="login" if path.startswith("/login") else "country")


def retry_after(header: str | None, now: datetime) -> timedelta | None:
    """Seconds or an HTTP date, held between nothing and a day; None when it says neither."""
    if not header:
        return None
    try:
        seconds = float(header)
        wait = timedelta(seconds=seconds) if math.isfinite(seconds) else None
    except (ValueError, OverflowError):
        wait = _until(header, now)
    return None if wait is None else min(max(wait, timedelta()), LONGEST_RETRY_AFTER)


def _until(date: str, now: datetime) -> timedelta | None:
    try:
        moment = parsedate_to_datetime(date)
    except (ValueError, TypeError):
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - now
