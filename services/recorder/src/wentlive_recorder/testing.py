"""Stand-ins for the recorder's ports, kept honest by the contract suites that the real adapters pass too."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import accumulate

from wentlive_common.errors import Transient
from wentlive_common.job import Report, ReportAnswer

from wentlive_recorder.errors import (
    BlobExists,
    BlobMissing,
    BlocksLost,
    Fenced,
    StorageRefused,
    StreamDropped,
    StreamGone,
)
from wentlive_recorder.ports import Fetched, StoredBlock, StoredFile, StoredMedia
from wentlive_recorder.spool import Media, slices


@dataclass
class StoredBlob:
    data: bytes = b""
    version: int = 0
    blocks: list[str] = field(default_factory=list[str])
    sizes: list[int] = field(default_factory=list[int])
    staged: dict[str, bytes] = field(default_factory=dict[str, bytes])
    content_type: str = ""
    quiet: float = 60.0
    """Seconds since its last change, as the next one to adopt it is told."""

    def committed(self, blocks: Sequence[str]) -> None:
        """Becomes these blocks, committed or staged; what else was staged is dropped."""
        known = self._known_blocks() | self.staged
        if any(block not in known for block in blocks):
            raise BlocksLost
        self.data = b"".join(known[block] for block in blocks)
        self.blocks, self.sizes = list(blocks), [len(known[block]) for block in blocks]
        self.staged = {}
        self.version += 1

    def _known_blocks(self) -> dict[str, bytes]:
        ends = list(accumulate(self.sizes))
        pairs = zip(self.blocks, self.sizes, ends, strict=True)
        return {block: self.data[end - size : end] for block, size, end in pairs}


class InMemoryBlobSink:
    """BlobSink over a dict. Sinks made over the same `blobs` are writers to the same storage."""

    def __init__(self, blobs: dict[str, StoredBlob] | None = None) -> None:
        self.blobs: dict[str, StoredBlob] = {} if blobs is None else blobs
        self.failing: Exception | None = None
        """Raised by every call while it is set: an outage."""
        self.lost_answers = 0
        """So many of the next writes are done, and then fail as if their answer was lost."""
        self.calls: list[str] = []
        """What was asked of storage, in order."""
        self.bytes_read = 0
        self.stored = asyncio.Event()
        """Set by every write; clear it to wait for the next one."""

    def media(self, blob: str) -> "InMemoryMediaBlob":
        return InMemoryMediaBlob(self, blob)

    def index(self, blob: str) -> "InMemoryIndexBlob":
        return InMemoryIndexBlob(self, blob)

    async def upload(self, blob: str, data: bytes, content_type: str, *, over: str | None = None) -> str:
        await self.check("upload")
        stored = self.blobs.get(blob)
        version = stored.version if stored else 0
        if over is not None and over != (str(version) if stored else ""):
            raise Fenced
        self.blobs[blob] = StoredBlob(data, version=version + 1, content_type=content_type)
        self.answer()
        return str(version + 1)

    async def download(self, blob: str, most: int) -> StoredFile | None:
        await self.check("download")
        stored = self.blobs.get(blob)
        if stored is None:
            return None
        if len(stored.data) > most:
            raise StorageRefused
        return StoredFile(stored.data, str(stored.version))

    async def check(self, call: str) -> None:
        """Comes before everything that a call does; overridden, it can take its time."""
        self.calls.append(call)
        if self.failing is not None:
            raise self.failing

    def answer(self) -> None:
        self.stored.set()
        if self.lost_answers:
            self.lost_answers -= 1
            raise Transient("The answer was lost.")

    def found(self, blob: str) -> StoredBlob:
        if blob not in self.blobs:
            raise BlobMissing
        return self.blobs[blob]


class InMemoryMediaBlob:
    def __init__(self, sink: InMemoryBlobSink, name: str) -> None:
        self._sink, self._name = sink, name
        self._version = 0
        self._created = False

    async def create(self) -> None:
        await self._sink.check("create")
        stored = self._sink.blobs.get(self._name)
        if stored is not None and not (self._created and stored.version == 1):
            raise BlobExists
        if stored is None:
            self._created = True
            self._sink.blobs[self._name] = StoredBlob(version=1, content_type="video/mp4")
            self._sink.answer()
        self._version = 1

    async def adopt(self) -> StoredMedia:
        await self._sink.check("adopt")
        stored = self._sink.found(self._name)
        self._version = stored.version
        return StoredMedia(tuple(map(StoredBlock, stored.blocks, stored.sizes)), stored.quiet)

    async def read(self, start: int, size: int) -> bytes:
        await self._sink.check("read")
        stored = self._sink.found(self._name)
        if stored.version != self._version:
            raise Fenced
        if start + size > len(stored.data):
            raise StorageRefused
        self._sink.bytes_read += size
        return stored.data[start : start + size]

    async def stage(self, block: str, *pieces: Media) -> None:
        await self._sink.check("stage")
        self._sink.found(self._name).staged[block] = b"".join(part for piece in pieces for part in slices(piece))
        self._sink.answer()

    async def commit(self, blocks: Sequence[str]) -> None:
        await self._sink.check("commit")
        stored = self._sink.found(self._name)
        if stored.version == self._version:
            stored.committed(blocks)
            self._sink.answer()
        elif stored.blocks != list(blocks):
            raise Fenced
        self._version = stored.version


class InMemoryIndexBlob:
    def __init__(self, sink: InMemoryBlobSink, name: str) -> None:
        self._sink, self._name = sink, name
        self._size = 0

    async def create(self) -> None:
        await self._sink.check("create index")
        if self._size:
            raise Fenced
        self._sink.blobs[self._name] = StoredBlob(content_type="application/x-ndjson")
        self._sink.answer()

    async def adopt(self) -> bytes:
        await self._sink.check("adopt index")
        data = self._sink.found(self._name).data
        self._size = len(data)
        return data

    async def append(self, data: bytes) -> None:
        await self._sink.check("append")
        stored = self._sink.found(self._name)
        if len(stored.data) == self._size:
            stored.data += data
            self._sink.answer()
        elif stored.data[self._size :] != data:
            raise Fenced
        self._size += len(data)


@dataclass(frozen=True)
class ScriptedStream:
    """What one connection brings: its bytes, then an error or a clean end."""

    data: bytes = b""
    error: Exception | None = None
    refused: Exception | None = None
    """Raised instead of opening."""


class FakeStreamSource:
    """Each URL's connections in order, and each file's contents; the last one for ever. What is not named is gone."""

    def __init__(self, chunk: int = 64 * 1024) -> None:
        self._scripts: dict[str, deque[ScriptedStream]] = {}
        self._files: dict[str, deque[bytes | Exception]] = {}
        self._chunk = chunk
        self.opened: list[str] = []
        self.fetched: list[str] = []

    def script(self, url: str, *connections: ScriptedStream) -> None:
        self._scripts[url] = deque(connections)

    def script_file(self, url: str, *contents: bytes | Exception) -> None:
        self._files[url] = deque(contents)

    @asynccontextmanager
    async def open(self, url: str) -> AsyncGenerator[AsyncIterator[bytes]]:
        self.opened.append(url)
        script = self._scripts[url]
        connection = script.popleft() if len(script) > 1 else script[0]
        if connection.refused is not None:
            raise connection.refused
        yield self._chunks(connection)

    async def fetch(self, url: str, most_bytes: int, stretch: tuple[int, int] | None = None) -> Fetched:
        self.fetched.append(url)
        contents = self._files.get(url)
        if contents is None:
            raise StreamGone
        content = contents.popleft() if len(contents) > 1 else contents[0]
        if isinstance(content, Exception):
            raise content
        if stretch is not None:
            content = content[stretch[0] : stretch[0] + stretch[1]]
        if len(content) > most_bytes:
            raise StreamDropped
        return Fetched(url, content)

    async def _chunks(self, connection: ScriptedStream) -> AsyncIterator[bytes]:
        for start in range(0, len(connection.data), self._chunk):
            yield connection.data[start : start + self._chunk]
        if connection.error is not None:
            raise connection.error


class FakeReportChannel:
    """Keeps the reports; answers from a script, the last answer for ever."""

    def __init__(self, *answers: ReportAnswer | Exception) -> None:
        self._answers: deque[ReportAnswer | Exception] = deque(answers or (ReportAnswer(),))
        self.reports: list[Report] = []

    async def send(self, report: Report) -> ReportAnswer:
        self.reports.append(report)
        answer = self._answers.popleft() if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer
