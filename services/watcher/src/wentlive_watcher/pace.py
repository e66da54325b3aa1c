"""How fast one network address may ask: being polite is what keeps it from being blocked."""

from wentlive_common.clock import Clock


class Pace:
    """A token bucket. It starts with what one second gives, so that a start-up does not come as a burst."""

    def __init__(self, per_second: float, clock: Clock) -> None:
        self._per_second = per_second
        self._size = max(1.0, per_second)
        self._tokens = self._size
        self._clock = clock
        self._filled_at = clock.monotonic()

    def available(self) -> int:
        """How many may ask now."""
        now = self._clock.monotonic()
        self._tokens = min(self._size, self._tokens + (now - self._filled_at) * self._per_second)
        self._filled_at = now
        return int(self._tokens)

    def take(self, asked: int) -> None:
        self._tokens -= asked
