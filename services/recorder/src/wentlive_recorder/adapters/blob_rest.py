"""Blob Storage's REST protocol over granted URLs: one call, its bounds, and what its refusals mean.

The SDK for it costs a recorder 24 MB and 6 to 12 times the CPU of a call (docs/adr/0011-blob-storage-by-rest.md).
"""

import base64
import hashlib
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from itertools import chain

import aiohttp
from aiohttp.abc import AbstractStreamWriter
from wentlive_common.errors import Forbidden, Transient
from yarl import URL

from wentlive_recorder.adapters.proxy import proxy_to
from wentlive_recorder.errors import BlobExists, BlobMissing, BlocksLost, Fenced, StorageRefused
from wentlive_recorder.spool import Media, slices

API_VERSION = "2026-02-06"
"""Newer ones are unknown to some storage services and emulators."""
_SLOWEST = 64 * 1024
"""Bytes a second: a call that brings them more slowly than this is given up and made again."""
_CONNECTIONS = 8
_FORBIDDEN = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
_TRANSIENT = frozenset({408, 429, 500, 502, 503, 504})
# What these say is told by their code alone; the status is 400 or 404 for many other things too.
_BY_CODE: Mapping[str, tuple[type[Exception], str]] = {
    "BlobAlreadyExists": (BlobExists, "The blob exists already"),
    "BlobNotFound": (BlobMissing, "There is no such blob"),
    "InvalidBlockList": (BlocksLost, "Storage does not hold the staged blocks any more"),
    "Md5Mismatch": (Transient, "The bytes were changed on the way"),
}

Urls = Callable[[str], str]
"""The newest granted URL of a blob by its name; raises NoGrant."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A call that succeeded."""

    headers: Mapping[str, str]
    body: bytes

    @property
    def etag(self) -> str:
        return self.headers["ETag"]


class BlobRest:
    """Makes calls by one pool of connections; a renewed grant takes effect with the next call."""

    def __init__(self, http: aiohttp.ClientSession, urls: Urls, connect_timeout: float, answer_timeout: float) -> None:
        self._http, self._urls = http, urls
        self._connect, self._answer = connect_timeout, answer_timeout

    async def call(
        self,
        method: str,
        blob: str,
        query: str = "",
        *,
        headers: Mapping[str, str],
        body: Sequence[Media] = (),
        expects: int = 0,
    ) -> Answer:
        """`expects`: so many bytes of an answer may take their time too.

        Raises Transient, Forbidden, StorageRefused, or what the answer's code says: BlobExists, Fenced, and so on.
        """
        url, payload = self._url(blob, query), _Pieces(body)
        seconds = self._answer + (payload.size + expects) / _SLOWEST
        sent = {"x-ms-version": API_VERSION, **headers}
        if payload.size:
            # Over TLS nothing is changed on the way, but it may be at either end of it, in a proxy's memory.
            sent["Content-MD5"] = _md5(body)
        try:
            async with self._http.request(
                method,
                url,
                headers=sent,
                data=payload if payload.size else None,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(seconds, sock_connect=self._connect),
                proxy=proxy_to(url),
            ) as response:
                content = await response.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Transient(f"Storage did not answer: {type(error).__name__}") from error
        if response.status >= HTTPStatus.MULTIPLE_CHOICES:
            raise _refusal(response.status, response.headers.get("x-ms-error-code", ""))
        return Answer(response.headers, content)

    def _url(self, blob: str, query: str) -> URL:
        granted = self._urls(blob)
        if query:
            granted += ("&" if "?" in granted else "?") + query
        return URL(granted, encoded=True)  # quoted anew, its signature would not hold


@asynccontextmanager
async def blob_rest(urls: Urls, connect_timeout: float, answer_timeout: float) -> AsyncGenerator[BlobRest]:
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=_CONNECTIONS),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
    ) as http:
        yield BlobRest(http, urls, connect_timeout, answer_timeout)


class _Pieces(aiohttp.Payload):
    """A body that is sent as it lies there, bit by bit: joined or written at once, it would be in memory twice more."""

    _autoclose = True

    def __init__(self, pieces: Sequence[Media]) -> None:
        super().__init__(pieces, content_type="application/octet-stream")
        self._pieces = pieces
        self._size = sum(map(len, pieces))

    @property
    def size(self) -> int:
        return self._size or 0

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        return b"".join(chain.from_iterable(map(slices, self._pieces))).decode(encoding, errors)

    async def write(self, writer: AbstractStreamWriter) -> None:
        for part in chain.from_iterable(map(slices, self._pieces)):
            await writer.write(part)


def _md5(pieces: Sequence[Media]) -> str:
    digest = hashlib.md5(usedforsecurity=False)
    for part in chain.from_iterable(map(slices, pieces)):
        digest.update(part)
    return base64.b64encode(digest.digest()).decode()


def _refusal(status: int, code: str) -> Exception:
    told = f"storage answered {status} {code}".rstrip()
    if code in _BY_CODE:
        kind, meaning = _BY_CODE[code]
        return kind(f"{meaning} ({told}).")
    if status == HTTPStatus.PRECONDITION_FAILED:
        return Fenced(f"Another writer has changed the blob ({told}).")
    if status in _FORBIDDEN:
        return Forbidden(f"The grant does not hold ({told}).")
    if status in _TRANSIENT:
        return Transient(f"Try again: {told}.")
    return StorageRefused(f"Storage refuses what was asked: {told}.")
