"""TikTok asked over aiohttp, as streams and storage are: a second HTTP stack beside it costs a recorder 10 MB."""

from collections.abc import AsyncGenerator, AsyncIterator, Generator
from contextlib import asynccontextmanager, contextmanager

import aiohttp
import httpx
from wentlive_tiktok.client import tiktok_http_client
from yarl import URL

from wentlive_recorder.adapters.proxy import proxy_to

_LONGEST_HEADER = 64 * 1024
"""TikTok's cookies are longer than what aiohttp takes by itself."""
_AUTO_HEADERS = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")


@asynccontextmanager
async def lean_tiktok_http_client() -> AsyncGenerator[httpx.AsyncClient]:
    """What `tiktok_http_client` gives, without httpcore, anyio and certificates of its own."""
    async with (
        aiohttp.ClientSession(
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            skip_auto_headers=_AUTO_HEADERS,
            max_line_size=_LONGEST_HEADER,
            max_field_size=_LONGEST_HEADER,
        ) as http,
        tiktok_http_client(transport=AiohttpTransport(http)) as client,
    ):
        yield client


class AiohttpTransport(httpx.AsyncBaseTransport):
    """Sends httpx's requests over an aiohttp session; the session's owner closes it."""

    def __init__(self, http: aiohttp.ClientSession) -> None:
        self._http = http

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        seconds = request.extensions.get("timeout", {})
        url = URL(str(request.url), encoded=True)
        timeout = aiohttp.ClientTimeout(sock_connect=seconds.get("connect"), sock_read=seconds.get("read"))
        with _errors():
            response = await self._http.request(
                request.method,
                url,
                headers=request.headers.multi_items(),
                data=await request.aread() or None,
                allow_redirects=False,
                timeout=timeout,
                proxy=proxy_to(url),
            )
        return httpx.Response(response.status, headers=list(response.raw_headers), stream=_Body(response))


class _Body(httpx.AsyncByteStream):
    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _errors():
            async for piece in self._response.content.iter_any():
                yield piece

    async def aclose(self) -> None:
        self._response.close()  # one that was read to its end is back in the pool already, and stays there


@contextmanager
def _errors() -> Generator[None]:
    try:
        yield
    except TimeoutError as error:
        raise httpx.ReadTimeout("no answer in time") from error
    except aiohttp.ClientConnectorError as error:
        raise httpx.ConnectError(f"{type(error).__name__} {error.os_error}") from error
    except (aiohttp.ClientError, aiohttp.http.HttpProcessingError, OSError, ValueError) as error:
        raise httpx.NetworkError(type(error).__name__) from error
