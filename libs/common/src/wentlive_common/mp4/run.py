"""A track's samples within one fragment, as the writer makes them and the rebuilding reads them back."""

from collections.abc import Sequence
from dataclasses import dataclass

KEY, NO_KEY = 0x02000000, 0x01010000
"""A sample's flags, ISO/IEC 14496-12, 8.8.3.1: depends on no other one; depends on others and is no place to start."""


@dataclass(frozen=True, slots=True)
class Run:
    """Times by the track's clock; the lists have one entry a sample, and at least one."""

    track: int
    start: int
    """When the first is decoded."""
    durations: Sequence[int]
    sizes: Sequence[int]
    flags: Sequence[int]
    delays: Sequence[int]
    """From decoding to showing."""

    @property
    def end(self) -> int:
        return self.start + sum(self.durations)
