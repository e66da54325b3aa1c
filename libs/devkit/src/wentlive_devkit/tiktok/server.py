"""The simulated TikTok as an HTTP server: its endpoints, its CDN, and a control API for tests and demos."""

import asyncio
import re
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Self

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send
from wentlive_common.clock import Clock, SystemClock
from wentlive_common.errors import Conflict, NotFound, Transient, WentliveError
from wentlive_common.health import serve_http

from wentlive_devkit.tiktok import hls
from wentlive_devkit.tiktok.avatar import avatar_png
from wentlive_devkit.tiktok.control import Control
from wentlive_devkit.tiktok.crowd import Crowd, CrowdFirst
from wentlive_devkit.tiktok.delivery import FlvDelivery, breaking_off_is_no_error
from wentlive_devkit.tiktok.gate import Gate, OwnProxy, has_session
from wentlive_devkit.tiktok.ledger import Viewing
from wentlive_devkit.tiktok.payloads import Payloads, signature
from wentlive_devkit.tiktok.playout import Playout
from wentlive_devkit.tiktok.scenario import LiveScript, Scenario
from wentlive_devkit.tiktok.studio import Studio, open_studio
from wentlive_devkit.tiktok.world import ENDED, Broadcast, Creator, World

HOST = "127.0.0.1"
_STREAM = re.compile(r"stream-([0-9]+)(?:_hd)?")
_ROOM_ID = re.compile(r"[0-9]{1,24}")
_NOT_A_STREAM = "<!DOCTYPE html><html><body><h1>Service temporarily unavailable</h1></body></html>"


@dataclass(frozen=True, slots=True)
class TikTokSimulator:
    """A running simulator. `world` moves it by hand: go_live, end, pause, resume, drop, rename, set_traps."""

    base_url: str
    world: World

    @classmethod
    @asynccontextmanager
    async def start(
        cls,
        scenario: Scenario,
        port: int = 0,
        clock: Clock | None = None,
        *,
        waiting: bool = False,
        host: str = HOST,
        public_url: str | None = None,
    ) -> AsyncGenerator[Self]:
        """Serves on 127.0.0.1 while the body runs; port 0 takes a free one.

        `host` and `public_url` are for a container: where to listen, and where the links in its answers lead.
        The scenario's lives count from now or, when `waiting`, from `POST /_sim/begin`.
        """
        world = World(scenario, clock or SystemClock())
        if not waiting:
            world.begin()
        edge = _LateApp()
        async with AsyncExitStack() as stack:
            stack.enter_context(breaking_off_is_no_error())
            studio = await stack.enter_async_context(open_studio(scenario))
            bound = await stack.enter_async_context(serve_http(edge, host, port, drain_seconds=1))
            # Before the server drains: what viewers wait for ends first.
            stack.callback(studio.stop)
            stack.callback(world.close)
            base_url = public_url or f"http://{HOST}:{bound}"
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

    def app(self) -> ASGIApp:
        script = self._world.scenario.crowd
        crowd = Crowd(script, *self._payloads.of_the_crowd()) if script else None
        gate = Gate(self._world)
        by_query, by_room = self._by_query, self._by_room
        routes = [
            Route("/api-live/user/room/", gate.before(self.user_room, by_query)),
            Route("/webcast/room/check_alive/", gate.before(self.check_alive, by_room)),
            Route("/webcast/room/info/", gate.before(self.room_info, by_room)),
            Route("/webcast/room/info_by_user/", gate.before(self.room_info_by_user, by_query)),
            Route("/@{handle}/live", gate.before(self.live_page, self._by_path, page=True)),
            Route("/t/{handle}", self.share_link),
            Route("/t/{handle}/", self.share_link),
            Route("/share/live/{room_id}", self.share_link),
            Route("/stream/{name}.flv", self.flv),
            Route("/stream/{name}/index.m3u8", self.playlist),
            Route("/stream/{name}/init.mp4", self.init_segment),
            Route("/stream/{name}/{number:int}.{container}", self.segment),
            Route("/img/{handle}/avatar.png", self.avatar),
            Route("/img/{handle}/cover.png", self.cover),
            *Control(self._world, crowd).routes(),
        ]
        app = OwnProxy(Starlette(routes=routes, exception_handlers={WentliveError: _refuse}))
        return CrowdFirst(crowd, app) if crowd else app

    def _by_query(self, request: Request) -> Creator | None:
        query = request.query_params
        if "userId" in query:
            return self._world.creator_by_id(query["userId"])
        return self._world.creators.get(query.get("uniqueId", query.get("unique_id", "")).lower())

    def _by_path(self, request: Request) -> Creator | None:
        return self._world.creators.get(request.path_params["handle"].lower())

    def _by_room(self, request: Request) -> Creator | None:
        query = request.query_params
        found = self._world.find_room(query.get("room_id", query.get("room_ids", "")))
        return found[0] if found else None

    async def user_room(self, request: Request, creator: Creator | None) -> Response:
        query = request.query_params
        if query.get("aid") != "1988" or not (query.get("uniqueId") or query.get("userId")):
            return JSONResponse(self._payloads.params_error())
        return JSONResponse(self._payloads.user_room(creator, session=has_session(request)))

    async def check_alive(self, request: Request, _creator: Creator | None) -> Response:
        room_ids = [part for part in request.query_params.get("room_ids", "").split(",") if _ROOM_ID.fullmatch(part)]
        return JSONResponse(self._payloads.check_alive(room_ids))

    async def room_info(self, request: Request, _creator: Creator | None) -> Response:
        found = self._world.find_room(request.query_params.get("room_id", ""))
        return JSONResponse(self._payloads.room_info(found, session=has_session(request)))

    async def room_info_by_user(self, request: Request, creator: Creator | None) -> Response:
        found = (creator, creator.latest(self._world.now())) if creator else None
        return JSONResponse(self._payloads.room_info(found, session=has_session(request)))

    async def live_page(self, request: Request, creator: Creator | None) -> Response:
        if creator is None:
            return HTMLResponse("<!DOCTYPE html><html><body>Couldn't find this account</body></html>")
        return HTMLResponse(self._payloads.live_page(creator, session=has_session(request)))

    async def share_link(self, request: Request) -> Response:
        """What the app's share button gives; here the short code is the handle itself."""
        room_id = request.path_params.get("room_id")
        found = self._world.find_room(room_id) if room_id else None
        creator = found[0] if found else self._world.creators.get(request.path_params.get("handle", ""))
        if creator is None:
            raise HTTPException(404)
        return RedirectResponse(f"https://www.tiktok.com/@{creator.handle}/live?_r=1", 301)

    async def flv(self, request: Request) -> ASGIApp:
        creator, broadcast = self._stream(request)
        if broadcast.script.stream == "web_page":
            return HTMLResponse(_NOT_A_STREAM)
        playout = await self._studio.playout(creator, broadcast)
        broadcast.watch(self._world.now())
        query = request.query_params
        return FlvDelivery(
            self._world, broadcast, playout, audio_only=query.get("only_audio") == "1", backup="backup" in query
        )

    async def playlist(self, request: Request) -> Response:
        creator, broadcast = self._stream(request, lingers_s=hls.LINGERS_S)
        if broadcast.script.stream == "web_page":
            return HTMLResponse(_NOT_A_STREAM)
        await self._studio.playout(creator, broadcast)
        broadcast.watch(self._world.now())
        position_ms, over = self._come_to(broadcast)
        text = hls.playlist(position_ms, f"?{request.url.query}", container=_container(broadcast), over=over)
        if text is None:
            raise HTTPException(404)
        return Response(text, media_type="application/vnd.apple.mpegurl", headers={"cache-control": "no-cache"})

    async def init_segment(self, request: Request) -> Response:
        playout = await self._studio.playout(*self._stream(request, lingers_s=hls.LINGERS_S))
        return Response(await asyncio.to_thread(hls.init_segment, playout), media_type="video/mp4")

    async def segment(self, request: Request) -> Response:
        creator, broadcast = self._stream(request, lingers_s=hls.LINGERS_S)
        number: int = request.path_params["number"]
        container = _container(broadcast)
        position_ms, over = self._come_to(broadcast)
        if request.path_params["container"] != container or not hls.is_available(number, position_ms, over=over):
            raise HTTPException(404)
        playout = await self._studio.playout(creator, broadcast)
        until_ms = position_ms if over else None
        media = await asyncio.to_thread(hls.segment, playout, number, container=container, until_ms=until_ms)
        self._note(broadcast, playout, hls.span(playout, number, until_ms))
        return Response(media, media_type=hls.MEDIA_TYPES[container])

    def _come_to(self, broadcast: Broadcast) -> tuple[int, bool]:
        """Where the live is, and whether that is its end."""
        now = self._world.now()
        over = broadcast.status(now) == ENDED
        return broadcast.position_ms(broadcast.ends if over and broadcast.ends is not None else now), over

    def _note(self, broadcast: Broadcast, playout: Playout, span: tuple[int, int]) -> None:
        """All segments that were fetched are one viewing: HLS knows no connections."""
        viewing = next((viewing for viewing in broadcast.viewings if viewing.protocol == "hls"), None)
        if viewing is None:
            viewing = Viewing("hls", False, playout.position_ms(span[0]), playout.fps)
            viewing.enter("joined")
            broadcast.viewings.append(viewing)
        viewing.count(playout.samples(*span))

    async def avatar(self, request: Request) -> Response:
        script = self._world.creator(request.path_params["handle"]).script
        return Response(avatar_png(script.handle, script.colours), media_type="image/png")

    async def cover(self, request: Request) -> Response:
        creator = self._world.creator(request.path_params["handle"])
        if creator.script.kind == "never_live":
            raise HTTPException(404)
        return Response((await self._studio.clip(creator)).cover_png, media_type="image/png")

    def _stream(self, request: Request, *, lingers_s: float = 0) -> tuple[Creator, Broadcast]:
        """The live behind a stream's URL; 404 when it is over, 403 when the URL is not one we gave out."""
        name = _STREAM.fullmatch(request.path_params["name"])
        found = self._world.find_stream(name[1], lingers_s=lingers_s) if name else None
        if found is None or _is_missing(found[1].script, request):
            raise HTTPException(404)
        stale = self._world.traps.of(found[0].handle).stale_streams
        if stale is not None:
            raise HTTPException(stale)
        expire = request.query_params.get("expire", "")
        if not _ROOM_ID.fullmatch(expire) or request.query_params.get("sign") != signature(
            found[1].stream_id, int(expire)
        ):
            raise HTTPException(403)
        return found


def _is_missing(live: LiveScript, request: Request) -> bool:
    return live.stream == "missing" or (live.stream == "main_missing" and "backup" not in request.query_params)


def _container(broadcast: Broadcast) -> hls.Container:
    return "m4s" if broadcast.script.stream == "hls_fmp4" else "ts"


def _refuse(_request: Request, error: Exception) -> Response:
    kinds = ((NotFound, 404), (Conflict, 409), (Transient, 503))
    status = next((status for kind, status in kinds if isinstance(error, kind)), 500)
    return JSONResponse({"error": str(error)}, status_code=status)
