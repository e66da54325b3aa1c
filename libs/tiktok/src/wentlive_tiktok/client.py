"""Asks TikTok's own web endpoints whether a creator is live: usually one unsigned request, always a typed answer."""

import asyncio
from collections.abc import Awaitable, Callable

import httpx
import structlog
from wentlive_common.errors import InvalidInput
from wentlive_common.handle import InvalidHandle, parse_handle

from wentlive_tiktok.dialogue import Dialogue, dialogue
from wentlive_tiktok.evidence import unknown
from wentlive_tiktok.links import (
    MOST_REDIRECTS,
    LinkNamesNobody,
    LinkUnresolved,
    handle_in,
    next_hop,
    room_in,
    share_link,
)
from wentlive_tiktok.question import Question, make_question
from wentlive_tiktok.refusals import refusal
from wentlive_tiktok.routes import BODY_LIMIT, PAGE, PAGE_LIMIT, Route, RouteName, read_answer, room_info
from wentlive_tiktok.status import Blocked, Live, LiveStatus, Paused, Profile, Restricted
from wentlive_tiktok.transport import TIKTOK, WEBCAST, NoAnswer, fetch, tiktok_http_client

__all__ = ["BODY_LIMIT", "CALL_SECONDS", "TIKTOK", "TikTokClient", "tiktok_http_client"]

CALL_SECONDS = 20.0
"""How long one call may take, its fallbacks included."""
ROUTE_REST_SECONDS = 600.0
"""For how long a fallback that TikTok refused is left alone, unless TikTok says for how long."""

_LONGEST_REST = 3600.0
_REDIRECTS = frozenset({301, 302, 303, 307, 308})

log = structlog.stdlib.get_logger(__name__)


class TikTokClient:
    """LiveStatusSource over TikTok's web endpoints; one for each network address that asks.

    `before_request` is asked before every request of a call but the first: False leaves that request out.
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        base_url: str = TIKTOK,
        *,
        webcast_url: str | None = None,
        before_request: Callable[[], Awaitable[bool]] | None = None,
    ) -> None:
        self._http = http
        self._base_url = base_url.rstrip("/")
        self._webcast_url = (webcast_url or (WEBCAST if self._base_url == TIKTOK else base_url)).rstrip("/")
        self._before_request = before_request
        self._rests: dict[RouteName, float] = {}

    async def live_status(
        self, handle: str, *, creator_id: str | None = None, open_room: str | None = None
    ) -> LiveStatus:
        """Whatever goes wrong on the way is Blocked or Unknown and never raised."""
        try:
            question = make_question(handle, creator_id, open_room)
        except InvalidInput as error:
            return unknown(error.message)
        return await self._converse(dialogue(question), asyncio.get_running_loop().time() + CALL_SECONDS)

    async def _converse(self, talk: Dialogue, deadline: float) -> LiveStatus:
        route = next(talk)
        answer: LiveStatus | None = await self._ask(route, deadline)
        while True:
            try:
                route = talk.send(answer)
            except StopIteration as verdict:
                return verdict.value
            answer = await self._ask_fallback(route, deadline)

    async def _ask_fallback(self, route: Route, deadline: float) -> LiveStatus | None:
        now = asyncio.get_running_loop().time()
        if now >= deadline or now < self._rests.get(route.name, 0.0) or not await self._may_ask():
            return None
        answer = await self._ask(route, deadline)
        if isinstance(answer, Blocked):
            self._rest(route.name, answer)
        return answer

    def _rest(self, name: RouteName, blocked: Blocked) -> None:
        asked = blocked.retry_after.total_seconds() if blocked.retry_after else ROUTE_REST_SECONDS
        seconds = min(max(asked, 1.0), _LONGEST_REST)
        self._rests[name] = asyncio.get_running_loop().time() + seconds
        log.warning("tiktok_route_refused", route=name, how=blocked.how, rest_seconds=seconds)

    async def _may_ask(self) -> bool:
        return self._before_request is None or await self._before_request()

    async def _ask(self, route: Route, deadline: float) -> LiveStatus:
        url = route.url(self._webcast_url if route.webcast else self._base_url)
        try:
            async with asyncio.timeout_at(deadline):
                return read_answer(route, await fetch(self._http, url, route.headers, route.limit))
        except TimeoutError:
            return unknown(f"TikTok did not finish its answer within {CALL_SECONDS:.0f} s.")
        except NoAnswer as error:
            return unknown(error.message)

    async def resolve_link(self, text: str) -> str:
        """The handle behind a name, a profile or a share link; at most three redirects, on TikTok's hosts only.

        Raises InvalidHandle (also LinkLeadsElsewhere, LinkNamesNobody), or LinkUnresolved when TikTok did not say.
        """
        try:
            return parse_handle(text)
        except InvalidHandle:
            url = share_link(text)
            if url is None:
                raise
        try:
            async with asyncio.timeout(CALL_SECONDS):
                return await self._follow(url)
        except (TimeoutError, NoAnswer) as error:
            raise LinkUnresolved from error

    async def _follow(self, url: httpx.URL) -> str:
        room: str | None = None
        for hop in range(MOST_REDIRECTS + 1):
            handle = handle_in(url)
            if handle:
                return handle
            room = room_in(url) or room
            if hop == MOST_REDIRECTS or (room and hop):
                break
            location = await self._location(url, first=hop == 0)
            if location is None:
                break
            url = next_hop(url, location)
        if room is None:
            raise LinkNamesNobody
        return await self._owner(room)

    async def _location(self, url: httpx.URL, *, first: bool) -> str | None:
        """Where a link redirects to; None when it does not."""
        if not first and not await self._may_ask():
            raise LinkUnresolved
        if self._base_url != TIKTOK:
            url = httpx.URL(self._base_url + url.raw_path.decode("ascii"))
        status, headers, body = await fetch(self._http, url, {"Accept": PAGE}, PAGE_LIMIT)
        if status in _REDIRECTS:
            return headers.get("location")
        refused = refusal(status, headers, body, understood=False)
        if status >= 500 or refused:
            raise LinkUnresolved(refused)
        return None

    async def _owner(self, room: str) -> str:
        if not await self._may_ask():
            raise LinkUnresolved
        deadline = asyncio.get_running_loop().time() + CALL_SECONDS
        match await self._ask(room_info(Question(handle=""), room), deadline):
            case Live(profile=profile) | Paused(profile=profile) | Restricted(profile=Profile() as profile):
                return profile.handle
            case Blocked() as refused:
                raise LinkUnresolved(refused)
            case _:
                raise LinkUnresolved
