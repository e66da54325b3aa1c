"""How fast one network address may ask: being polite is what keeps it from being blocked."""

from wentlive_common.clock import Clock

SLOWEST = 0.1
"""A ramp begins with this part of the pace."""


class Pace:
    """A token bucket. It begins with one token and, over `ramp` seconds, grows to its whole pace: bursts at a
    start-up are what gets an address blocked."""

    def __init__(self, per_second: float, clock: Clock, *, burst: float = 1.0, ramp: float = 0.0) -> None:
        self._per_second = per_second
        self._size = max(1.0, burst)
        self._ramp = ramp
        self._clock = clock
        self.restart()

    def restart(self) -> None:
        """Begins the ramp anew."""
        self._tokens = 1.0
        self._began_at = self._filled_at = self._clock.monotonic()

    def available(self) -> int:
        """How many may ask now."""
        now = self._clock.monotonic()
        middle = (now + self._filled_at) / 2 - self._began_at
        pace = self._per_second * (min(1.0, max(SLOWEST, middle / self._ramp)) if self._ramp else 1.0)
        self._tokens = min(self._size, self._tokens + (now - self._filled_at) * pace)
        self._filled_at = now
        return max(0, int(self._tokens))

    def take(self, asked: int = 1) -> None:
        """May go into debt, which is paid off before anybody else may ask."""
        self._tokens -= asked
