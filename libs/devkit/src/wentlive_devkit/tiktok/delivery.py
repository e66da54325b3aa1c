"""Sends a broadcast to one client in real time, as a CDN's HTTP-FLV edge does."""

import asyncio
import logging
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass

from starlette.types import Receive, Scope, Send

from wentlive_devkit.tiktok.playout import Playout
from wentlive_devkit.tiktok.world import ENDED, PAUSED, Broadcast, World

TICK_S = 0.1
SLOWEST_CLIENT_S = 15.0
"""How long a client may leave what it is sent unread before it is dropped."""


@contextmanager
def breaking_off_is_no_error() -> Generator[None]:
    """Keeps uvicorn from reporting each response that is left unfinished on purpose."""
    logger = logging.getLogger("uvicorn.error")

    def is_news(record: logging.LogRecord) -> bool:
        return record.msg != "ASGI callable returned without completing response."

    logger.addFilter(is_news)
    try:
        yield
    finally:
        logger.removeFilter(is_news)


class FlvDelivery:
    """An ASGI response that ends when the live ends, and breaks off in mid-tag when the scenario says so."""

    def __init__(self, world: World, broadcast: Broadcast, playout: Playout, *, audio_only: bool) -> None:
        self._world = world
        self._broadcast = broadcast
        self._playout = playout
        self._audio_only = audio_only

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        playing = asyncio.create_task(self._play(send), name="flv-play")
        leaving = asyncio.create_task(_until_disconnected(receive), name="flv-leave")
        try:
            await asyncio.wait((playing, leaving), return_when=asyncio.FIRST_COMPLETED)
        finally:
            playing.cancel()
            leaving.cancel()
            results = await asyncio.gather(playing, leaving, return_exceptions=True)
        for result in results:
            # A client that is too slow is dropped by not finishing its response.
            if isinstance(result, Exception) and not isinstance(result, TimeoutError):
                raise result

    async def _play(self, send: Send) -> None:
        joined = self._world.now()
        start = self._playout.keyframe_before(self._broadcast.position_ms(joined))
        await send(
            {
                "type": "http.response.start",
                "status": 200,
                "headers": [(b"content-type", b"video/x-flv"), (b"cache-control", b"no-cache")],
            }
        )
        await _send_body(send, self._playout.opening(start, audio_only=self._audio_only))
        progress = _Progress(next_sample=start)
        while True:
            async with asyncio.timeout(SLOWEST_CLIENT_S):
                if not await self._advance(send, progress, joined):
                    return
            await asyncio.sleep(TICK_S)

    async def _advance(self, send: Send, progress: "_Progress", joined: float) -> bool:
        """Sends what is due; False when there is nothing more to come on this connection."""
        if self._world.closed:
            return False
        now = self._world.now()
        cut = self._broadcast.cut_between(joined, now)
        status = self._broadcast.status(now)
        if cut is not None:
            await self._break_off(send, progress, cut)
            return False
        if status == PAUSED:
            progress.paused = True
            return True
        ends = self._broadcast.ends
        until = now if ends is None else min(now, ends)
        await self._send_due(send, progress, self._broadcast.position_ms(until))
        if status == ENDED:
            await send({"type": "http.response.body", "body": b"", "more_body": False})
            return False
        return True

    async def _send_due(self, send: Send, progress: "_Progress", position_ms: int) -> None:
        if progress.paused:
            # What the encoder did not send while it was paused is never made up for.
            progress.next_sample = max(progress.next_sample, self._playout.keyframe_before(position_ms))
            progress.paused = False
        end = self._playout.first_after(position_ms)
        if end > progress.next_sample:
            await _send_body(send, self._playout.tags(progress.next_sample, end, audio_only=self._audio_only))
            progress.next_sample = end

    async def _break_off(self, send: Send, progress: "_Progress", cut: float) -> None:
        """Half a tag, and no end of the response: the server then closes the connection."""
        await self._send_due(send, progress, self._broadcast.position_ms(cut))
        last = self._playout.tags(progress.next_sample, progress.next_sample + 1, audio_only=False)
        await _send_body(send, last[: len(last) // 2])


@dataclass(slots=True)
class _Progress:
    next_sample: int
    paused: bool = False


async def _send_body(send: Send, body: bytes) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": True})


async def _until_disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
