"""The one shape that everything in an MP4 has: written, written lazily where a table is long, and read."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from wentlive_common.mp4.column import Column

Piece = bytes | Column
"""Bytes, or a table that is too long to be whole in memory."""
_HEADER = 8
_PIECE_BYTES = 1024 * 1024


def box(kind: bytes, *contents: bytes) -> bytes:
    body = b"".join(contents)
    return (len(body) + _HEADER).to_bytes(4, "big") + kind + body


def full_box(kind: bytes, version: int, flags: int, *contents: bytes) -> bytes:
    return box(kind, bytes([version]), flags.to_bytes(3, "big"), *contents)


def long_box(kind: bytes, *contents: Iterable[Piece]) -> list[Piece]:
    """A box whose contents may hold tables; its size is known without unpacking them."""
    pieces = [piece for content in contents for piece in content]
    return [(size_of(pieces) + _HEADER).to_bytes(4, "big") + kind, *pieces]


def size_of(pieces: Iterable[Piece]) -> int:
    return sum(map(len, pieces))


def in_pieces(pieces: Iterable[Piece]) -> Iterator[bytes]:
    """The bytes, a MiB at a time at most."""
    waiting = bytearray()
    for piece in pieces:
        for data in (piece,) if isinstance(piece, bytes) else piece.unpacked():
            waiting += data
            while len(waiting) >= _PIECE_BYTES:
                yield bytes(waiting[:_PIECE_BYTES])
                del waiting[:_PIECE_BYTES]
    if waiting:
        yield bytes(waiting)


class Box(NamedTuple):
    kind: bytes
    start: int
    end: int
    body: int
    """Where the content begins, after the header."""


def boxes(data: bytes, start: int = 0, end: int | None = None) -> Iterator[Box]:
    """The complete boxes side by side in `data`; stops before one that is cut short or makes no sense."""
    end = len(data) if end is None else end
    while start + _HEADER <= end:
        size = int.from_bytes(data[start : start + 4], "big")
        body = start + _HEADER
        if size == 1:
            size = int.from_bytes(data[body : body + 8], "big")
            body += 8
        if size < body - start or start + size > end:
            return
        yield Box(data[start + 4 : start + 8], start, start + size, body)
        start += size


def find(data: bytes, *path: bytes, within: Box | None = None) -> Iterator[Box]:
    """Every box at a path such as `moov`, `trak`."""
    start, end = (within.body, within.end) if within else (0, len(data))
    for found in boxes(data, start, end):
        if found.kind == path[0]:
            if len(path) == 1:
                yield found
            else:
                yield from find(data, *path[1:], within=found)
