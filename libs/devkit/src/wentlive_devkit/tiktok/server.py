"""The simulated TikTok as an HTTP server: its endpoints, its CDN, and a control API for tests and demos."""

import asyncio
import re
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from json import JSONDecodeError
from typing import Self

from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send
from wentlive_common.clock import Clock, SystemClock
from wentlive_common.errors import Conflict, NotFound, Transient, WentliveError
from wentlive_common.health import serve_http

from wentlive_devkit.tiktok import hls
from wentlive_devkit.tiktok.avatar import avatar_png
from wentlive_devkit.tiktok.delivery import FlvDelivery, breaking_off_is_no_error
from wentlive_devkit.tiktok.payloads import Payloads, describe, describe_broadcast, signature
from wentlive_devkit.tiktok.scenario import LiveScript, Scenario
from wentlive_devkit.tiktok.studio import Studio, open_studio
from wentlive_devkit.tiktok.world import Broadcast, Creator, World

HOST = "127.0.0.1"
_STREAM = re.compile(r"stream-([0-9]+)(?:_hd)?")
_ROOM_ID = re.compile(r"[0-9]{1,24}")
_NOT_A_STREAM = "<!DOCTYPE html><html><body><h1>Service temporarily unavailable</h1></body></html>"


@dataclass(frozen=True, slots=True)
class TikTokSimulator:
    """A running simulator. `world` moves it by hand: go_live, end, pause, resume, drop."""

    base_url: str
    world: World

    @classmethod
    @asynccontextmanager
    async def start(
        cls, scenario: Scenario, port: int = 0, clock: Clock | None = None, *, waiting: bool = False
    ) -> AsyncGenerator[Self]:
        """Serves on 127.0.0.1 while the body runs; port 0 takes a free one.

        The scenario's lives count from now or, when `waiting`, from `POST /_sim/begin`.
        """
        world = World(scenario, clock or SystemClock())
        if not waiting:
            world.begin()
        edge = _LateApp()
        async with AsyncExitStack() as stack:
            stack.enter_context(breaking_off_is_no_error())
            studio = await stack.enter_async_context(open_studio(scenario))
            bound = await stack.enter_async_context(serve_http(edge, HOST, port, drain_seconds=1))
            # Before the server drains: what viewers wait for ends first.
            stack.callback(studio.stop)
            stack.callback(world.close)
            base_url = f"http://{HOST}:{bound}"
            edge.app = _Site(world, studio, base_url).app()
            yield cls(base_url=base_url, world=world)


class _LateApp:
    """Lets the port be known before the application that writes it into URLs is built."""

    app: ASGIApp = PlainTextResponse("starting", status_code=503)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)


class _Site:
    def __init__(self, world: World, studio: Studio, base_url: str) -> None:
        self._world = world
        self._studio = studio
        self._payloads = Payloads(world, base_url)

    def app(self) -> Starlette:
        routes = [
            Route("/api-live/user/room/", self.user_room),
            Route("/webcast/room/check_alive/", self.check_alive),
            Route("/webcast/room/info/", self.room_info),
            Route("/@{handle}/live", self.live_page),
            Route("/stream/{name}.flv", self.flv),
            Route("/stream/{name}/index.m3u8", self.playlist),
            Route("/stream/{name}/{number:int}.ts", self.segment),
            Route("/img/{handle}/avatar.png", self.avatar),
            Route("/img/{handle}/cover.png", self.cover),
            Route("/_sim/state", self.state),
            Route("/_sim/begin", self.begin, methods=["POST"]),
            Route("/_sim/creators/{handle}/{action}", self.control, methods=["POST"]),
        ]
        return Starlette(routes=routes, exception_handlers={WentliveError: _refuse})

    async def user_room(self, request: Request) -> Response:
        query = request.query_params
        if query.get("aid") != "1988" or not query.get("uniqueId"):
            return JSONResponse(self._payloads.params_error())
        return JSONResponse(self._payloads.user_room(query["uniqueId"]))

    async def check_alive(self, request: Request) -> Response:
        room_ids = [part for part in request.query_params.get("room_ids", "").split(",") if _ROOM_ID.fullmatch(part)]
        return JSONResponse(self._payloads.check_alive(room_ids))

    async def room_info(self, request: Request) -> Response:
        return JSONResponse(self._payloads.room_info(request.query_params.get("room_id", "")))

    async def live_page(self, request: Request) -> Response:
        page = self._payloads.live_page(request.path_params["handle"])
        return HTMLResponse(page or "<!DOCTYPE html><html><body>Couldn't find this account</body></html>")

    async def flv(self, request: Request) -> ASGIApp:
        creator, broadcast = self._stream(request)
        if broadcast.script.stream == "not_flv":
            return HTMLResponse(_NOT_A_STREAM)
        playout = await self._studio.playout(creator, broadcast)
        return FlvDelivery(self._world, broadcast, playout, audio_only=request.query_params.get("only_audio") == "1")

    async def playlist(self, request: Request) -> Response:
        _, broadcast = self._stream(request)
        text = hls.playlist(broadcast.position_ms(self._world.now()), f"?{request.url.query}")
        if text is None:
            raise HTTPException(404)
        return Response(text, media_type="application/vnd.apple.mpegurl", headers={"cache-control": "no-cache"})

    async def segment(self, request: Request) -> Response:
        creator, broadcast = self._stream(request)
        number: int = request.path_params["number"]
        if not hls.is_available(number, broadcast.position_ms(self._world.now())):
            raise HTTPException(404)
        playout = await self._studio.playout(creator, broadcast)
        return Response(await asyncio.to_thread(hls.segment, playout, number), media_type="video/mp2t")

    async def avatar(self, request: Request) -> Response:
        script = self._world.creator(request.path_params["handle"]).script
        return Response(avatar_png(script.handle, script.colours), media_type="image/png")

    async def cover(self, request: Request) -> Response:
        creator = self._world.creator(request.path_params["handle"])
        if creator.script.kind == "never_live":
            raise HTTPException(404)
        return Response((await self._studio.clip(creator)).cover_png, media_type="image/png")

    async def state(self, _request: Request) -> Response:
        return JSONResponse(describe(self._world))

    async def begin(self, _request: Request) -> Response:
        self._world.begin()
        return JSONResponse(describe(self._world))

    async def control(self, request: Request) -> Response:
        handle, action = request.path_params["handle"], request.path_params["action"]
        match action:
            case "go_live":
                broadcast = self._world.go_live(handle, await _live_script(request))
            case "end":
                broadcast = self._world.end(handle)
            case "pause":
                broadcast = self._world.pause(handle)
            case "resume":
                broadcast = self._world.resume(handle)
            case "drop":
                broadcast = self._world.drop(handle)
            case _:
                raise HTTPException(404)
        return JSONResponse(describe_broadcast(broadcast, self._world.now()))

    def _stream(self, request: Request) -> tuple[Creator, Broadcast]:
        """The live behind a stream's URL; 404 when it is over, 403 when the URL is not one we gave out."""
        name = _STREAM.fullmatch(request.path_params["name"])
        found = self._world.find_stream(name[1]) if name else None
        if found is None or found[1].script.stream == "missing":
            raise HTTPException(404)
        expire = request.query_params.get("expire", "")
        if not _ROOM_ID.fullmatch(expire) or request.query_params.get("sign") != signature(
            found[1].stream_id, int(expire)
        ):
            raise HTTPException(403)
        return found


async def _live_script(request: Request) -> LiveScript:
    try:
        return LiveScript.model_validate(await request.json() if await request.body() else {})
    except (ValidationError, JSONDecodeError) as error:
        raise HTTPException(422, detail=str(error)) from error


def _refuse(_request: Request, error: Exception) -> Response:
    kinds = ((NotFound, 404), (Conflict, 409), (Transient, 503))
    status = next((status for kind, status in kinds if isinstance(error, kind)), 500)
    return JSONResponse({"error": str(error)}, status_code=status)
