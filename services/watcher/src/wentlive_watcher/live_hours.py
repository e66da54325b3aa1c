"""When in the day a creator tends to be live: seconds seen live in each half hour, in UTC, older ones fading."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Self

from pydantic import Field
from wentlive_common.model import Model

BUCKETS = 48
BUCKET = timedelta(minutes=30)
DAY = timedelta(days=1)
KEPT_A_DAY = 0.95
"""What is left of a day's weight one day later: half of it after two weeks."""
FADED_DAYS = 400
"""After so many days nothing is left, however much there was."""


class LiveHours(Model):
    """One creator's histogram."""

    seconds: tuple[int, ...] = Field(default=(0,) * BUCKETS, min_length=BUCKETS, max_length=BUCKETS)
    day: int = 0
    """The day of the last fading, counted as `date.toordinal` does."""

    def seen_live(self, start: datetime, end: datetime) -> Self:
        """Adds what lies between two moments; nothing when the clock went back between them."""
        faded = self.faded(end)
        seconds = list(faded.seconds)
        for bucket, length in _pieces(max(start, end - DAY), end):
            seconds[bucket] += round(length)
        return faded.model_copy(update={"seconds": tuple(seconds)})

    def faded(self, now: datetime) -> Self:
        today = now.toordinal()
        days = min(today - self.day, FADED_DAYS)
        if days <= 0:
            return self
        if not any(self.seconds):
            return self.model_copy(update={"day": today})
        kept = KEPT_A_DAY**days
        return self.model_copy(update={"seconds": tuple(int(value * kept) for value in self.seconds), "day": today})

    def likelihood(self, now: datetime, watched: timedelta) -> float:
        """How much of this half hour and its neighbours the creator is usually live: 0 never, 1 always.

        What comes next counts as much as what is now: it is better to be there before a live than after.
        """
        weight = BUCKET.total_seconds() * _days_of_weight(watched)
        seconds = self.faded(now).seconds
        here = bucket_of(now)
        before, current, after = (seconds[(here + step) % BUCKETS] for step in (-1, 0, 1))
        return min(1.0, max(before / 2, current, after) / weight)


def bucket_of(moment: datetime) -> int:
    return moment.hour * 2 + moment.minute // 30


def _days_of_weight(watched: timedelta) -> float:
    """What a creator who is always live would have in a bucket by now, in days' worth of it."""
    return (1 - KEPT_A_DAY ** max(1.0, watched / DAY)) / (1 - KEPT_A_DAY)


def _pieces(start: datetime, end: datetime) -> Iterator[tuple[int, float]]:
    """The stretch from `start` to `end`, cut at the half hours."""
    while start < end:
        edge = start.replace(minute=start.minute // 30 * 30, second=0, microsecond=0) + BUCKET
        piece = min(edge, end) - start
        yield bucket_of(start), piece.total_seconds()
        start = min(edge, end)
