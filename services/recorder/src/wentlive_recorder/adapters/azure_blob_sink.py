"""BlobSink over Azure Blob Storage, with nothing but the granted URLs: no account key, no identity, no listing."""

import base64
import re
import secrets
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote

from wentlive_common.errors import Forbidden, Transient
from wentlive_common.fragment_index import INDEX_CONTENT_TYPE

from wentlive_recorder.adapters.blob_rest import Answer, BlobRest, Urls, blob_rest
from wentlive_recorder.errors import BlobExists, BlobMissing, BlocksLost, Fenced, StorageRefused
from wentlive_recorder.ports import StoredBlock, StoredFile, StoredMedia
from wentlive_recorder.spool import Media

_WRITER = "x-ms-meta-writer"
# A commit resets what it does not repeat.
_MEDIA_SETTINGS = {"x-ms-blob-content-type": "video/mp4", "x-ms-blob-cache-control": "no-cache"}
_INDEX_SETTINGS = {"x-ms-blob-content-type": INDEX_CONTENT_TYPE, "x-ms-blob-cache-control": "no-cache"}
_LARGEST_BLOCK_LIST = 8 * 1024 * 1024
_LARGEST_INDEX = 16 * 1024 * 1024
# Names are base64 and sizes are digits, so nothing in between is ever escaped.
_BLOCK = re.compile(rb"<Name>([^<]+)</Name>\s*<Size>(\d+)</Size>")


class AzureBlobSink:
    def __init__(self, rest: BlobRest) -> None:
        self._rest = rest

    def media(self, blob: str) -> "AzureMediaBlob":
        return AzureMediaBlob(self._rest, blob)

    def index(self, blob: str) -> "AzureIndexBlob":
        return AzureIndexBlob(self._rest, blob)

    async def upload(self, blob: str, data: bytes, content_type: str, *, over: str | None = None) -> str:
        condition: Mapping[str, str] = {}
        if over is not None:
            condition = {"If-Match": over} if over else {"If-None-Match": "*"}
        headers = {
            "x-ms-blob-type": "BlockBlob",
            "x-ms-blob-content-type": content_type,
            "x-ms-blob-cache-control": "no-cache",
            **condition,
        }
        try:
            return (await self._rest.call("PUT", blob, headers=headers, body=(data,))).etag
        except BlobExists as error:
            raise Fenced(error.message) from error

    async def download(self, blob: str, most: int) -> StoredFile | None:
        try:
            answer = await _whole(self._rest, blob, most)
        except BlobMissing:
            return None
        return StoredFile(answer.body, answer.etag)


@asynccontextmanager
async def azure_blob_sink(urls: Urls, connect_timeout: float, answer_timeout: float) -> AsyncGenerator[AzureBlobSink]:
    async with blob_rest(urls, connect_timeout, answer_timeout) as rest:
        yield AzureBlobSink(rest)


class AzureMediaBlob:
    """A block blob whose ETags are chained: each commit holds only on top of the last one that we know of.

    An answer may be lost, and the HTTP client may send a request again by itself, so a commit that fails its condition
    is compared with what storage holds before another writer is blamed.
    """

    def __init__(self, rest: BlobRest, blob: str) -> None:
        self._rest, self._blob = rest, blob
        self._writer = secrets.token_hex(8)
        self._etag = ""
        self._unanswered = False
        self._list = _BlockList()

    async def create(self) -> None:
        try:
            await self._commit([], {"If-None-Match": "*"})
        except (BlobExists, Fenced):
            if not await self._created_before():
                raise BlobExists from None

    async def adopt(self) -> StoredMedia:
        answer = await self._committed()
        self._etag = answer.etag
        quiet = parsedate_to_datetime(answer.headers["Date"]) - parsedate_to_datetime(answer.headers["Last-Modified"])
        return StoredMedia(_blocks(answer.body), max(quiet.total_seconds(), 0.0))

    async def read(self, start: int, size: int) -> bytes:
        return await _range(self._rest, self._blob, start, size, {"If-Match": self._etag}) if size else b""

    async def stage(self, block: str, *pieces: Media) -> None:
        query = f"comp=block&blockid={quote(_block_id(block), safe='')}"
        await self._rest.call("PUT", self._blob, query, headers={}, body=pieces)

    async def commit(self, blocks: Sequence[str]) -> None:
        try:
            await self._commit(blocks, {"If-Match": self._etag})
        except (Fenced, BlocksLost):
            if not await self._committed_before(blocks):
                raise

    async def _commit(self, blocks: Sequence[str], condition: Mapping[str, str]) -> None:
        headers = {**_MEDIA_SETTINGS, _WRITER: self._writer, "Content-Type": "application/xml", **condition}
        try:
            answer = await self._rest.call(
                "PUT", self._blob, "comp=blocklist", headers=headers, body=(self._list.xml(blocks),)
            )
        except Transient as error:
            self._unanswered = self._unanswered or not isinstance(error, BlocksLost)
            raise
        self._etag, self._unanswered = answer.etag, False

    async def _created_before(self) -> bool:
        """Whether the blob that is there is the empty one that we created, when the answer did not reach us."""
        try:
            answer = await self._rest.call("HEAD", self._blob, headers={})
        except Forbidden:
            return False
        if answer.headers.get(_WRITER) != self._writer or answer.headers.get("Content-Length") != "0":
            return False
        self._etag, self._unanswered = answer.etag, False
        return True

    async def _committed_before(self, blocks: Sequence[str]) -> bool:
        """Whether the commit is what storage holds already; then the chain goes on from there."""
        try:
            answer = await self._committed()
        except Forbidden as error:
            if not self._unanswered:
                return False
            raise StorageRefused(
                "The answer to a commit was lost, and the grant does not allow to read back what is stored."
            ) from error
        except BlobMissing:
            return False
        if [block.name for block in _blocks(answer.body)] != list(blocks):
            return False
        self._etag, self._unanswered = answer.etag, False
        return True

    async def _committed(self) -> Answer:
        query = "comp=blocklist&blocklisttype=committed"
        return await self._rest.call("GET", self._blob, query, headers={}, expects=_LARGEST_BLOCK_LIST)


class AzureIndexBlob:
    """An append blob whose size we know, so that nothing is appended twice or over somebody else's lines."""

    def __init__(self, rest: BlobRest, blob: str) -> None:
        self._rest, self._blob = rest, blob
        self._size = 0
        self._unanswered = False

    async def create(self) -> None:
        condition = {"If-None-Match": "*"} if self._size else {}
        headers = {"x-ms-blob-type": "AppendBlob", **_INDEX_SETTINGS, **condition}
        await self._rest.call("PUT", self._blob, headers=headers)

    async def adopt(self) -> bytes:
        data = (await _whole(self._rest, self._blob, _LARGEST_INDEX)).body
        self._size = len(data)
        return data

    async def append(self, data: bytes) -> None:
        headers = {"x-ms-blob-condition-appendpos": str(self._size)}
        try:
            await self._rest.call("PUT", self._blob, "comp=appendblock", headers=headers, body=(data,))
        except Transient:
            self._unanswered = True
            raise
        except Fenced:
            if not await self._appended_before(data):
                raise
        self._size += len(data)
        self._unanswered = False

    async def _appended_before(self, data: bytes) -> bool:
        """Whether these very bytes are what follows ours already, and nothing else does."""
        try:
            found = await _range(self._rest, self._blob, self._size, len(data) + 1)
        except Forbidden:
            return self._unanswered  # the next append's own position check finds out
        except StorageRefused:
            return False
        return found == data


async def _whole(rest: BlobRest, blob: str, most: int) -> Answer:
    answer = await rest.call("GET", blob, headers={}, expects=most)
    if len(answer.body) > most:
        raise StorageRefused(f"The blob is larger than {most} bytes.")
    return answer


async def _range(rest: BlobRest, blob: str, start: int, size: int, condition: Mapping[str, str] | None = None) -> bytes:
    headers = {"x-ms-range": f"bytes={start}-{start + size - 1}", **(condition or {})}
    return (await rest.call("GET", blob, headers=headers, expects=size)).body


class _BlockList:
    """The body of a commit: it grows by an entry a commit, so what stays is not encoded again and again."""

    def __init__(self) -> None:
        self._names: list[str] = []
        self._entries = bytearray()

    def xml(self, names: Sequence[str]) -> bytes:
        known = len(self._names)
        if list(names[:known]) != self._names:
            self._names, known = [], 0
            self._entries.clear()
        for name in names[known:]:
            self._entries += f"<Latest>{_block_id(name)}</Latest>".encode()
        self._names = list(names)
        return b'<?xml version="1.0" encoding="utf-8"?><BlockList>%b</BlockList>' % bytes(self._entries)


def _block_id(name: str) -> str:
    return base64.b64encode(name.encode()).decode()


def _blocks(xml: bytes) -> tuple[StoredBlock, ...]:
    found: list[Any] = _BLOCK.findall(xml)
    if len(found) != xml.count(b"<Block>"):
        raise StorageRefused("Storage's list of blocks cannot be read.")
    return tuple(StoredBlock(base64.b64decode(name).decode(errors="replace"), int(size)) for name, size in found)
