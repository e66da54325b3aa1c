"""StreamSource over HTTP: GETs read as they come, a few times a second, every way to fail told apart."""

import asyncio
import socket
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Generator
from contextlib import asynccontextmanager, contextmanager, suppress

import aiohttp

from wentlive_recorder.adapters.proxy import proxy_to
from wentlive_recorder.errors import StreamDropped, StreamGone, StreamStalled, StreamUnreachable
from wentlive_recorder.ports import Fetched

_GONE = frozenset({401, 403, 404, 410})
_HEADERS = {
    "User-Agent": "Mozilla/5.0",
    "Accept": "*/*",
    "Accept-Encoding": "identity",
    "Referer": "https://www.tiktok.com/",
}
_BATCH_BYTES = 128 * 1024
_BATCH_SECONDS = 0.5
_BATCHES_IN_TIME = 4
"""A batch waits for a part of the read timeout only: what does not come at all has to be noticed in time."""
_WHOLE_FILE = 30.0
"""Seconds that a file of an HLS stream may take; a segment holds a few seconds of media."""


@asynccontextmanager
async def http_stream_source(connect_timeout: float, read_timeout: float) -> AsyncGenerator["HttpStreamSource"]:
    timeout = aiohttp.ClientTimeout(total=None, connect=connect_timeout, sock_read=read_timeout)
    async with aiohttp.ClientSession(
        timeout=timeout,
        headers=_HEADERS,
        auto_decompress=False,
        cookie_jar=aiohttp.DummyCookieJar(),
    ) as http:
        yield HttpStreamSource(http, min(_BATCH_SECONDS, read_timeout / _BATCHES_IN_TIME))


class HttpStreamSource:
    """Streams over an aiohttp session whose timeouts are set; the session's owner closes it."""

    def __init__(self, http: aiohttp.ClientSession, batch_seconds: float) -> None:
        self._http, self._batch_seconds = http, batch_seconds

    @asynccontextmanager
    async def open(self, url: str) -> AsyncGenerator[AsyncIterator[bytes]]:
        async with self._answer(url, {}) as response:
            chunks = _chunks(response, self._batch_seconds)
            try:
                yield chunks
            finally:
                await chunks.aclose()

    async def fetch(self, url: str, most_bytes: int, stretch: tuple[int, int] | None = None) -> Fetched:
        headers = {"Range": f"bytes={stretch[0]}-{stretch[0] + stretch[1] - 1}"} if stretch else {}
        data = bytearray()
        try:
            async with asyncio.timeout(_WHOLE_FILE), self._answer(url, headers) as response:
                if stretch and response.status != 206:
                    raise StreamUnreachable("The stream's server does not give parts of a file.")
                with _reading():
                    async for chunk in response.content.iter_any():
                        data += chunk
                        if len(data) > most_bytes:
                            raise StreamDropped(f"A file of the stream is larger than {most_bytes} bytes.")
                return Fetched(str(response.url), bytes(data))
        except TimeoutError as error:
            raise StreamStalled(f"A file of the stream took longer than {_WHOLE_FILE:.0f} s.") from error

    @asynccontextmanager
    async def _answer(self, url: str, headers: dict[str, str]) -> AsyncGenerator[aiohttp.ClientResponse]:
        """The response when it is a good one, from its body on."""
        try:
            response = await self._http.get(url, headers=headers, proxy=proxy_to(url))
        except (aiohttp.ClientError, aiohttp.http.HttpProcessingError, OSError, ValueError) as error:
            raise StreamUnreachable(f"The stream could not be reached: {_told(error)}") from error
        try:
            _check(response)
            yield response
        finally:
            response.close()  # one that was read to its end is back in the pool already, and stays there


def _check(response: aiohttp.ClientResponse) -> None:
    if response.status in _GONE:
        raise StreamGone(f"The stream is gone: HTTP {response.status}.")
    if not 200 <= response.status < 300:
        raise StreamUnreachable(f"The stream's server answers HTTP {response.status}.")


async def _chunks(response: aiohttp.ClientResponse, batch_seconds: float) -> AsyncGenerator[bytes]:
    transport = response.connection.transport if response.connection else None
    batching = _Batching(transport.get_extra_info("socket") if transport else None, batch_seconds)
    with _reading(), batching:
        while chunk := await response.content.readany():
            yield chunk
            batching.wait()


@contextmanager
def _reading() -> Generator[None]:
    try:
        yield
    except TimeoutError as error:
        raise StreamStalled("The stream brought no byte within the read timeout.") from error
    except (aiohttp.ClientError, OSError) as error:
        raise StreamDropped(f"The stream broke off: {type(error).__name__}") from error


class _Batching:
    """Lets the kernel gather a stream that trickles in, so that the process wakes a few times a second.

    Without it each packet wakes the event loop, which costs more than everything else that is done for a stream.
    """

    def __init__(self, sock: socket.socket | None, seconds: float) -> None:
        self._socket, self._seconds = sock, seconds
        self._timer: asyncio.TimerHandle | None = None

    def __enter__(self) -> None:
        self.wait()

    def __exit__(self, *_: object) -> None:
        self._cancel()
        self._ask_for(1)

    def wait(self) -> None:
        """Nothing is readable until there is a batch, or until its time is over."""
        self._cancel()
        self._ask_for(_BATCH_BYTES)
        self._timer = asyncio.get_running_loop().call_later(self._seconds, self._ask_for, 1)

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _ask_for(self, size: int) -> None:
        if self._socket is not None:
            with suppress(OSError, AttributeError):  # closed meanwhile, or a system without it: then without batches
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, size)


def _told(error: Exception) -> str:
    """Why, without the URL that some messages carry: its query is a secret."""
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"{type(error).__name__} {error.os_error}"
    if isinstance(error, (ssl.SSLError, OSError)):
        return f"{type(error).__name__} {error.strerror or ''}".rstrip()
    return type(error).__name__
