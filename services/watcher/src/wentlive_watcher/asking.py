"""One question to TikTok about one creator: over one egress, and over another when that one is refused."""

import asyncio

import structlog
from wentlive_tiktok.status import Blocked, LiveStatus, Unknown

from wentlive_watcher.domain import Watch
from wentlive_watcher.egress import Egresses, Turn

log = structlog.stdlib.get_logger(__name__)


class Asking:
    """Asks, and lets each egress learn from its answer."""

    def __init__(self, egresses: Egresses, timeout: float) -> None:
        self._egresses = egresses
        self._timeout = timeout

    async def ask(self, watch: Watch, turn: Turn) -> LiveStatus:
        """The answer, whatever goes wrong; a refusal only when no egress is left to ask over."""
        deadline = asyncio.get_running_loop().time() + self._timeout
        tried: set[str] = set()
        while True:
            answer = turn.overtaken or await self._ask_once(watch, turn, deadline)
            tried.add(turn.egress.name)
            other = self._egresses.instead(watch.egress, tried) if isinstance(answer, Blocked) else None
            if other is None:
                return answer
            turn = other

    async def _ask_once(self, watch: Watch, turn: Turn, deadline: float) -> LiveStatus:
        answer: LiveStatus = Unknown(why="The check was cut short.")
        try:
            answer = await self._answer(watch, turn, deadline)
        finally:
            turn.learn(answer)
        return answer

    async def _answer(self, watch: Watch, turn: Turn, deadline: float) -> LiveStatus:
        room = watch.broadcast.room.room_id if watch.broadcast else None
        try:
            async with asyncio.timeout_at(deadline):
                return await turn.egress.source.live_status(watch.asks, creator_id=watch.creator_id, open_room=room)
        except TimeoutError:
            return Unknown(why=f"No answer within {self._timeout:g} s.")
        except Exception as error:
            # A source answers trouble as Unknown; one that raises has a bug, and the creator's schedule goes on.
            log.exception("live_status_source_failed", kind=type(error).__name__)
            return Unknown(why=f"The check failed here: {type(error).__name__}.")
