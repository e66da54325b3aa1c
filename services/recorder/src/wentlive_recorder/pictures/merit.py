"""How well a picture would do as a poster: neither black, nor flat, nor blurred."""

from collections.abc import Sequence
from operator import add, mul, sub
from typing import NamedTuple

_BLACK, _WHITE = 16, 235
_LIT, _CONTRASTY, _SHARP = 64.0, 40.0, 6.0
"""From here on more of it makes no better picture."""
_WORST = 0.001
"""Not nothing, so that of several black pictures the one with more in it is still the best."""
_ACCEPTABLE, _GOOD, _CLEARLY = 0.25, 0.67, 1.5


class Merit(NamedTuple):
    """Of a sample of a picture's luma rows."""

    brightness: float
    contrast: float
    """Standard deviation of the brightness."""
    sharpness: float
    """How much a pixel differs from its neighbours' mean, on average: a ramp has none, an edge has much."""

    @property
    def score(self) -> float:
        """From next to 0 to 1."""
        light = min(self.brightness - _BLACK, _WHITE - self.brightness) / _LIT
        factors = (light, self.contrast / _CONTRASTY, self.sharpness / _SHARP)
        product = 1.0
        for factor in factors:
            product *= min(max(factor, _WORST), 1.0)
        return product

    @property
    def acceptable(self) -> bool:
        return self.score >= _ACCEPTABLE

    @property
    def good(self) -> bool:
        """No other picture would be clearly better."""
        return self.score >= _GOOD

    def clearly_better(self, than: "Merit") -> bool:
        return self.score > than.score * _CLEARLY


def merit(rows: Sequence[bytes]) -> Merit:
    """Rows of one length, of 8-bit luma, from all over the picture, each at full width: blur shows only there."""
    pixels = b"".join(rows)
    count = len(pixels)
    if count == 0:
        return Merit(0.0, 0.0, 0.0)
    mean = sum(pixels) / count
    variance = sum(map(mul, pixels, pixels)) / count - mean * mean
    return Merit(mean, max(variance, 0.0) ** 0.5, sum(map(_roughness, rows)) / count)


def _roughness(row: bytes) -> float:
    neighbours = map(add, row, row[2:])
    twice = map(mul, row[1:-1], b"\x02" * len(row))
    return sum(map(abs, map(sub, twice, neighbours))) / 2
