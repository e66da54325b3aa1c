"""A table's column that only grows, kept compressed: six hours of sample sizes and times take about three MiB."""

import zlib
from array import array
from collections.abc import Iterable, Iterator
from sys import byteorder
from typing import Literal

_BLOCK = 8 * 1024
_LEVEL = 6


class Column:
    """Unsigned numbers of four or eight bytes: added at the end, read as the big-endian bytes that MP4 wants."""

    def __init__(self, width: Literal[4, 8] = 4) -> None:
        self._width = width
        self._packed: list[bytes] = []
        self._open = self._empty()
        self._count = 0

    def __len__(self) -> int:
        """In bytes, unpacked."""
        return self._count * self._width

    @property
    def count(self) -> int:
        return self._count

    def extend(self, numbers: Iterable[int]) -> None:
        """Raises OverflowError for a number that does not fit."""
        before = len(self._open)
        self._open.extend(numbers)
        self._count += len(self._open) - before
        if len(self._open) >= _BLOCK:
            self._packed.append(zlib.compress(self._planes(), _LEVEL))
            self._open = self._empty()

    def unpacked(self) -> Iterator[bytes]:
        width = self._width
        for block in self._packed:
            planes = zlib.decompress(block)
            count = len(planes) // width
            numbers = bytearray(len(planes))
            for place in range(width):
                numbers[place::width] = planes[place * count : (place + 1) * count]
            yield bytes(numbers)
        yield self._raw()

    def _empty(self) -> "array[int]":
        return array("I" if self._width == 4 else "Q")

    def _raw(self) -> bytes:
        numbers = self._open[:]
        if byteorder == "little":
            numbers.byteswap()
        return numbers.tobytes()

    def _planes(self) -> bytes:
        """All first bytes, then all second ones: the upper bytes of sizes are alike and shrink to nothing."""
        raw = self._raw()
        return b"".join(raw[place :: self._width] for place in range(self._width))
