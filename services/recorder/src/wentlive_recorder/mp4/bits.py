"""Reads what codecs write bit by bit; a value that would lie behind the end is an error, never a guess."""

_LONGEST_GOLOMB = 32
_MOST_BYTES = 16 * 1024


class Bits:
    """Raises ValueError at the end of the data."""

    def __init__(self, data: bytes) -> None:
        if len(data) > _MOST_BYTES:
            raise ValueError("it is far too long")
        self._value = int.from_bytes(data, "big")
        self._left = len(data) * 8

    def read(self, count: int) -> int:
        self.skip(count)
        return self._value >> self._left & ((1 << count) - 1)

    def skip(self, count: int) -> None:
        if count > self._left:
            raise ValueError("it ends too soon")
        self._left -= count

    def golomb(self) -> int:
        """An unsigned Exp-Golomb code, ue(v)."""
        zeros = 0
        while not self.read(1):
            zeros += 1
            if zeros > _LONGEST_GOLOMB:
                raise ValueError("a number is too long")
        return (1 << zeros) - 1 + self.read(zeros)

    def signed_golomb(self) -> int:
        """se(v)"""
        code = self.golomb()
        return (code + 1) // 2 if code % 2 else -(code // 2)


def payload(nal_unit: bytes, header: int) -> Bits:
    """A NAL unit's bits without its header and without emulation prevention."""
    return Bits(nal_unit[header:].replace(b"\x00\x00\x03", b"\x00\x00"))
