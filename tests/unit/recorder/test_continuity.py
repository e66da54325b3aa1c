"""What is said to be missing between two stretches of media."""

from datetime import UTC, datetime, timedelta

import pytest
from wentlive_recorder.continuity import Continuity
from wentlive_recorder.errors import StreamStalled
from wentlive_recorder.watchdog import Watchdog

START = datetime(2026, 11, 23, tzinfo=UTC)


class HandClock:
    def __init__(self) -> None:
        self.time = 0.0

    def now(self) -> datetime:
        return START + timedelta(seconds=self.time)

    def monotonic(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.time += seconds


def lost(ended_ms: int, began_ms: int, away: float, silent_for: float = 0.0) -> float:
    clock = HandClock()
    continuity = Continuity(clock)
    continuity.ended(ended_ms, silent_for, "dropped")
    clock.time += away
    gap = continuity.began(began_ms)
    assert gap is None or (gap.why, gap.started_at) == ("dropped", START - timedelta(seconds=silent_for))
    return round(gap.seconds, 3) if gap else 0.0


def test_how_long_nothing_was_recorded() -> None:
    clock = HandClock()
    continuity = Continuity(clock)
    assert continuity.away is None
    continuity.ended(100_000, 2.0, "dropped")
    clock.time += 3
    assert continuity.away == 5
    continuity.began(105_000)
    assert continuity.away is None


@pytest.mark.parametrize(
    ("case", "seconds"),
    [
        ((100_000, 103_000, 4.0), 3.0),  # the server kept a second for whoever comes back
        ((100_000, 96_000, 4.0), 0.0),  # it sends again what we have
        ((100_000, 100_040, 0.1), 0.0),
        ((100_000, 5_000, 4.0), 4.0),  # a clock of its own: the wall tells
        ((100_000, 900_000, 4.0), 4.0),
        ((100_000, 103_000, 4.0, 20.0), 3.0),
        ((100_000, 10, 4.0, 20.0), 24.0),  # it had been silent before it was given up
    ],
)
def test_what_a_reconnect_lost(case: tuple[int, int, float], seconds: float) -> None:
    assert lost(*case) == seconds


def test_a_clock_that_is_over_tells_nothing() -> None:
    clock = HandClock()
    continuity = Continuity(clock)
    continuity.ended(100_000, 0, "clock_jumped", same_clock=False)
    clock.time += 1.5
    gap = continuity.began(98_500)
    assert gap
    assert gap.seconds == 1.5


def test_nothing_is_missing_before_the_first_part() -> None:
    assert Continuity(HandClock()).began(123) is None


def test_the_reason_is_what_is_known_last() -> None:
    clock = HandClock()
    continuity = Continuity(clock)
    continuity.explained("nothing ended yet")
    continuity.ended(0, 0, "")
    continuity.explained("The creator paused the live.")
    clock.time += 30
    gap = continuity.began(0)
    assert gap
    assert (gap.why, gap.seconds) == ("The creator paused the live.", 30.0)


def test_a_hole_in_a_part_ends_now() -> None:
    gap = Continuity(HandClock()).left_out(1960, "damage")
    assert gap
    assert (gap.ended_at, gap.seconds) == (START, 1.96)
    assert Continuity(HandClock()).left_out(400, "damage") is None


def test_a_stream_without_media_is_a_stall() -> None:
    watchdog = Watchdog(20.0)
    for _ in range(20):
        watchdog.waited(1.0, 0.0)
    with pytest.raises(StreamStalled, match="nothing to record"):
        watchdog.waited(1.0, 0.0)


def test_a_stream_that_trickles_is_a_stall_and_a_slow_one_is_not() -> None:
    slow, trickling = Watchdog(20.0), Watchdog(20.0)
    for second in range(1, 200):
        slow.waited(1.0, second * 0.3)
    for second in range(1, 30):
        trickling.waited(1.0, second * 0.1)
    with pytest.raises(StreamStalled, match="trickles"):
        trickling.waited(1.0, 3.0)
