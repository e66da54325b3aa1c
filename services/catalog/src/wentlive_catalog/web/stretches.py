"""A recording along the clock on the wall: which stretches were recorded, and where nothing was."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from wentlive_catalog.domain.recordings import Part, Recording

SCALE = 1000.0
SHORTEST_GAP = 1.0
"""Seconds; what is shorter is a new part that begins where the one before ended."""
NARROWEST = 3.0
"""Of the scale, so that a short gap can be seen at all."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """`x` and `width` are of a bar that is `SCALE` wide."""

    began: datetime
    ended: datetime
    x: float
    width: float
    part: Part | None = None
    """None where nothing was recorded."""
    starts_at: float = 0.0
    """Seconds of the recording as it plays."""

    @property
    def seconds(self) -> float:
        return (self.ended - self.began).total_seconds()


def stretches(recording: Recording) -> tuple[Stretch, ...]:
    """In order of time; none before there is something to watch."""
    found = list(_on_the_clock(recording))
    if not found:
        return ()
    first, last = found[0].began, max(stretch.ended for stretch in found)
    whole = max((last - first).total_seconds(), 0.001)
    return tuple(
        Stretch(
            one.began, one.ended, round(min((one.began - first).total_seconds() / whole * SCALE, SCALE - NARROWEST), 2),
            round(max(one.seconds / whole * SCALE, NARROWEST), 2), one.part, one.starts_at,
        )
        for one in found
    )  # fmt: skip


def gaps(recording: Recording) -> tuple[Stretch, ...]:
    return tuple(stretch for stretch in stretches(recording) if stretch.part is None)


def _on_the_clock(recording: Recording) -> Iterator[Stretch]:
    before: datetime | None = None
    played = 0.0
    for part in recording.watchable_parts:
        began = part.report.opened_at
        ended = began + timedelta(seconds=part.report.duration)
        if before and (began - before).total_seconds() >= SHORTEST_GAP:
            yield Stretch(before, began, 0, 0, starts_at=played)
        yield Stretch(began, ended, 0, 0, part, played)
        played += part.report.duration
        before = max(before, ended) if before else ended
