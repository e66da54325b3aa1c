"""What the recorder needs of the world: a stream's bytes, and blobs to write. (TikTok's port is wentlive_tiktok's.)"""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from wentlive_common.job import Report, ReportAnswer


class StreamSource(Protocol):
    """Opens live streams."""

    def open(self, url: str) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """The stream's bytes as they come.

        Raises StreamGone, StreamUnreachable, StreamStalled or StreamDropped; a clean end just ends.
        """
        ...


class MediaBlob(Protocol):
    """One part's MP4 in storage: written by one writer only, which every commit proves."""

    async def create(self) -> None:
        """Creates it empty, as a lock: raises BlobExists when it is there already."""
        ...

    async def stage(self, block: str, data: bytes) -> None:
        """Uploads a block, invisible until committed. `block` names have one length within a blob."""
        ...

    async def commit(self, blocks: Sequence[str]) -> None:
        """Makes the blob exactly these blocks. Raises Fenced when another writer changed it since."""
        ...


class IndexBlob(Protocol):
    """One part's fragment index in storage."""

    async def create(self) -> None:
        """Creates it empty; one that exists is emptied only while this object has appended nothing."""
        ...

    async def append(self, data: bytes) -> None:
        """Adds at the end, once, however often it has to be sent. Raises Fenced when somebody else appended."""
        ...


class BlobSink(Protocol):
    """Storage, limited to the blobs that were granted.

    Every call raises Transient when it is worth a retry, Forbidden when the grant does not hold (a newer one may come),
    and StorageRefused when no retry helps.
    """

    def media(self, blob: str) -> MediaBlob: ...

    def index(self, blob: str) -> IndexBlob: ...

    async def upload(self, blob: str, data: bytes, content_type: str) -> None:
        """Writes a small blob whole, over what is there."""
        ...


class ReportChannel(Protocol):
    """The way to the orchestrator."""

    async def send(self, report: Report) -> ReportAnswer:
        """Raises Transient when no answer came; an attempt that is unknown there is answered with `abandon`."""
        ...
