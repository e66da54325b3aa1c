"""What stands in an HEVC sequence parameter set between the picture's size and its usability information."""

from wentlive_recorder.mp4.bits import Bits

_MOST_SETS, _MOST_PICTURES, _MOST_LONG_TERM = 64, 16, 32
_SHORTEST_ORDER = 4


def skip_to_usability(bits: Bits, layers: int) -> bool:
    """ITU-T H.265, 7.3.2.2.1, from the bit depths on; whether there is usability information.

    Raises ValueError where it ends too soon, and for sets that are predicted from others: those would have to be
    computed to be counted.
    """
    bits.golomb()
    bits.golomb()
    order = bits.golomb() + _SHORTEST_ORDER
    for _ in range(layers + 1 if bits.read(1) else 1):
        _skip_golombs(bits, 3)
    _skip_golombs(bits, 6)
    if bits.read(1) and bits.read(1):
        _skip_scaling_lists(bits)
    bits.skip(2)
    if bits.read(1):
        bits.skip(8)
        _skip_golombs(bits, 2)
        bits.skip(1)
    for index in range(_at_most(bits.golomb(), _MOST_SETS)):
        _skip_reference_pictures(bits, index)
    if bits.read(1):
        bits.skip((order + 1) * _at_most(bits.golomb(), _MOST_LONG_TERM))
    bits.skip(2)
    return bool(bits.read(1))


def _skip_scaling_lists(bits: Bits) -> None:
    for size in range(4):
        for _ in range(2 if size == 3 else 6):
            if not bits.read(1):
                bits.golomb()
                continue
            if size > 1:
                bits.golomb()
            _skip_golombs(bits, min(64, 1 << (4 + 2 * size)))


def _skip_reference_pictures(bits: Bits, index: int) -> None:
    if index and bits.read(1):
        raise ValueError("its sets of reference pictures are predicted")
    pictures = _at_most(bits.golomb(), _MOST_PICTURES) + _at_most(bits.golomb(), _MOST_PICTURES)
    for _ in range(pictures):
        bits.golomb()
        bits.skip(1)


def _skip_golombs(bits: Bits, count: int) -> None:
    for _ in range(count):
        bits.golomb()


def _at_most(value: int, most: int) -> int:
    if value > most:
        raise ValueError("a list is too long")
    return value
