"""Tens of thousands of creators for benchmarks: one made-up answer with names filled in, and no media."""

import json
from time import monotonic
from typing import Annotated, Any

from pydantic import Field
from starlette.types import Receive, Scope, Send

from wentlive_devkit.tiktok.script import Script

USER_ROOM = "/api-live/user/room/"
_NAME = "crowd"
_DIGITS = 5
_FIRST_ID = 7_000_000_000_000_000_000
_ASKED = b"uniqueId=" + _NAME.encode()
_HANDLE, _ID, _ROOM = b"crowd-handle", b"crowd-id", b"crowd-room"


class CrowdScript(Script):
    """Creators `crowd00000` and on, offline until they are told otherwise."""

    size: Annotated[int, Field(ge=1, le=10**_DIGITS)]


class Crowd:
    """An ASGI application for `api-live/user/room` that also counts who was asked about, and when."""

    def __init__(self, script: CrowdScript, offline: dict[str, Any], live: dict[str, Any]) -> None:
        """`offline` and `live` are answers about somebody called "crowd-handle", in "crowd-room"."""
        self._size = script.size
        self._offline, self._live = (json.dumps(answer, separators=(",", ":")).encode() for answer in (offline, live))
        self._rooms: dict[int, int] = {}
        self._next_room = _FIRST_ID + 2 * 10**_DIGITS
        self.reset()

    def reset(self) -> None:
        """Forgets the counts."""
        self._counts = [0] * self._size
        self._last = [0.0] * self._size
        self._shortest = [0.0] * self._size
        self._longest = [0.0] * self._size
        self._first_told: dict[str, float] = {}

    def go_live(self, number: int) -> str:
        """A new room from now on."""
        self._next_room += 1
        self._rooms[number] = self._next_room
        return str(self._next_room)

    def end(self, number: int) -> None:
        self._rooms.pop(number, None)

    def number(self, handle: str) -> int | None:
        digits = handle.removeprefix(_NAME)
        if len(digits) != _DIGITS or not (digits.isascii() and digits.isdigit()) or int(digits) >= self._size:
            return None
        return int(digits)

    def asked(self, scope: Scope) -> int | None:
        """The number of the one whom a request is about; None when it is about somebody else."""
        if scope["path"] != USER_ROOM:
            return None
        query: bytes = scope["query_string"]
        at = query.find(_ASKED)
        if at < 0:
            return None
        return self.number(query[at + len(b"uniqueId=") :].partition(b"&")[0].decode("latin-1"))

    async def answer(self, number: int, send: Send) -> None:
        self._count(number)
        body = self.body(number)
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def body(self, number: int) -> bytes:
        room = self._rooms.get(number)
        template = self._offline if room is None else self._live
        user_id = _FIRST_ID + number
        return (
            template.replace(_HANDLE, f"{_NAME}{number:0{_DIGITS}}".encode())
            .replace(_ID, str(user_id).encode())
            .replace(_ROOM, str(room or user_id + 10**_DIGITS).encode())
        )

    def _count(self, number: int) -> None:
        now = monotonic()
        if self._counts[number]:
            gap = now - self._last[number]
            shortest = self._shortest[number]
            self._shortest[number] = min(shortest, gap) if shortest else gap
            self._longest[number] = max(self._longest[number], gap)
        self._counts[number] += 1
        self._last[number] = now
        room = self._rooms.get(number)
        if room is not None:
            self._first_told.setdefault(str(room), now)

    def describe(self) -> dict[str, Any]:
        """How evenly people were asked about; `monotonic_s` is this machine's own clock."""
        asked = [number for number in range(self._size) if self._counts[number]]
        again = [number for number in asked if self._counts[number] > 1]
        counts = [self._counts[number] for number in asked]
        return {
            "size": self._size,
            "requests": sum(counts),
            "creators_asked": len(asked),
            "least": min(counts, default=0),
            "most": max(counts, default=0),
            "shortest_gap_s": round(min((self._shortest[number] for number in again), default=0.0), 3),
            "longest_gap_s": round(max((self._longest[number] for number in again), default=0.0), 3),
            "first_told_s": self._first_told,
            "monotonic_s": monotonic(),
        }


class CrowdFirst:
    """ASGI: the crowd's questions are answered here, everything else by the application behind."""

    def __init__(self, crowd: Crowd, app: Any) -> None:
        self._crowd = crowd
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        number = self._crowd.asked(scope) if scope["type"] == "http" else None
        if number is None:
            await self._app(scope, receive, send)
        else:
            await self._crowd.answer(number, send)
