"""The ways to ask TikTok about a creator, each with its URL and the reader of its answer."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal
from urllib.parse import urlencode

import httpx

from wentlive_tiktok.decision import decide
from wentlive_tiktok.evidence import unknown
from wentlive_tiktok.page import decide_page, embedded_state
from wentlive_tiktok.question import Question
from wentlive_tiktok.refusals import refusal, silent_refusal
from wentlive_tiktok.room_decision import decide_alive, decide_room
from wentlive_tiktok.status import LiveStatus
from wentlive_tiktok.transport import TIKTOK, Answer

BODY_LIMIT = 1024 * 1024
PAGE = "text/html,application/xhtml+xml"
PAGE_LIMIT = 4 * 1024 * 1024

RouteName = Literal["user_room", "user_room_by_id", "live_page", "room_info", "room_info_by_user", "check_alive"]
_AID = ("aid", "1988")
_OK = 200


@dataclass(frozen=True, slots=True)
class Route:
    """One request that can be made; `read` takes the body of a plain 200."""

    name: RouteName
    path: str
    params: tuple[tuple[str, str], ...]
    read: Callable[[bytes], LiveStatus]
    referer: str
    webcast: bool = False
    page: bool = False

    @property
    def limit(self) -> int:
        return PAGE_LIMIT if self.page else BODY_LIMIT

    @property
    def headers(self) -> dict[str, str]:
        if self.page:
            return {"Accept": PAGE}
        return {"Accept": "application/json, text/plain, */*", "Origin": TIKTOK, "Referer": self.referer}

    def url(self, base: str) -> httpx.URL:
        return httpx.URL(f"{base}{self.path}?{urlencode(self.params)}" if self.params else base + self.path)


def by_handle(question: Question) -> Route:
    """Route A, the primary: identity, status, title, viewers and streams in one unsigned request."""
    return _user_room("user_room", question, ("uniqueId", question.handle))


def by_id(question: Question, creator_id: str) -> Route:
    """Route A by `user.id`, which outlives a change of handle."""
    return _user_room("user_room_by_id", question, ("userId", creator_id))


def _user_room(name: RouteName, question: Question, who: tuple[str, str]) -> Route:
    return Route(
        name=name,
        path="/api-live/user/room/",
        params=(_AID, ("sourceType", "54"), who),
        read=partial(decide, question.handle),
        referer=_referer(question),
    )


def live_page(question: Question) -> Route:
    """Route D: the page people look at, which shows some rooms that the others hide."""
    return Route(
        name="live_page",
        path=f"/@{question.handle}/live",
        params=(),
        read=partial(decide_page, question),
        referer=_referer(question),
        page=True,
    )


def room_info(question: Question, room_id: str) -> Route:
    """Route C: one room that is known."""
    return _webcast("room_info", question, (("room_id", room_id),), partial(decide_room, room_id))


def room_info_by_user(question: Question) -> Route:
    return _webcast("room_info_by_user", question, (("unique_id", question.handle),), partial(decide_room, None))


def check_alive(question: Question, room_id: str) -> Route:
    """Route B: whether a room that is known is over."""
    params = (("region", "CH"), ("room_ids", room_id), ("user_is_login", "true"))
    return _webcast("check_alive", question, params, partial(decide_alive, room_id))


def _webcast(
    name: RouteName, question: Question, params: tuple[tuple[str, str], ...], read: Callable[[bytes], LiveStatus]
) -> Route:
    path = f"/webcast/room/{'info_by_user' if name == 'room_info_by_user' else name.removeprefix('room_')}/"
    return Route(name, path, (_AID, *params), read, referer=_referer(question), webcast=True)


def _referer(question: Question) -> str:
    return f"{TIKTOK}/@{question.handle}/live" if question.handle else f"{TIKTOK}/"


def read_answer(route: Route, answer: Answer) -> LiveStatus:
    """What one HTTP answer means, refusals told apart from answers."""
    status, headers, body = answer
    understood = embedded_state(body) is not None if route.page else body.lstrip().startswith(b"{")
    refused = refusal(status, headers, body, understood=understood)
    if refused is None and not route.page:
        refused = silent_refusal(status, body)
    if refused:
        return refused
    if status != _OK:
        return unknown(f"TikTok answered with HTTP {status}.")
    return route.read(body)
