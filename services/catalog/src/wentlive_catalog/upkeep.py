"""What has to be done again and again, whoever asks for it or not."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import structlog
from wentlive_common.clock import Clock
from wentlive_common.errors import WentliveError
from wentlive_common.lifecycle import wait_any

log = structlog.get_logger(__name__)

Chore = Callable[[], Awaitable[object]]


class Upkeep:
    """Each chore by itself, at once and then at its own interval; one that fails is tried again at its next turn."""

    def __init__(self, chores: Mapping[str, tuple[Chore, float]], clock: Clock) -> None:
        self._chores = chores
        self._clock = clock

    async def run(self, stop: asyncio.Event) -> None:
        async with asyncio.TaskGroup() as tasks:
            for name, (chore, seconds) in self._chores.items():
                tasks.create_task(self._repeat(name, chore, seconds, stop), name=name)

    async def _repeat(self, name: str, chore: Chore, seconds: float, stop: asyncio.Event) -> None:
        failing = False
        while not stop.is_set():
            try:
                await chore()
                failing = False
            except WentliveError as error:
                if not failing:
                    log.warning("chore_failed", chore=name, error=error.message)
                failing = True
            await wait_any(stop.wait(), self._clock.sleep(seconds))
