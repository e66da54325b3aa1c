"""What stands between a question and TikTok's answer: refusals, bad days, and proxies to come through."""

import base64
import binascii
from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from wentlive_devkit.tiktok.mischief import refuse, spoil
from wentlive_devkit.tiktok.world import Creator, World

DIRECT = "direct"

Question = Callable[[Request, Creator | None], Awaitable[Response]]
Endpoint = Callable[[Request], Awaitable[ASGIApp]]


class Gate:
    """Springs the traps that are set for a creator before and after TikTok's own endpoints."""

    def __init__(self, world: World) -> None:
        self._world = world

    def before(self, answer: Question, about: Callable[[Request], Creator | None], *, page: bool = False) -> Endpoint:
        """The endpoint with its traps; `about` finds whom a request is about."""

        async def endpoint(request: Request) -> ASGIApp:
            creator = about(request)
            handle = creator.handle if creator else None
            refusal = self._world.traps.refusal(handle, egress_of(request), self._world.now())
            if refusal:
                return refuse(refusal)
            how = self._world.traps.of(handle).answer
            whole = await answer(request, creator)
            return whole if how is None or page else spoil(how, whole)

        return endpoint


def egress_of(request: Request) -> str:
    """The user name with which somebody came through the simulator as a proxy."""
    kind, _, encoded = request.headers.get("proxy-authorization", "").partition(" ")
    if kind.lower() != "basic":
        return DIRECT
    try:
        return base64.b64decode(encoded, validate=True).decode().partition(":")[0]
    except (binascii.Error, UnicodeDecodeError):
        return DIRECT


def has_session(request: Request) -> bool:
    return "sessionid=" in request.headers.get("cookie", "")


class OwnProxy:
    """ASGI: the simulator is an HTTP proxy to itself, so that tests can ask from several addresses."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].startswith("http://"):
            path = "/" + scope["path"].removeprefix("http://").partition("/")[2]
            scope = {**scope, "path": path, "raw_path": path.encode()}
        await self._app(scope, receive, send)
