"""Makes each creator's clip once, off the event loop, and keeps it."""

import asyncio
import threading
from collections.abc import AsyncGenerator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

from wentlive_devkit.tiktok.clip import Clip, ClipPlan, encode
from wentlive_devkit.tiktok.playout import Playout
from wentlive_devkit.tiktok.scenario import CreatorScript, LiveScript, Scenario
from wentlive_devkit.tiktok.twists import FormatTurn
from wentlive_devkit.tiktok.world import Broadcast, Creator

_MOST_KEPT = 32
# Simulators started one after another in a process (tests) share what is the same.
_finished: dict[ClipPlan, Clip] = {}


class Studio:
    """The clips of a scenario, in the making from the start; whoever asks early waits."""

    def __init__(self, scenario: Scenario, pool: ThreadPoolExecutor) -> None:
        self._loop, self._pool = asyncio.get_running_loop(), pool
        self._scenario = scenario
        self._stopped = threading.Event()
        self._clips: dict[ClipPlan, asyncio.Future[Clip]] = {}
        for script in scenario.creators:
            if script.kind != "never_live":
                self._clip(_plan(scenario, script))
                for live in script.lives:
                    self._formats(script, live)

    async def clip(self, creator: Creator) -> Clip:
        """The creator's clip; raises EncodingStopped when the studio closes first."""
        return await asyncio.shield(self._clip(_plan(self._scenario, creator.script)))

    async def playout(self, creator: Creator, broadcast: Broadcast) -> Playout:
        live = broadcast.script
        formats = [await asyncio.shield(clip) for clip in self._formats(creator.script, live)]
        return Playout(await self.clip(creator), broadcast.base_ms, live.turns, formats)

    def _formats(self, script: CreatorScript, live: LiveScript) -> list[asyncio.Future[Clip]]:
        turns = [turn for turn in live.turns if isinstance(turn, FormatTurn)]
        return [self._clip(_plan(self._scenario, script, turn)) for turn in turns]

    def _clip(self, plan: ClipPlan) -> asyncio.Future[Clip]:
        if plan not in self._clips:
            self._clips[plan] = self._loop.run_in_executor(self._pool, self._make, plan)
        return self._clips[plan]

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


def _plan(scenario: Scenario, script: CreatorScript, turn: FormatTurn | None = None) -> ClipPlan:
    media = scenario.media if script.media is None else script.media
    if turn is not None:
        given = {"width": turn.width, "height": turn.height, "codec": turn.codec}
        media = media.model_copy(update={name: value for name, value in given.items() if value is not None})
    return ClipPlan(media=media, colours=script.colours, tone_hz=script.tone_hz)
