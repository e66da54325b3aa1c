"""How a storage call is repeated: while that can help, at growing intervals, and not for ever."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog
from wentlive_common.clock import Clock
from wentlive_common.errors import Forbidden, Transient

from wentlive_recorder.errors import BlocksLost, StorageUnavailable

STORAGE_RETRIED, STORAGE_BACK = "storage_retried", "storage_back"
_FIRST_BACKOFF, _LONGEST_BACKOFF = 0.2, 5.0

log = structlog.get_logger(__name__)
ResultT = TypeVar("ResultT")


class Patience:
    """Waits out outages, and grants that ran out until they are renewed; raises StorageUnavailable in the end."""

    def __init__(self, seconds: float, clock: Clock) -> None:
        self._seconds, self._clock = seconds, clock

    async def __call__(self, call: Callable[[], Awaitable[ResultT]]) -> ResultT:
        started = self._clock.monotonic()
        backoff, tries = _FIRST_BACKOFF, 1
        while True:
            try:
                result = await call()
            except BlocksLost:
                raise  # the same call again would fail again: the blocks have to be sent before
            except (Transient, Forbidden) as error:
                if self._clock.monotonic() - started + backoff > self._seconds:
                    raise StorageUnavailable(
                        f"Storage failed for {self._seconds:.0f} s; last answer: {error.message}"
                    ) from error
                if tries == 1:
                    log.warning(STORAGE_RETRIED, why=error.message)
            else:
                if tries > 1:
                    log.info(STORAGE_BACK, tries=tries, after=round(self._clock.monotonic() - started, 1))
                return result
            await self._clock.sleep(backoff)
            backoff, tries = min(backoff * 2, _LONGEST_BACKOFF), tries + 1
