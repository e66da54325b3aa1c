"""Media that waits for storage on disk, so that an outage of minutes does not have to fit into memory.

It is written to unlinked files in the folder for temporary files: they go with the process, however that ends.
"""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from wentlive_recorder.errors import DiskFailed

_FILE = 8 * 1024 * 1024
"""How large a file may get. It goes, and its room on disk with it, when nothing in it waits any more."""
_SLICE = 256 * 1024
"""How much the event loop is given to send at a time; it copies what does not go out at once."""


class Spooled:
    """Bytes that lie in a file."""

    def __init__(self, file: "_File", offset: int, size: int) -> None:
        self._file, self._offset, self._size = file, offset, size

    def __len__(self) -> int:
        return self._size

    def slices(self) -> Iterator[bytes]:
        """Raises DiskFailed."""
        for start in range(0, self._size, _SLICE):
            yield self._read(start, min(_SLICE, self._size - start))

    def _read(self, start: int, size: int) -> bytes:
        try:
            piece = os.pread(self._file.descriptor, size, self._offset + start)
        except OSError as error:
            raise DiskFailed(f"Media that waits on disk cannot be read: {error}") from error
        if len(piece) != size:
            raise DiskFailed("Media that waits on disk is shorter than it was.")
        return piece


Media = bytes | Spooled
"""Bytes, wherever they lie."""


def slices(media: Media) -> Iterator[bytes | memoryview]:
    """The bytes in pieces, as often as they are wanted; of what lies in memory nothing is copied."""
    if isinstance(media, Spooled):
        yield from media.slices()
        return
    view = memoryview(media)
    for start in range(0, len(media), _SLICE):
        yield view[start : start + _SLICE]


class Spool:
    """Takes media for as long as somebody holds on to what it gave for it."""

    def __init__(self) -> None:
        self._file: _File | None = None

    def put(self, data: bytes) -> Spooled:
        """Raises OSError when the disk is full, or when there is none."""
        file = self._file
        if file is None or file.size >= _FILE:
            file = self._file = _File()
        return file.append(data)

    def rest(self) -> None:
        """Nothing waits any more: the file that was written last is not kept for the next time."""
        self._file = None


class _File:
    def __init__(self) -> None:
        self.descriptor, path = tempfile.mkstemp(prefix="wentlive-")
        Path(path).unlink()
        self.size = 0

    def __del__(self) -> None:
        if hasattr(self, "descriptor"):
            os.close(self.descriptor)

    def append(self, data: bytes) -> Spooled:
        view, offset = memoryview(data), self.size
        while view:
            view = view[os.pwrite(self.descriptor, view, self.size + len(data) - len(view)) :]
        self.size += len(data)
        return Spooled(self, offset, len(data))
