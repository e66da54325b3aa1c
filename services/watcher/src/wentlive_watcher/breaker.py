"""When an address that TikTok refuses may ask again: not now, then once, then as before."""

import random
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Literal

from wentlive_common.clock import Clock
from wentlive_tiktok.status import Blocked, BlockedHow, LiveStatus, Unknown

BreakerState = Literal["closed", "open", "half_open"]

REFUSALS_TO_OPEN = 2
"""In a row. One may be about one creator; that TikTok counts our requests is said once."""
CALM_SECONDS = 600.0
"""Who is refused again within this time after a rest rests twice as long."""
JITTER = 0.1


class Breaker:
    """A circuit breaker: closed while TikTok answers, open while we rest, half open while one probe decides."""

    def __init__(
        self, clock: Clock, *, backoff: float, limit: float, chance: Callable[[], float] = random.random
    ) -> None:
        self._clock = clock
        self._backoff = backoff
        self._limit = limit
        self._chance = chance
        self._refusals = 0
        self._wait = 0.0
        self._ends: float | None = None
        self._closed_at = -CALM_SECONDS
        self._changed_at = clock.now()
        self.probing = False
        self.why: BlockedHow | None = None

    @property
    def state(self) -> BreakerState:
        if self._ends is None:
            return "closed"
        return "half_open" if self.probing or self._clock.monotonic() >= self._ends else "open"

    @property
    def retry_at(self) -> datetime | None:
        """When a probe may go out; None unless open."""
        if self._ends is None or self.state != "open":
            return None
        return self._clock.now() + timedelta(seconds=self._ends - self._clock.monotonic())

    @property
    def since(self) -> datetime:
        if self._ends is None or self.state == "open":
            return self._changed_at
        return self._clock.now() - timedelta(seconds=max(0.0, self._clock.monotonic() - self._ends))

    def learn(self, answer: LiveStatus, *, probe: bool) -> None:
        """What an answer says about the address it came over; only a probe's ends a rest."""
        if probe:
            self.probing = False
        if isinstance(answer, Blocked):
            self._refused(answer.how, answer.retry_after, probe=probe)
        elif self._ends is None:
            # No answer at all says neither that we are welcome nor that we are not.
            self._refusals = self._refusals if isinstance(answer, Unknown) else 0
        elif probe and isinstance(answer, Unknown):
            # However long TikTok asked us to wait, that time is over.
            self._rest(min(self._limit, self._wait))
        elif probe:
            self._close()

    def _refused(self, how: BlockedHow, retry_after: timedelta | None, *, probe: bool) -> None:
        asked = retry_after.total_seconds() if retry_after else 0.0
        if self._ends is None:
            self._refusals += 1
            if how != "rate_limited" and self._refusals < REFUSALS_TO_OPEN:
                return
            self._open(how, asked)
        elif probe:
            self.why = how
            self._rest(max(min(self._limit, self._wait * 2), asked))
        elif asked:
            # One of those that were under way when it opened.
            self._ends = max(self._ends, self._clock.monotonic() + asked)

    def _open(self, how: BlockedHow, asked: float) -> None:
        again = self._clock.monotonic() - self._closed_at < CALM_SECONDS
        self.why = how
        self._changed_at = self._clock.now()
        self._rest(max(min(self._limit, self._wait * 2 if again else self._backoff), asked))

    def _rest(self, seconds: float) -> None:
        self._wait = seconds
        self._ends = self._clock.monotonic() + seconds * (1 + JITTER * self._chance())

    def _close(self) -> None:
        self._ends = None
        self._refusals = 0
        self.why = None
        self._closed_at = self._clock.monotonic()
        self._changed_at = self._clock.now()
