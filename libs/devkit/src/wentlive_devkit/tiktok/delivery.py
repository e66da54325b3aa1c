"""Sends a broadcast to one client in real time, as a CDN's HTTP-FLV edge does."""

import asyncio
import logging
import random
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass

from starlette.types import Receive, Scope, Send

from wentlive_devkit.tiktok.ledger import Viewing
from wentlive_devkit.tiktok.playout import Playout
from wentlive_devkit.tiktok.twists import Accident
from wentlive_devkit.tiktok.world import ENDED, PAUSED, Broadcast, World

SLOWEST_CLIENT_S = 15.0
"""How long a client may leave what it is sent unread before it is dropped."""
_PIECE_MS = 2000
_DRIP_S = 0.25
_AGAIN_S = 1.0


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

    def __init__(
        self, world: World, broadcast: Broadcast, playout: Playout, *, audio_only: bool, backup: bool = False
    ) -> None:
        self._world = world
        self._broadcast = broadcast
        self._playout = playout
        self._audio_only = audio_only
        self._backup = backup

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        connection = _Connection(self._world, self._broadcast, self._playout, send, audio_only=self._audio_only)
        self._broadcast.viewings.append(connection.enter(backup=self._backup))
        playing = asyncio.create_task(connection.play(), name="flv-play")
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


@dataclass(slots=True)
class _Silence:
    """What an accident made of a connection that sends no more tags, for the time being."""

    until_ms: float
    drips: bool


class _Connection:
    """One viewer's place in the broadcast."""

    def __init__(self, world: World, broadcast: Broadcast, playout: Playout, send: Send, *, audio_only: bool) -> None:
        self._world, self._broadcast, self._playout, self._send = world, broadcast, playout, send
        self._audio_only = audio_only
        self._joined = world.now()
        joined_ms = broadcast.position_ms(self._joined)
        self._first = self._next = playout.keyframe_before(joined_ms)
        self._accidents = [one for one in broadcast.script.accidents if one.at_s * 1000 > joined_ms]
        self._accidents.sort(key=lambda accident: accident.at_s)
        self._silence: _Silence | None = None
        self._paused = False
        self._over = False
        self._viewing = Viewing("flv", False, playout.position_ms(self._first), playout.fps)

    def enter(self, *, backup: bool) -> Viewing:
        """The connection's own page of the ledger."""
        self._viewing.backup = backup
        self._viewing.enter("joined")
        return self._viewing

    async def play(self) -> None:
        try:
            async with asyncio.timeout(SLOWEST_CLIENT_S):
                await self._send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
                await self._send_body(self._playout.opening(self._first, audio_only=self._audio_only))
            while True:
                async with asyncio.timeout(SLOWEST_CLIENT_S):
                    behind = await self._advance()
                if self._over:
                    return
                await asyncio.sleep(0 if behind else self._broadcast.script.piece_s)
        except TimeoutError:
            self._viewing.over = "too slow"
            raise
        except asyncio.CancelledError:
            self._viewing.over = self._viewing.over or "left"
            raise

    async def _advance(self) -> bool:
        """Sends what is due, up to a limit; whether there is more that is due already."""
        if self._world.closed:
            self._end("closed")
            return False
        now = self._world.now()
        cut = self._broadcast.cut_between(self._joined, now)
        status = self._broadcast.status(now)
        if status == PAUSED and cut is None:
            self._paused = True
            return False
        ends = self._broadcast.ends
        moments = [moment for moment in (now, ends, cut) if moment is not None]
        due_ms = self._broadcast.position_ms(min(moments))
        if await self._go_on(due_ms) or self._over:
            return True
        if cut is not None:
            await self._break_off()
        elif status == ENDED and not self._silence:
            await self._finish("ended")
        return False

    async def _go_on(self, due_ms: int) -> bool:
        """Sends up to the next accident, and lets it happen."""
        if self._silence is not None and due_ms < self._silence.until_ms:
            await self._be_silent(self._silence)
            return False
        self._silence = None
        if self._paused:
            # What the encoder did not send while it was paused is never made up for.
            self._next = max(self._next, self._playout.keyframe_before(due_ms))
            self._paused = False
        until_ms = min(due_ms, self._playout.position_ms(self._next) + _PIECE_MS)
        accident = self._accidents[0] if self._accidents else None
        if accident is not None and accident.at_s * 1000 <= until_ms:
            await self._send_tags(self._playout.first_after(round(accident.at_s * 1000)))
            self._accidents.pop(0)
            await self._happen(accident)
            return not self._over
        await self._send_tags(self._playout.first_after(until_ms))
        return until_ms < due_ms

    async def _send_tags(self, end: int) -> None:
        for first, until, turned in self._playout.runs(self._next, end):
            if turned:
                self._viewing.enter("turn")
            await self._send_body(self._playout.tags(first, until, audio_only=self._audio_only))
            self._viewing.count(self._playout.samples(first, until))
            self._next = until

    async def _happen(self, accident: Accident) -> None:
        self._viewing.enter(accident.how)
        match accident.how:
            case "stall" | "drip":
                lasts = float("inf") if accident.for_s is None else accident.for_s * 1000
                self._silence = _Silence(accident.at_s * 1000 + lasts, accident.how == "drip")
            case "eof":
                await self._finish("eof")
            case "duplicate":
                again_ms = round((accident.at_s - (accident.for_s or _AGAIN_S)) * 1000)
                first = max(self._playout.first_after(max(again_ms, 0)), self._first)
                await self._send_body(self._playout.tags(first, self._next, audio_only=self._audio_only))
            case "garbage":
                chance = random.Random(f"{self._broadcast.script.seed} {accident.at_s}")  # noqa: S311 - a test's noise
                await self._send_body(chance.randbytes(accident.size))
            case "second_header":
                await self._send_body(self._playout.opening(self._next, audio_only=self._audio_only))
            case "truncated":
                await self._send_body(self._half_a_tag())
                self._next += 1

    async def _be_silent(self, silence: _Silence) -> None:
        if silence.drips:
            await self._send_body(b"\x09")
            await asyncio.sleep(_DRIP_S)

    async def _break_off(self) -> None:
        """Half a tag, and no end of the response: the server then closes the connection."""
        await self._send_body(self._half_a_tag())
        self._end("cut")

    async def _finish(self, why: str) -> None:
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})
        self._end(why)

    def _end(self, why: str) -> None:
        self._over = True
        self._viewing.over = why

    def _half_a_tag(self) -> bytes:
        tag = self._playout.tags(self._next, self._next + 1, audio_only=False)
        return tag[: len(tag) // 2]

    async def _send_body(self, body: bytes) -> None:
        await self._send({"type": "http.response.body", "body": body, "more_body": True})


_HEADERS = [(b"content-type", b"video/x-flv"), (b"cache-control", b"no-cache")]


async def _until_disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
