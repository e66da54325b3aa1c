"""An FLV reader of our own, because FFmpeg's hides where a codec or a clock changed, and trusts its input.

Bytes in, tags out, nothing else: no socket, no clock, memory bounded by one tag and the search for the next one.
"""

import re
from collections.abc import Iterator
from enum import IntEnum
from struct import Struct
from typing import NamedTuple

from wentlive_recorder.errors import CorruptFlv, NotFlv

_SIGNATURE = b"FLV\x01"
_HEADER = 9
_MAX_HEADER = 1024
_TAG_HEADER = 11
_TAG_FIELDS = Struct(">II")
"""The kind with the size, and the timestamp with its highest byte at the end."""
_BACK_POINTER = Struct(">I")
_SEARCHED = 2 * 1024 * 1024
"""How much is kept while the next tag is searched for. A tag that is found lies whole within it."""
_MOST_PENDING = 64
_NEAR_MS = 10_000
_PLAUSIBLE = re.compile(rb"[\x08\x09\x12].{7}\x00\x00\x00", re.DOTALL)
"""A tag's header: its kind, size and timestamp, and the stream id, which is always zero."""


class TagKind(IntEnum):
    AUDIO = 8
    VIDEO = 9
    SCRIPT = 18


_KINDS = {8: TagKind.AUDIO, 9: TagKind.VIDEO, 15: TagKind.SCRIPT, 18: TagKind.SCRIPT}
_LARGEST = {TagKind.AUDIO: 64 * 1024, TagKind.VIDEO: 8 * 1024 * 1024, TagKind.SCRIPT: 1024 * 1024}


class Tag(NamedTuple):
    """One FLV tag; the timestamp is in milliseconds of the stream's own clock, 32 bits."""

    kind: TagKind
    timestamp: int
    payload: bytes


class Skipped(NamedTuple):
    """What stood here was no tag, or tags are likely to be missing; the next tag is a whole one again."""

    bytes: int
    why: str


class FlvReader:
    """Takes the stream in any pieces and gives its tags in order, and says where something was skipped.

    Everything before the end of all hope is given before the error is raised; after an error the reader stays broken.
    """

    def __init__(self) -> None:
        self._buffer = b""
        self._in_body = False
        self._broken: NotFlv | CorruptFlv | None = None
        self._search: _Search | None = None
        self.has_audio = True
        """Whether the header announces sound; known after the first tag."""
        self.tolerated = 0
        """Tags whose back pointer was wrong although all else was right."""
        self.skips = self.skipped_bytes = 0
        """How often something was skipped, and how much it was."""

    @property
    def buffered(self) -> int:
        return len(self._buffer)

    def feed(self, data: bytes) -> Iterator[Tag | Skipped]:
        """The tags that `data` completes. Consume it fully before the next call."""
        self._buffer = self._buffer + data if self._buffer else data
        try:
            yield from self._items()
        except (NotFlv, CorruptFlv) as error:
            self._buffer = b""
            self._broken = error
            raise

    def finish(self) -> None:
        """Says that the stream is over; raises when it ended inside a tag, or before the first one."""
        if not self._in_body:
            raise NotFlv(f"The stream ended before an FLV header: {_shown(self._buffer)}")
        if self._buffer:
            raise CorruptFlv("The FLV stream ended in the middle of a tag.")

    def _items(self) -> Iterator[Tag | Skipped]:
        if self._broken is not None:
            raise self._broken
        if not self._in_body and not self._read_header():
            return
        while True:
            if self._search is not None:
                skipped = self._searched(self._search)
                if skipped is None:
                    return
                yield skipped
            yield from self._tags()
            if self._search is None:
                return

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
        if len(buffer) < size + _BACK_POINTER.size:
            return False
        self.has_audio = bool(buffer[4] & 4)
        self._buffer = buffer[size + _BACK_POINTER.size :]
        self._in_body = True
        return True

    def _tags(self) -> Iterator[Tag | Skipped]:
        """Whole tags, one after another, until more bytes are needed or the search has to begin."""
        buffer, position, known = self._buffer, 0, len(self._buffer)
        try:
            while position + _TAG_HEADER <= known:
                kind_and_size, stamp = _TAG_FIELDS.unpack_from(buffer, position)
                kind = _KINDS.get(kind_and_size >> 24)
                if kind is None:
                    header = self._second_header(position)
                    if header is None:
                        return
                    position += header
                    yield Skipped(0, "The stream began anew.")
                    continue
                end = position + _TAG_HEADER + (kind_and_size & 0xFFFFFF)
                following = end + _BACK_POINTER.size
                proven = following <= known and _BACK_POINTER.unpack_from(buffer, end)[0] == end - position
                if not proven and not self._is_tag(position, following):
                    return
                yield Tag(kind, stamp >> 8 | (stamp & 0xFF) << 24, buffer[position + _TAG_HEADER : end])
                position = following
        finally:
            self._buffer = buffer[position:]

    def _second_header(self, position: int) -> int | None:
        """The size of a file header in mid-stream; None when more bytes are needed, or when a search was begun."""
        buffer = self._buffer
        if not buffer.startswith(_SIGNATURE, position):
            self._search = _Search(_what_stands_there(buffer[position]))
            return None
        size = int.from_bytes(buffer[position + 5 : position + 9], "big")
        whole = (size if _HEADER <= size <= _MAX_HEADER else _HEADER) + _BACK_POINTER.size
        return whole if len(buffer) >= position + whole else None

    def _is_tag(self, position: int, following: int) -> bool:
        """Whether what no back pointer proves is a tag; when not, more bytes are needed or a search began."""
        buffer = self._buffer
        if _claimed_end(buffer, position) is None:
            self._search = _Search("A tag is far too large.")
            return False
        if len(buffer) < following + _TAG_HEADER:
            return False
        if _follows(buffer, position, following):
            self.tolerated += 1
            return True
        self._search = _Search("A tag is damaged or cut short.")
        return False

    def _searched(self, search: "_Search") -> Skipped | None:
        """Looks for the next tag; None while more bytes are needed. Raises CorruptFlv when there is no hope left."""
        found = search.look(self._buffer)
        if found is not None:
            self._search = None
            self._buffer = self._buffer[found:]
            self.skips += 1
            self.skipped_bytes += found
            return Skipped(found, search.why)
        if len(self._buffer) > _SEARCHED:
            raise CorruptFlv(f"No FLV tag follows within {len(self._buffer)} bytes. {search.why}")
        return None


class _Search:
    """Looks for a tag whose back pointer proves it, from the second byte of what proved to be none."""

    def __init__(self, why: str) -> None:
        self.why = why
        self._from = 1
        self._pending: list[int] = []

    def look(self, buffer: bytes) -> int | None:
        """The first proven tag's position. A later one that is whole beats an earlier one that is not yet."""
        still_pending: list[int] = []
        for position in self._candidates(buffer):
            end = _claimed_end(buffer, position)
            if end is None:
                continue
            if len(buffer) < end + _BACK_POINTER.size:
                still_pending.append(position)
            elif _BACK_POINTER.unpack_from(buffer, end)[0] == end - position:
                return position
        self._pending = still_pending[:_MOST_PENDING]
        return None

    def _candidates(self, buffer: bytes) -> Iterator[int]:
        yield from self._pending
        while match := _PLAUSIBLE.search(buffer, self._from):
            self._from = match.start() + 1
            yield match.start()
        self._from = max(self._from, len(buffer) - _TAG_HEADER + 1)


def _claimed_end(buffer: bytes, position: int) -> int | None:
    """Where a tag's payload would end by its header; None when this cannot be a tag's header."""
    kind = _KINDS.get(buffer[position])
    size = buffer[position + 1] << 16 | buffer[position + 2] << 8 | buffer[position + 3]
    if kind is None or size > _LARGEST[kind]:
        return None
    return position + _TAG_HEADER + size


def _follows(buffer: bytes, position: int, following: int) -> bool:
    """Whether what stands there looks like the tag after the one at `position`: its header, and about the same time."""
    if not _PLAUSIBLE.match(buffer, following) or _claimed_end(buffer, following) is None:
        return False
    end = following - _BACK_POINTER.size
    inner = end - _BACK_POINTER.unpack_from(buffer, end)[0]
    if position < inner < end and _claimed_end(buffer, inner) == end:
        return False  # the back pointer is that of a later tag, which this one's claimed size has swallowed
    return abs(_timestamp(buffer, following) - _timestamp(buffer, position)) <= _NEAR_MS


def _timestamp(buffer: bytes, position: int) -> int:
    return buffer[position + 7] << 24 | int.from_bytes(buffer[position + 4 : position + 7], "big")


def _what_stands_there(first: int) -> str:
    if first & ~0x20 in _KINDS and first not in _KINDS:
        return "A tag is encrypted or damaged."
    return f"Where a tag should begin stands the byte {first}."


def _shown(data: bytes) -> str:
    """The first bytes as a person can read them."""
    return repr(data[:24])[1:] if data else "nothing at all"
