"""What the recorder needs of the world: streams to read, and blobs to write. (TikTok's port is wentlive_tiktok's.)"""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from wentlive_common.job import Report, ReportAnswer
from wentlive_tiktok.streams import StreamCandidate

from wentlive_recorder.samples import Unit
from wentlive_recorder.spool import Media


@dataclass(frozen=True, slots=True)
class Fetched:
    """A whole file, or the stretch of it that was asked for."""

    url: str
    """Where it was found in the end, after redirections: what it names is relative to this."""
    data: bytes


class StreamSource(Protocol):
    """Opens live streams, and fetches the files that streams over HLS are made of.

    Raises StreamGone, StreamUnreachable, StreamStalled or StreamDropped.
    """

    def open(self, url: str) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """The stream's bytes as they come; a clean end just ends."""
        ...

    async def fetch(self, url: str, most_bytes: int, stretch: tuple[int, int] | None = None) -> Fetched:
        """A file, or its `stretch` (offset and length); StreamDropped when it is larger than `most_bytes`."""
        ...


class MediaFeed(Protocol):
    """One open stream, whatever its protocol: iterate over it for what it brings, in order and as it comes."""

    @property
    def expects_audio(self) -> bool:
        """Whether sound is announced; known from the first units on."""
        ...

    def __aiter__(self) -> AsyncGenerator[Sequence[Unit]]: ...


class MediaSource(Protocol):
    """Opens live streams as units.

    What StreamSource raises comes out of it, and NotFlv, NotHls, CorruptFlv, CorruptHls and UnsupportedCodec, each
    after all that came before.
    """

    def open(self, candidate: StreamCandidate) -> AbstractAsyncContextManager[MediaFeed]: ...


@dataclass(frozen=True, slots=True)
class StoredBlock:
    name: str
    size: int


@dataclass(frozen=True, slots=True)
class StoredMedia:
    """A part's MP4 as it was found."""

    blocks: tuple[StoredBlock, ...]
    quiet: float
    """Seconds since it was changed last, by storage's own clock."""

    @property
    def size(self) -> int:
        return sum(block.size for block in self.blocks)


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A small blob, read whole."""

    data: bytes
    etag: str


class MediaBlob(Protocol):
    """One part's MP4 in storage: written by one writer only, which every commit proves."""

    async def create(self) -> None:
        """Creates it empty, as a lock: raises BlobExists when another writer was first."""
        ...

    async def adopt(self) -> StoredMedia:
        """Takes over what is there: from now on a read or a commit holds only while nobody else changes it.

        Raises BlobMissing when there is no such blob.
        """
        ...

    async def read(self, start: int, size: int) -> bytes:
        """Exactly these bytes of what was adopted or committed last. Raises Fenced when somebody changed it since."""
        ...

    async def stage(self, block: str, *pieces: Media) -> None:
        """Uploads a block, invisible until committed; again under the same name is the same block.

        Its bytes are in pieces so that nobody has to join them: that would be as much memory again.

        `block` names have one length within a blob.
        """
        ...

    async def commit(self, blocks: Sequence[str]) -> None:
        """Makes the blob exactly these blocks.

        Raises Fenced when another writer changed it since, BlocksLost when storage has dropped staged blocks.
        """
        ...


class IndexBlob(Protocol):
    """A blob that grows by lines: a part's fragment index, or a log."""

    async def create(self) -> None:
        """Creates it empty; one that exists is emptied only while this object has appended nothing."""
        ...

    async def adopt(self) -> bytes:
        """Takes over what is there, to append to it. Raises BlobMissing when there is no such blob."""
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

    async def upload(self, blob: str, data: bytes, content_type: str, *, over: str | None = None) -> str:
        """Writes a small blob whole and returns its new ETag.

        `over` is the ETag that must still be there, "" when there must be none yet, or Fenced is raised; without it
        whatever is there is replaced.
        """
        ...

    async def download(self, blob: str, most: int) -> StoredFile | None:
        """Reads a small blob whole; None when there is none. Raises StorageRefused beyond `most` bytes."""
        ...


class ReportChannel(Protocol):
    """The way to the orchestrator."""

    async def send(self, report: Report) -> ReportAnswer:
        """Raises Transient when no answer came; an attempt that is unknown there is answered with `abandon`."""
        ...
