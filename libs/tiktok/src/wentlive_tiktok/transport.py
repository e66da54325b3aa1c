"""HTTP to TikTok's hosts and to nobody else: bounded in time, size and what it unpacks to; cookies go nowhere else."""

import re
import zlib
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import NamedTuple

import httpx
from pydantic import SecretStr
from wentlive_common.errors import InvalidInput, Transient

TIKTOK = "https://www.tiktok.com"
WEBCAST = "https://webcast.tiktok.com"

_DOMAIN = "tiktok.com"
_TIMEOUT = httpx.Timeout(10.0, connect=5.0)
# Few: for every request the pool looks at each pair of its idle connections.
_LIMITS = httpx.Limits(max_connections=20, max_keepalive_connections=10, keepalive_expiry=30.0)
_HEADERS = {
    "User-Agent": (
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
        "Chrome/140.0.0.0 Safari/537.36"
    ),
    "Accept-Language": "en-US,en;q=0.9",
    # Only what is unpacked here, piece by piece: httpx unpacks a whole piece at once, however large it becomes.
    "Accept-Encoding": "gzip, deflate",
}
_COOKIE_HEADER = re.compile(r"[\x21-\x7e][\x20-\x7e]{0,8190}")
_PACKED = frozenset({"gzip", "x-gzip", "deflate"})
_ZLIB_OR_GZIP = 32 + zlib.MAX_WBITS


class NoAnswer(Transient):
    """TikTok could not be asked, or its answer could not be read."""


class InvalidCookies(InvalidInput):
    """The cookies cannot be used: write them as a browser sends them (name=value; name=value), on one line of ASCII."""


class Answer(NamedTuple):
    """One HTTP answer, read to its end."""

    status: int
    headers: httpx.Headers
    body: bytes


def tiktok_http_client(
    *,
    proxy: str | None = None,
    cookies: SecretStr | None = None,
    base_url: str = TIKTOK,
    transport: httpx.AsyncBaseTransport | None = None,
) -> httpx.AsyncClient:
    """An HTTP client with the timeouts and limits that TikTokClient counts on; the caller closes it.

    `cookies` is one Cookie header. It is sent over TLS to TikTok's hosts and, where TikTok is asked for elsewhere
    (a simulator), to the origin of `base_url`. `transport` sends in place of httpx's own, and knows of its proxies.
    """
    http = httpx.AsyncClient(
        timeout=_TIMEOUT,
        limits=_LIMITS,
        follow_redirects=False,
        proxy=proxy,
        trust_env=proxy is None and transport is None,
        transport=transport,
        # What TikTok would have kept here is not kept: every check says the same, and nothing grows.
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
    )
    if cookies is not None:
        http.event_hooks = {"request": [_CookieHeader(cookies, base_url)]}
    return http


class _CookieHeader:
    def __init__(self, cookies: SecretStr, base_url: str) -> None:
        if not _COOKIE_HEADER.fullmatch(cookies.get_secret_value()):
            raise InvalidCookies
        self._cookies = cookies
        self._home = _origin(httpx.URL(base_url))

    async def __call__(self, request: httpx.Request) -> None:
        if is_tiktok(request.url) or _origin(request.url) == self._home:
            request.headers["Cookie"] = self._cookies.get_secret_value()


def is_tiktok(url: httpx.URL) -> bool:
    """Whether the URL leads to one of TikTok's own hosts, over TLS and without tricks."""
    on_domain = url.host == _DOMAIN or url.host.endswith(f".{_DOMAIN}")
    return url.scheme == "https" and on_domain and url.port is None and not url.userinfo


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


async def fetch(http: httpx.AsyncClient, url: httpx.URL, headers: dict[str, str], limit: int) -> Answer:
    """GETs the URL without following anything; raises NoAnswer, also when the body unpacks to more than `limit`."""
    request = http.build_request("GET", url, headers={**_HEADERS, **headers}, timeout=_TIMEOUT)
    try:
        response = await http.send(request, stream=True, follow_redirects=False)
        try:
            return Answer(response.status_code, response.headers, await _body(response, limit))
        finally:
            await response.aclose()
    # InvalidURL: httpx reads where a redirect leads even when it is not to follow it.
    except (httpx.HTTPError, httpx.InvalidURL, zlib.error) as error:
        raise NoAnswer(f"TikTok could not be asked: {type(error).__name__} {error}".strip()) from error


async def _body(response: httpx.Response, limit: int) -> bytes:
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    if encoding in _PACKED:
        return await _unpacked_body(response, limit)
    if encoding not in ("", "identity"):
        raise NoAnswer("TikTok packed its answer in a way that it was not asked to.")
    body = bytearray()
    async for piece in response.aiter_raw():
        body += piece
        if len(body) > limit:
            raise _too_large(limit)
    return bytes(body)


async def _unpacked_body(response: httpx.Response, limit: int) -> bytes:
    """Unpacks no further than the limit, so that a small answer cannot become a large one."""
    unpacker = zlib.decompressobj(_ZLIB_OR_GZIP)
    body = bytearray()
    packed = 0
    async for piece in response.aiter_raw():
        packed += len(piece)
        body += unpacker.decompress(piece, limit + 1 - len(body))
        if max(packed, len(body)) > limit:
            raise _too_large(limit)
        if unpacker.eof:
            return bytes(body)
    if packed:
        raise NoAnswer("TikTok's answer broke off.")
    return b""


def _too_large(limit: int) -> NoAnswer:
    return NoAnswer(f"TikTok's answer is larger than {limit} bytes.")
