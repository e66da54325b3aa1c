"""BlobSink over Azure Blob Storage, with nothing but the granted URLs: no account key, no identity, no listing."""

from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import aiohttp
from azure.core import MatchConditions
from azure.core.exceptions import AzureError, HttpResponseError, ResourceExistsError
from azure.core.pipeline.transport import AioHttpTransport
from azure.storage.blob import BlobBlock, ContentSettings
from azure.storage.blob.aio import BlobClient
from wentlive_common.errors import Forbidden, Transient
from wentlive_common.fragment_index import INDEX_CONTENT_TYPE

from wentlive_recorder.errors import BlobExists, Fenced, StorageRefused

# The SDK's newest version is newer than some storage services (and emulators) know.
_API_VERSION = "2026-02-06"
_TRANSIENT_STATUS = frozenset({408, 429, 500, 502, 503, 504})
_FORBIDDEN = (401, 403)
_PRECONDITION_FAILED = 412

Urls = Callable[[str], str]
"""The newest granted URL of a blob by its name; raises NoGrant."""


class AzureBlobSink:
    """Clients share one connection pool; a renewed grant takes effect with the next call."""

    def __init__(self, urls: Urls, transport: AioHttpTransport) -> None:
        self._urls = urls
        self._transport = transport

    def media(self, blob: str) -> "AzureMediaBlob":
        return AzureMediaBlob(lambda: self.client(blob))

    def index(self, blob: str) -> "AzureIndexBlob":
        return AzureIndexBlob(lambda: self.client(blob))

    async def upload(self, blob: str, data: bytes, content_type: str) -> None:
        with _storage_errors():
            await self.client(blob).upload_blob(
                data, overwrite=True, content_settings=ContentSettings(content_type=content_type)
            )

    def client(self, blob: str) -> Any:
        """The SDK's client; its annotations are too incomplete to be of use."""
        return BlobClient.from_blob_url(
            self._urls(blob), api_version=_API_VERSION, transport=self._transport, retry_total=0
        )


@asynccontextmanager
async def azure_blob_sink(urls: Urls, connect_timeout: float, read_timeout: float) -> AsyncGenerator[AzureBlobSink]:
    async with aiohttp.ClientSession() as session:
        transport = AioHttpTransport(
            session=session, session_owner=False, connection_timeout=connect_timeout, read_timeout=read_timeout
        )
        async with transport:
            yield AzureBlobSink(urls, transport)


class AzureMediaBlob:
    """A block blob whose ETags are chained: each commit holds only on top of our last one."""

    def __init__(self, client: Callable[[], Any]) -> None:
        self._client = client
        self._etag: str | None = None
        self._unanswered: list[str] | None = None
        """The block list that was sent last, when no answer came: storage may or may not have it."""

    async def create(self) -> None:
        await self._commit([], match_condition=MatchConditions.IfMissing)

    async def stage(self, block: str, data: bytes) -> None:
        with _storage_errors():
            await self._client().stage_block(block, data, length=len(data))

    async def commit(self, blocks: Sequence[str]) -> None:
        try:
            await self._commit(list(blocks), etag=self._etag, match_condition=MatchConditions.IfNotModified)
        except Fenced:
            if self._unanswered != list(blocks) or not await self._adopt(list(blocks)):
                raise

    async def _commit(self, blocks: list[str], **condition: Any) -> None:
        try:
            with _storage_errors():
                answer = await self._client().commit_block_list(
                    [BlobBlock(block_id=block) for block in blocks],
                    content_settings=ContentSettings(content_type="video/mp4", cache_control="no-cache"),
                    **condition,
                )
        except Transient:
            self._unanswered = blocks
            raise
        self._etag, self._unanswered = answer["etag"], None

    async def _adopt(self, blocks: list[str]) -> bool:
        """Whether the commit whose answer was lost is what storage holds; then the chain goes on from there."""
        client = self._client()
        try:
            with _storage_errors():
                etag = (await client.get_blob_properties()).etag
                committed, _ = await client.get_block_list("committed")
        except Forbidden as error:
            raise StorageRefused(
                "The answer to a commit was lost, and the grant does not allow to read back what is stored."
            ) from error
        if [block.id for block in committed] != blocks:
            return False
        self._etag, self._unanswered = etag, None
        return True


class AzureIndexBlob:
    """An append blob whose size we know, so that nothing is appended twice or over somebody else's lines."""

    def __init__(self, client: Callable[[], Any]) -> None:
        self._client = client
        self._size = 0
        self._unanswered = False

    async def create(self) -> None:
        with _storage_errors():
            await self._client().create_append_blob(
                content_settings=ContentSettings(content_type=INDEX_CONTENT_TYPE, cache_control="no-cache")
            )

    async def append(self, data: bytes) -> None:
        try:
            with _storage_errors():
                await self._client().append_block(data, length=len(data), appendpos_condition=self._size)
        except Transient:
            self._unanswered = True
            raise
        except Fenced:
            if not self._unanswered or not await self._holds(self._size + len(data)):
                raise
        self._size += len(data)
        self._unanswered = False

    async def _holds(self, size: int) -> bool:
        try:
            with _storage_errors():
                return (await self._client().get_blob_properties()).size == size
        except Forbidden:
            return True  # without the right to read, the next append's own position check finds out


@contextmanager
def _storage_errors() -> Generator[None]:
    """The SDK's errors as ours. A conflict is told by its code: the SDK's classes follow the status only."""
    try:
        yield
    except HttpResponseError as error:
        raise _translated(error) from error
    except (AzureError, aiohttp.ClientError, TimeoutError) as error:
        raise Transient(f"Storage did not answer: {type(error).__name__}") from error


def _translated(error: HttpResponseError) -> Exception:
    status, code = error.status_code, getattr(error, "error_code", None) or error.reason or ""
    text = f"storage answered {status} {code}"
    if isinstance(error, ResourceExistsError):
        return BlobExists(f"The blob exists already ({text}).")
    if status == _PRECONDITION_FAILED or code == "InvalidBlockList":
        return Fenced(f"Another writer has changed the blob ({text}).")
    if status in _FORBIDDEN:
        return Forbidden(f"The grant does not hold ({text}).")
    if status is None or status in _TRANSIENT_STATUS:
        return Transient(f"Try again: {text}.")
    return StorageRefused(f"The media was refused: {text}.")
