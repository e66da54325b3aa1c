"""Makes each creator's clip once, off the event loop, and keeps it."""

import asyncio
import threading
from collections.abc import AsyncGenerator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

from wentlive_devkit.tiktok.clip import Clip, ClipPlan, encode
from wentlive_devkit.tiktok.playout import Playout
from wentlive_devkit.tiktok.scenario import CreatorScript, Scenario
from wentlive_devkit.tiktok.world import Broadcast, Creator

_MOST_KEPT = 32
# Simulators started one after another in a process (tests) share what is the same.
_finished: dict[ClipPlan, Clip] = {}


class Studio:
    """The clips of a scenario, in the making from the start; whoever asks early waits."""

    def __init__(self, scenario: Scenario, pool: ThreadPoolExecutor) -> None:
        loop = asyncio.get_running_loop()
        self._stopped = threading.Event()
        self._clips = {
            script.handle: loop.run_in_executor(pool, self._make, _plan(scenario, script))
            for script in scenario.creators
            if script.kind != "never_live"
        }

    async def clip(self, creator: Creator) -> Clip:
        """The creator's clip; raises EncodingStopped when the studio closes first."""
        return await asyncio.shield(self._clips[creator.script.handle])

    async def playout(self, creator: Creator, broadcast: Broadcast) -> Playout:
        return Playout(await self.clip(creator), broadcast.base_ms)

    def stop(self) -> None:
        """Unfinished clips are given up within a frame."""
        self._stopped.set()

    async def wait_until_idle(self) -> None:
        await asyncio.gather(*self._clips.values(), return_exceptions=True)

    def _make(self, plan: ClipPlan) -> Clip:
        clip = _finished.get(plan)
        if clip is None:
            clip = encode(plan, self._stopped.is_set)
            if len(_finished) >= _MOST_KEPT:
                _finished.clear()
            _finished[plan] = clip
        return clip


@asynccontextmanager
async def open_studio(scenario: Scenario) -> AsyncGenerator[Studio]:
    # One thread, so that a machine of two cores keeps one for what is being tried out on it.
    pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="studio")
    studio = Studio(scenario, pool)
    try:
        yield studio
    finally:
        studio.stop()
        await studio.wait_until_idle()
        pool.shutdown()


def _plan(scenario: Scenario, script: CreatorScript) -> ClipPlan:
    return ClipPlan(media=scenario.media, colours=script.colours, tone_hz=script.tone_hz)
