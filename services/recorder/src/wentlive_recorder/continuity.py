"""Tells what a recording lacks between two stretches of media, so that it can be stated instead of hidden."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from wentlive_common.capture import Gap
from wentlive_common.clock import Clock

_WORTH_STATING = 0.5
_LONGEST_REPETITION = 30.0
_FRESH_CLOCK_MS = 10_000
"""A clock that has only just begun to run was set for this connection and tells nothing about the last one."""
_LATENESS = 5.0
"""Seconds that a connection may bring media ahead of or behind the wall clock."""


@dataclass(frozen=True, slots=True)
class _End:
    at: datetime
    """Wall clock of the last sample."""
    stream_ms: int
    """The same by the stream's clock."""
    same_clock: bool
    why: str


class Continuity:
    """Follows one attempt over all its connections."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._end: _End | None = None

    @property
    def away(self) -> float | None:
        """Seconds that nothing was recorded; None before the first media, and while there is some."""
        return (self._clock.now() - self._end.at).total_seconds() if self._end else None

    def ended(self, stream_ms: int, silent_for: float, why: str, *, same_clock: bool = True) -> None:
        """Media ended at this moment of the stream's clock, so many seconds ago; that clock may be known to be over."""
        self._end = _End(self._clock.now() - timedelta(seconds=silent_for), stream_ms, same_clock, why)

    def explained(self, why: str) -> None:
        """What is known now of why the media ended."""
        if self._end is not None:
            self._end = replace(self._end, why=why)

    def began(self, stream_ms: int) -> Gap | None:
        """Media begins again now, at this moment of the stream's clock."""
        end, self._end = self._end, None
        if end is None:
            return None
        away = (self._clock.now() - end.at).total_seconds()
        return _gap(end.at, self._missing(end, stream_ms, away), end.why)

    def left_out(self, milliseconds: int, why: str) -> Gap | None:
        """The stream goes on, but this much is missing just before now."""
        seconds = milliseconds / 1000
        return _gap(self._clock.now() - timedelta(seconds=seconds), seconds, why)

    def _missing(self, end: _End, stream_ms: int, away: float) -> float:
        """By the stream's own clock where it went on, since a server first sends what it kept; else by the wall."""
        missing = (stream_ms - end.stream_ms) / 1000
        same_clock = end.same_clock and stream_ms >= _FRESH_CLOCK_MS
        goes_on = same_clock and -_LONGEST_REPETITION <= missing <= away + _LATENESS
        return missing if goes_on else away


def _gap(started_at: datetime, seconds: float, why: str) -> Gap | None:
    if seconds < _WORTH_STATING:
        return None
    return Gap(started_at=started_at, ended_at=started_at + timedelta(seconds=seconds), why=why[:500])
