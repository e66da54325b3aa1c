"""How many more requests of a kind Azure takes: the documented limits, corrected by what its answers say is left."""

from collections import deque
from collections.abc import Mapping

from wentlive_common.clock import Clock

FIVE_MINUTES, HOUR = 300.0, 3600.0
HEADER = "x-ms-ratelimit-remaining-subscription-resource-requests-"


class Window:
    """At most `limit` requests in any `seconds`."""

    def __init__(self, limit: int, seconds: float, header: str) -> None:
        self._limit = limit
        self._seconds = seconds
        self._header = header
        self._taken: deque[float] = deque()

    def left(self, now: float) -> int:
        while self._taken and self._taken[0] <= now - self._seconds:
            self._taken.popleft()
        return self._limit - len(self._taken)

    def take(self, now: float) -> None:
        self._taken.append(now)

    def learn(self, headers: Mapping[str, str], now: float) -> None:
        """Somebody else may use the same subscription, and its limit may have been raised."""
        try:
            remaining = int(headers[self._header])
        except (KeyError, ValueError):
            return
        self._limit = max(self._limit, remaining + 1)
        self._taken.extend([now] * max(0, self.left(now) - remaining))


class Allowance:
    """One kind of request: a third of the hour's requests may be made within five minutes."""

    def __init__(self, per_hour: int, clock: Clock) -> None:
        self._clock = clock
        self._windows = (
            Window(max(1, per_hour // 3), FIVE_MINUTES, f"{HEADER}pt5m"),
            Window(per_hour, HOUR, f"{HEADER}pt1h"),
        )
        self._closed_until = 0.0

    def left(self) -> int:
        now = self._clock.monotonic()
        return 0 if now < self._closed_until else max(0, min(window.left(now) for window in self._windows))

    def take(self) -> bool:
        """Whether a request may be made now; it is counted."""
        if self.left() == 0:
            return False
        for window in self._windows:
            window.take(self._clock.monotonic())
        return True

    def learn(self, headers: Mapping[str, str]) -> None:
        for window in self._windows:
            window.learn(headers, self._clock.monotonic())

    def close(self, seconds: float) -> None:
        """Azure said when to come back."""
        self._closed_until = max(self._closed_until, self._clock.monotonic() + seconds)
