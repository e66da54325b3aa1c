"""Reads fragment indexes from storage: only what was appended since the last look, and a closed one never again."""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass, field

from azure.core.exceptions import AzureError, HttpResponseError, ResourceNotFoundError
from azure.storage.blob.aio import ContainerClient
from wentlive_common.clock import Clock
from wentlive_common.errors import Transient
from wentlive_common.fragment_index import FragmentIndex, read_index

KEPT_FRAGMENTS = 100_000
"""About 50 MB: some twenty recordings of six hours. The least recently read go first."""
FRESH_SECONDS = 0.5
"""Many viewers of one live ask storage once in this time."""
RANGE_NOT_SATISFIABLE = 416


class IndexUnavailable(Transient):
    """Storage does not answer; the recording is safe, try again in a moment."""


@dataclass(slots=True)
class _Entry:
    header: bytes = b""
    offset: int = 0
    """How many bytes of whole lines were read."""
    index: FragmentIndex | None = None
    read_at: float = float("-inf")
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class AzureFragmentIndexReader:
    """`FragmentIndexReader` over one container."""

    def __init__(self, container: ContainerClient, clock: Clock) -> None:
        self._container = container
        self._clock = clock
        self._entries: OrderedDict[str, _Entry] = OrderedDict()

    async def read(self, blob: str) -> FragmentIndex | None:
        entry = self._entries.setdefault(blob, _Entry())
        self._entries.move_to_end(blob)
        async with entry.lock:
            closed = entry.index is not None and entry.index.closed
            if not closed and self._clock.monotonic() - entry.read_at >= FRESH_SECONDS:
                _append(entry, await self._fetch(blob, entry.offset))
                entry.read_at = self._clock.monotonic()
        self._evict()
        return entry.index

    async def _fetch(self, blob: str, offset: int) -> bytes:
        try:
            stream = await self._container.download_blob(blob, offset=offset, timeout=10)
            return await stream.readall()
        except ResourceNotFoundError:
            return b""
        except HttpResponseError as error:
            if error.status_code == RANGE_NOT_SATISFIABLE:  # nothing was appended since
                return b""
            raise IndexUnavailable from error
        except AzureError as error:
            raise IndexUnavailable from error

    def _evict(self) -> None:
        held = sum(len(entry.index.fragments) if entry.index else 1 for entry in self._entries.values())
        while held > KEPT_FRAGMENTS and len(self._entries) > 1:
            _, gone = self._entries.popitem(last=False)
            held -= len(gone.index.fragments) if gone.index else 1


def _append(entry: _Entry, data: bytes) -> None:
    """Takes in whole lines; the rest of a line that was cut short comes with the next read."""
    lines = data[: data.rfind(b"\n") + 1]
    if not lines:
        return
    if entry.index is None:
        entry.index = read_index(lines)
        entry.header = lines[: lines.index(b"\n") + 1]
    else:
        fresh = read_index(entry.header + lines)
        fragments = entry.index.fragments + fresh.fragments
        entry.index = entry.index.model_copy(update={"fragments": fragments, "closing": fresh.closing})
    entry.offset += len(lines)
