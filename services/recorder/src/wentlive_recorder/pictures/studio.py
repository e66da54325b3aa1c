"""Where all pictures of a recording are made: one after another, in one thread, and as many as there is time for."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from wentlive_recorder.ports import BlobSink

_MOST_WAITING = 4
"""Each holds a keyframe."""

Work = Callable[[], Awaitable[None]]
Made = TypeVar("Made")


class Studio:
    """Recording hands work over and never waits for it; a defect here ends the pictures, not the recording."""

    def __init__(self, sink: BlobSink, preview_blob: str) -> None:
        self.sink, self.preview_blob = sink, preview_blob
        self._waiting: deque[Work] = deque()
        self._changed = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="pictures")
        self._broken = False

    def offer(self, work: Work) -> bool:
        """False when there is too much to do already."""
        return len(self._waiting) < _MOST_WAITING and self.require(work)

    def require(self, work: Work) -> bool:
        """For what is done once a part; False when nothing is done any more."""
        if self._broken:
            return False
        self._waiting.append(work)
        self._changed.set()
        return True

    async def in_thread(self, work: Callable[[], Made]) -> Made:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    async def run(self) -> None:
        """Works for ever; cancel it to stop."""
        try:
            while True:
                while self._waiting:
                    await self._waiting.popleft()()
                self._changed.clear()
                await self._changed.wait()
        finally:
            self._broken = True
            self._waiting.clear()
            self._thread.shutdown(wait=False, cancel_futures=True)
