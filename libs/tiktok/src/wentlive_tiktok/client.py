"""Asks TikTok's own web endpoint whether a creator is live: one unsigned request, one typed answer."""

import asyncio
import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import httpx
from wentlive_common.handle import InvalidHandle, parse_handle

from wentlive_tiktok.decision import decide
from wentlive_tiktok.status import Blocked, LiveStatus, Unknown

TIKTOK = "https://www.tiktok.com"
BODY_LIMIT = 1024 * 1024
LONGEST_RETRY_AFTER = timedelta(days=1)

_PATH = "/api-live/user/room/"
_TIMEOUT = httpx.Timeout(10.0, connect=5.0)
_DEADLINE = 20.0
_LIMITS = httpx.Limits(max_connections=20, max_keepalive_connections=10, keepalive_expiry=30.0)
_HEADERS = {
    "User-Agent": (
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
        "Chrome/140.0.0.0 Safari/537.36"
    ),
    "Accept": "application/json, text/plain, */*",
    "Accept-Language": "en-US,en;q=0.9",
}
_WAF_SIGNS = (b"Please wait...", b"_wafchallengeid", b"SlardarWAF", b"slardar_us_waf", b"waf-jschallenge")
_COUNTRY_SIGN = b"discontinued operating TikTok"
_DENIED_SIGN = b"Access Denied"
_OK = 200


def tiktok_http_client(*, proxy: str | None = None) -> httpx.AsyncClient:
    """An HTTP client with the timeouts and limits that TikTokClient counts on; the caller closes it."""
    return httpx.AsyncClient(
        timeout=_TIMEOUT, limits=_LIMITS, follow_redirects=False, proxy=proxy, trust_env=proxy is None
    )


class TikTokClient:
    """LiveStatusSource over `api-live/user/room`."""

    def __init__(self, http: httpx.AsyncClient, base_url: str = TIKTOK) -> None:
        self._http = http
        self._base_url = base_url.rstrip("/")

    async def live_status(self, handle: str) -> LiveStatus:
        """Asks once; whatever goes wrong on the way is Blocked or Unknown and never raised."""
        try:
            handle = parse_handle(handle)
        except InvalidHandle as error:
            return Unknown(why=error.message)
        request = self._http.build_request(
            "GET",
            self._base_url + _PATH,
            params={"aid": "1988", "sourceType": "54", "uniqueId": handle},
            headers={**_HEADERS, "Origin": TIKTOK, "Referer": f"{TIKTOK}/@{handle}/live"},
            timeout=_TIMEOUT,
        )
        try:
            async with asyncio.timeout(_DEADLINE):
                response = await self._http.send(request, stream=True, follow_redirects=False)
                try:
                    body = await _bounded_body(response)
                finally:
                    await response.aclose()
        except TimeoutError:
            return Unknown(why=f"TikTok did not finish its answer within {_DEADLINE:.0f} s.")
        except httpx.HTTPError as error:
            return Unknown(why=f"TikTok could not be asked: {type(error).__name__} {error}".strip())
        if body is None:
            return Unknown(why=f"TikTok's answer is larger than {BODY_LIMIT} bytes.")
        return read_answer(handle, response.status_code, response.headers, body)


def read_answer(handle: str, status: int, headers: Mapping[str, str], body: bytes) -> LiveStatus:
    """What one HTTP answer means, refusals told apart from answers."""
    if status in (420, 429):
        return Blocked(how="rate_limited", retry_after=retry_after(headers.get("retry-after"), datetime.now(UTC)))
    refusal = _refusal(status, headers, body)
    if refusal:
        return refusal
    if status != _OK:
        return Unknown(why=f"TikTok answered with HTTP {status}.")
    return decide(handle, body)


def _refusal(status: int, headers: Mapping[str, str], body: bytes) -> Blocked | None:
    if _is_page_with(body, (_COUNTRY_SIGN,)):
        return Blocked(how="country")
    if headers.get("x-tt-system-error") == "3" or _is_page_with(body, _WAF_SIGNS):
        return Blocked(how="waf")
    if 300 <= status < 400:
        return _redirect(headers.get("location", ""))
    if status in (403, 444, 451) or _is_page_with(body, (_DENIED_SIGN,)):
        return Blocked(how="country" if status == 451 else "forbidden")
    # An empty body or a page in place of JSON is how TikTok refuses without saying so.
    if status == _OK and (not body.strip() or _is_page(body)):
        return Blocked(how="waf")
    return None


def _redirect(location: str) -> Blocked:
    try:
        path = urlsplit(location).path
    except ValueError:
        path = ""
    return Blocked(how="login" if path.startswith("/login") else "country")


def _is_page(body: bytes) -> bool:
    return body.lstrip()[:1] == b"<"


def _is_page_with(body: bytes, signs: tuple[bytes, ...]) -> bool:
    """Only pages count: a creator may well write "Please wait..." into a title."""
    return not body.lstrip().startswith(b"{") and any(sign in body for sign in signs)


async def _bounded_body(response: httpx.Response) -> bytes | None:
    body = bytearray()
    async for chunk in response.aiter_bytes(64 * 1024):
        body += chunk
        if len(body) > BODY_LIMIT:
            return None
    return bytes(body)


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
