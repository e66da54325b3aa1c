"""Stand-ins for the recorder's ports, kept honest by the contract suites that the real adapters pass too."""

from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from wentlive_common.errors import Transient
from wentlive_common.job import Report, ReportAnswer

from wentlive_recorder.errors import BlobExists, Fenced


@dataclass
class StoredBlob:
    data: bytes = b""
    version: int = 0
    blocks: list[str] = field(default_factory=list[str])
    staged: dict[str, bytes] = field(default_factory=dict[str, bytes])
    content_type: str = ""


class InMemoryBlobSink:
    """BlobSink over a dict. Sinks made over the same `blobs` are writers to the same storage."""

    def __init__(self, blobs: dict[str, StoredBlob] | None = None) -> None:
        self.blobs: dict[str, StoredBlob] = {} if blobs is None else blobs
        self.failing: Exception | None = None
        """Raised by every call while it is set: an outage."""
        self.lost_answers = 0
        """So many of the next writes are done, and then fail as if their answer was lost."""

    def media(self, blob: str) -> "InMemoryMediaBlob":
        return InMemoryMediaBlob(self, blob)

    def index(self, blob: str) -> "InMemoryIndexBlob":
        return InMemoryIndexBlob(self, blob)

    async def upload(self, blob: str, data: bytes, content_type: str) -> None:
        self.check()
        self.blobs[blob] = StoredBlob(data, content_type=content_type)

    def check(self) -> None:
        if self.failing is not None:
            raise self.failing

    def answer(self) -> None:
        if self.lost_answers:
            self.lost_answers -= 1
            raise Transient("The answer was lost.")


class InMemoryMediaBlob:
    def __init__(self, sink: InMemoryBlobSink, name: str) -> None:
        self._sink, self._name = sink, name
        self._version = 0
        self._unanswered: list[str] | None = None

    async def create(self) -> None:
        self._sink.check()
        if self._name in self._sink.blobs:
            raise BlobExists
        self._sink.blobs[self._name] = StoredBlob(version=1, content_type="video/mp4")
        self._version = 1
        self._sink.answer()

    async def stage(self, block: str, data: bytes) -> None:
        self._sink.check()
        self._sink.blobs[self._name].staged[block] = data
        self._sink.answer()

    async def commit(self, blocks: Sequence[str]) -> None:
        self._sink.check()
        stored = self._sink.blobs[self._name]
        if stored.version != self._version:
            if self._unanswered != list(blocks) or stored.blocks != list(blocks):
                raise Fenced
            self._version, self._unanswered = stored.version, None
            return
        stored.data = b"".join(stored.staged[block] for block in blocks)
        stored.blocks = list(blocks)
        stored.version += 1
        try:
            self._sink.answer()
        except Transient:
            self._unanswered = list(blocks)
            raise
        self._version, self._unanswered = stored.version, None


class InMemoryIndexBlob:
    def __init__(self, sink: InMemoryBlobSink, name: str) -> None:
        self._sink, self._name = sink, name
        self._size = 0
        self._unanswered = False

    async def create(self) -> None:
        self._sink.check()
        self._sink.blobs[self._name] = StoredBlob(content_type="application/x-ndjson")
        self._sink.answer()

    async def append(self, data: bytes) -> None:
        self._sink.check()
        stored = self._sink.blobs[self._name]
        if len(stored.data) == self._size:
            stored.data += data
            self._unanswered = True
            self._sink.answer()
        elif not (self._unanswered and len(stored.data) == self._size + len(data)):
            raise Fenced
        self._size += len(data)
        self._unanswered = False


@dataclass(frozen=True)
class ScriptedStream:
    """What one connection brings: its bytes, then an error or a clean end."""

    data: bytes = b""
    error: Exception | None = None
    refused: Exception | None = None
    """Raised instead of opening."""


class FakeStreamSource:
    """Each URL's connections in order; the last one for ever."""

    def __init__(self, chunk: int = 64 * 1024) -> None:
        self._scripts: dict[str, deque[ScriptedStream]] = {}
        self._chunk = chunk
        self.opened: list[str] = []

    def script(self, url: str, *connections: ScriptedStream) -> None:
        self._scripts[url] = deque(connections)

    @asynccontextmanager
    async def open(self, url: str) -> AsyncGenerator[AsyncIterator[bytes]]:
        self.opened.append(url)
        script = self._scripts[url]
        connection = script.popleft() if len(script) > 1 else script[0]
        if connection.refused is not None:
            raise connection.refused
        yield self._chunks(connection)

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
