"""What the recorder was told from outside: finish (by a signal: in a hurry), or abandon (it was replaced)."""

import asyncio
from collections.abc import Coroutine
from typing import Any, Literal

from wentlive_common.lifecycle import wait_any


class Orders:
    """Set once, never taken back; `abandon` outranks `finish`."""

    def __init__(self) -> None:
        self._given, self._hurried, self._abandoned = asyncio.Event(), asyncio.Event(), asyncio.Event()

    @property
    def given(self) -> bool:
        return self._given.is_set()

    @property
    def abandoned(self) -> bool:
        return self._abandoned.is_set()

    @property
    def hurried(self) -> bool:
        """Whether the process will be killed within seconds."""
        return self._hurried.is_set()

    def give(self, command: Literal["continue", "finish", "abandon"]) -> None:
        if command == "continue":
            return
        if command == "abandon":
            self._abandoned.set()
        self._given.set()

    def hurry(self) -> None:
        """Finish, and be gone in a few seconds."""
        self._hurried.set()
        self._given.set()

    async def wait(self) -> None:
        await self._given.wait()

    async def interrupt(self, work: Coroutine[Any, Any, None]) -> None:
        """Does `work`, but not beyond an order; its error is raised."""
        await wait_any(work, self.wait())

    async def press(self, work: Coroutine[Any, Any, None], seconds: float) -> None:
        """Does `work`, but no longer than so many seconds once there is a hurry; its error is raised."""
        await wait_any(work, self._hurry_over(seconds))

    async def abandonment(self) -> None:
        await self._abandoned.wait()

    async def _hurry_over(self, seconds: float) -> None:
        await self._hurried.wait()
        await asyncio.sleep(seconds)
