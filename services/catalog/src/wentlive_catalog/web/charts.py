"""Numbers as pictures: where the shapes of a chart lie, for templates to draw as SVG, without scripts."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from wentlive_catalog.domain.library import DayTotals, LiveSpan

HOURS = 24
WEEK = 7
CHART_DAYS = 30


@dataclass(frozen=True, slots=True)
class Cell:
    """One hour of one day of the week; `level` 0 (never) to 4 (most)."""

    day: int
    hour: int
    minutes: int
    level: int


@dataclass(frozen=True, slots=True)
class Bar:
    day: str
    value: float
    height: float
    """0 to 100, of the highest bar."""


def heat_map(spans: Sequence[LiveSpan], now: datetime) -> tuple[tuple[Cell, ...], ...]:
    """By day of the week, Monday first, and hour in UTC: how long lives were on."""
    seconds = [[0.0] * HOURS for _ in range(WEEK)]
    for span in spans:
        start, end = span.started_at, min(span.ended_at or now, span.started_at + timedelta(days=WEEK))
        while start < end:
            border = min(end, (start + timedelta(hours=1)).replace(minute=0, second=0, microsecond=0))
            seconds[start.weekday()][start.hour] += (border - start).total_seconds()
            start = border
    most = max(max(row) for row in seconds)
    return tuple(
        tuple(Cell(day, hour, round(value / 60), _level(value, most)) for hour, value in enumerate(row))
        for day, row in enumerate(seconds)
    )


def _level(value: float, most: float) -> int:
    return 0 if value <= 0 else min(4, 1 + int(4 * value / most))


def bars(days: Sequence[DayTotals], field: str, today: date) -> tuple[Bar, ...]:
    """The last thirty days, with those on which there was nothing."""
    known = {one.day: float(getattr(one, field)) for one in days}
    shown = [f"{today - timedelta(days=ago)}" for ago in range(CHART_DAYS - 1, -1, -1)]
    most = max((known.get(day, 0.0) for day in shown), default=0.0)
    return tuple(
        Bar(day, known.get(day, 0.0), round(100 * known.get(day, 0.0) / most, 2) if most else 0.0) for day in shown
    )
