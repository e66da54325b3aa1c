"""From the live page's embedded state to what it means: the page lists other people's lives too."""

import re
from typing import Annotated, Any

from pydantic import Field

from wentlive_tiktok.decision import decide_data
from wentlive_tiktok.evidence import unknown
from wentlive_tiktok.payload import Lenient, Payload, UpstreamChanged, read
from wentlive_tiktok.question import Question
from wentlive_tiktok.status import LiveStatus

STATE_LIMIT = 1024 * 1024
_STATE = re.compile(rb"""<script\b[^>]{0,200}\bid=["']?SIGI_STATE["']?[^>]{0,200}>""", re.IGNORECASE)
_END = b"</script"


class PageRoomPayload(Payload):
    live_room_user_info: Lenient[dict[str, Any]] = None


class StatePayload(Payload):
    live_room: Annotated[PageRoomPayload, Field(alias="LiveRoom")]


def embedded_state(page: bytes) -> bytes | None:
    """The page's JSON; None where the page has none or does not end it, or it is larger than 1 MiB."""
    opening = _STATE.search(page)
    if opening is None:
        return None
    end = page.find(_END, opening.end(), opening.end() + STATE_LIMIT)
    return page[opening.end() : end] if end >= 0 else None


def decide_page(question: Question, page: bytes) -> LiveStatus:
    """What the page says about the one who is asked for; a page without its state says nothing."""
    state = embedded_state(page)
    if state is None:
        return unknown("TikTok's live page came without its state.")
    try:
        room = read(StatePayload, state, "page").live_room
        if room.live_room_user_info is None:
            return unknown("TikTok's live page is about nobody.")
        status = decide_data(room.live_room_user_info, "page.LiveRoom.liveRoomUserInfo")
    except UpstreamChanged as error:
        return unknown(error.message, state)
    profile = getattr(status, "profile", None)
    if profile is None or not question.is_about(profile):
        return unknown("TikTok's live page is about somebody else.")
    return status
