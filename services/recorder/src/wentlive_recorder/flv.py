"""An FLV reader of our own, because FFmpeg's hides where a connection, a codec or a clock changed.

Bytes in, tags out, nothing else: no socket, no clock, memory bounded by one tag (a tag's size has 24 bits, so 16 MiB).
"""

from collections.abc import Iterator
from enum import IntEnum
from struct import Struct
from typing import NamedTuple

from wentlive_recorder.errors import CorruptFlv, NotFlv

_SIGNATURE = b"FLV\x01"
_HEADER = 9
_TAG_HEADER = 11
_TAG_FIELDS = Struct(">BBHBHB")
_BACK_POINTER = 4
_MAX_HEADER = 1024
_FILTERED = 0x20


class TagKind(IntEnum):
    AUDIO = 8
    VIDEO = 9
    SCRIPT = 18


_KINDS = {int(kind): kind for kind in TagKind}


class Tag(NamedTuple):
    """One FLV tag; the timestamp is in milliseconds of the stream's own clock, 32 bits."""

    kind: TagKind
    timestamp: int
    payload: bytes


class FlvReader:
    """Takes the stream in any pieces and gives its tags in order.

    Everything before damage is given before the error is raised; after an error the reader stays broken.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._in_body = False
        self._broken: NotFlv | CorruptFlv | None = None
        self.has_audio = True
        """Whether the header announces sound; known after the first tag."""

    @property
    def buffered(self) -> int:
        return len(self._buffer)

    def feed(self, data: bytes) -> Iterator[Tag]:
        """The tags that `data` completes. Consume it fully before the next call."""
        self._buffer += data
        try:
            yield from self._tags()
        except (NotFlv, CorruptFlv) as error:
            self._buffer.clear()
            self._broken = error
            raise

    def finish(self) -> None:
        """Says that the stream is over; raises when it ended inside a tag, or before the first one."""
        if not self._in_body:
            raise NotFlv(f"The stream ended before an FLV header: {_shown(self._buffer)}")
        if self._buffer:
            raise CorruptFlv("The FLV stream ended in the middle of a tag.")

    def _tags(self) -> Iterator[Tag]:
        if self._broken is not None:
            raise self._broken
        if not self._in_body and not self._read_header():
            return
        while (tag := self._next_tag()) is not None:
            yield tag

    def _read_header(self) -> bool:
        buffer = self._buffer
        known = min(len(buffer), len(_SIGNATURE))
        if not buffer.startswith(_SIGNATURE[:known]):
            raise NotFlv(f"The stream is not FLV: it begins with {_shown(buffer)}")
        if len(buffer) < _HEADER:
            return False
        size = int.from_bytes(buffer[5:9], "big")
        if not _HEADER <= size <= _MAX_HEADER:
            raise NotFlv(f"The FLV header claims a size of {size} bytes.")
        if len(buffer) < size + _BACK_POINTER:
            return False
        self.has_audio = bool(buffer[4] & 4)
        del buffer[: size + _BACK_POINTER]
        self._in_body = True
        return True

    def _next_tag(self) -> Tag | None:
        buffer = self._buffer
        if len(buffer) < _TAG_HEADER:
            return None
        first, size_high, size_low, time_high, time_low, time_extended = _TAG_FIELDS.unpack_from(buffer)
        kind = _KINDS.get(first)
        if kind is None:
            raise _unknown_kind(first)
        end = _TAG_HEADER + (size_high << 16 | size_low)
        if len(buffer) < end + _BACK_POINTER:
            return None
        if int.from_bytes(buffer[end : end + _BACK_POINTER], "big") != end:
            raise CorruptFlv("An FLV tag's size does not match its back pointer.")
        timestamp = time_extended << 24 | time_high << 16 | time_low
        tag = Tag(kind, timestamp, bytes(buffer[_TAG_HEADER:end]))
        del buffer[: end + _BACK_POINTER]
        return tag


def _unknown_kind(first: int) -> CorruptFlv:
    if first & _FILTERED:
        return CorruptFlv("An FLV tag is encrypted or damaged.")
    return CorruptFlv(f"An FLV tag has the unknown kind {first}.")


def _shown(data: bytes | bytearray) -> str:
    """The first bytes as a person can read them."""
    return repr(bytes(data[:24]))[1:] if data else "nothing at all"
