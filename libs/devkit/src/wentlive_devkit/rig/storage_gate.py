"""A way to storage that can be shut, slowed down or made to swallow answers, because real networks are."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import Self
from urllib.parse import urlsplit

_PIECE = 16 * 1024


class StorageGate:
    """A TCP relay to a blob endpoint. Grants hold over it: a SAS does not sign the address."""

    def __init__(self, endpoint: str) -> None:
        target = urlsplit(endpoint)
        self._host, self._port, self._path = target.hostname or "127.0.0.1", target.port or 80, target.path
        self._open = True
        self._connections: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.endpoint = ""
        self.bytes_per_second: float | None = None
        """How fast storage takes bytes; as fast as it can when there is no limit."""
        self.swallows_answers = False
        """Requests arrive, but no answer comes back."""
        self.taken = self.given = 0
        """Bytes that went to storage and came from it."""

    @classmethod
    @asynccontextmanager
    async def start(cls, endpoint: str) -> AsyncGenerator[Self]:
        gate = cls(endpoint)
        server = await asyncio.start_server(gate._accept, "127.0.0.1", 0)
        gate.endpoint = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}{gate._path}"
        try:
            yield gate
        finally:
            server.close()
            gate.shut()
            for task in gate._tasks:
                task.cancel()
            await asyncio.gather(*gate._tasks, return_exceptions=True)
            await server.wait_closed()

    def shut(self) -> None:
        """Storage is gone: what is connected breaks off, and what comes is turned away."""
        self._open = False
        for writer in self._connections:
            writer.transport.abort()

    def open(self) -> None:
        self._open = True

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        if not self._open:
            writer.transport.abort()
            return
        with suppress(OSError):
            inner_reader, inner_writer = await asyncio.open_connection(self._host, self._port)
            self._connections |= {writer, inner_writer}
            try:
                await asyncio.gather(self._upstream(reader, inner_writer), self._downstream(inner_reader, writer))
            finally:
                self._connections -= {writer, inner_writer}
                writer.transport.abort()
                inner_writer.transport.abort()

    async def _upstream(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while piece := await reader.read(_PIECE):
            if self.bytes_per_second is not None:
                await asyncio.sleep(len(piece) / self.bytes_per_second)
            writer.write(piece)
            self.taken += len(piece)
            await writer.drain()
        writer.write_eof()

    async def _downstream(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while piece := await reader.read(_PIECE):
            self.given += len(piece)
            if not self.swallows_answers:
                writer.write(piece)
                await writer.drain()
        writer.close()
