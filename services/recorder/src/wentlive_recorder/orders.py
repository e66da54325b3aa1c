"""What the recorder was told from outside: finish (a signal, or the orchestrator) or abandon (it was replaced)."""

import asyncio
from collections.abc import Coroutine
from typing import Any, Literal

from wentlive_common.lifecycle import wait_any


class Orders:
    """Set once, never taken back; `abandon` outranks `finish`."""

    def __init__(self) -> None:
        self._given = asyncio.Event()
        self._abandoned = False

    @property
    def given(self) -> bool:
        return self._given.is_set()

    @property
    def abandoned(self) -> bool:
        return self._abandoned

    def give(self, command: Literal["continue", "finish", "abandon"]) -> None:
        if command == "continue":
            return
        self._abandoned = self._abandoned or command == "abandon"
        self._given.set()

    async def wait(self) -> None:
        await self._given.wait()

    async def interrupt(self, work: Coroutine[Any, Any, None]) -> None:
        """Does `work`, but not beyond an order; its error is raised."""
        await wait_any(work, self.wait())
