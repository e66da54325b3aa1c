"""A small picture for each creator, drawn from the handle, so that pages have something to show."""

import hashlib
import struct
import zlib
from functools import lru_cache

SIDE = 120
_CELLS = 5
_CELL = 20
_MARGIN = (SIDE - _CELLS * _CELL) // 2


@lru_cache(maxsize=64)
def avatar_png(handle: str, colours: tuple[str, str]) -> bytes:
    """A mirrored pattern of five by five cells."""
    bits = hashlib.sha256(handle.encode()).digest()
    ground, ink = (bytes.fromhex(colour[1:]) for colour in colours)
    rows = (
        b"\x00" + b"".join(ink if _inked(bits, column, row) else ground for column in range(SIDE))
        for row in range(SIDE)
    )
    return _png(SIDE, SIDE, b"".join(rows))


def _inked(bits: bytes, x: int, y: int) -> bool:
    column, row = (x - _MARGIN) // _CELL, (y - _MARGIN) // _CELL
    if not (0 <= column < _CELLS and 0 <= row < _CELLS):
        return False
    return bits[row * _CELLS + min(column, _CELLS - 1 - column)] % 2 == 0


def _png(width: int, height: int, rows: bytes) -> bytes:
    """8-bit RGB; every row starts with its filter byte."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )
