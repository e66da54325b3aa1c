"""StreamSource over HTTP: one GET, read as it comes, every way to fail told apart."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

import httpx

from wentlive_recorder.errors import StreamDropped, StreamGone, StreamStalled, StreamUnreachable

_GONE = frozenset({401, 403, 404, 410})
_HEADERS = {
    "User-Agent": "Mozilla/5.0",
    "Accept": "*/*",
    "Accept-Encoding": "identity",
    "Referer": "https://www.tiktok.com/",
}


class HttpStreamSource:
    """Streams over an httpx client whose timeouts are set; the client's owner closes it."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http

    @asynccontextmanager
    async def open(self, url: str) -> AsyncGenerator[AsyncIterator[bytes]]:
        try:
            request = self._http.build_request("GET", url, headers=_HEADERS)
            response = await self._http.send(request, stream=True, follow_redirects=True)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise StreamUnreachable(f"The stream could not be reached: {type(error).__name__} {error}") from error
        try:
            _check(response)
            yield _chunks(response)
        finally:
            await response.aclose()


def _check(response: httpx.Response) -> None:
    if response.status_code in _GONE:
        raise StreamGone(f"The stream is gone: HTTP {response.status_code}.")
    if not response.is_success:
        raise StreamUnreachable(f"The stream's server answers HTTP {response.status_code}.")


async def _chunks(response: httpx.Response) -> AsyncIterator[bytes]:
    try:
        async for chunk in response.aiter_bytes():
            yield chunk
    except httpx.ReadTimeout as error:
        raise StreamStalled("The stream brought no byte within the read timeout.") from error
    except httpx.HTTPError as error:
        raise StreamDropped(f"The stream broke off: {type(error).__name__}") from error
