"""In which order TikTok's routes are asked about one creator, and which answer is believed; pure.

The primary route answers alone whenever it can. Only where it says live without streams, does not know a creator, or
speaks in a shape that is not known, are others asked, at most two. They may add to what is known: a live, a
restriction, an end of a room that was open. They never make an end out of an error.
"""

from collections.abc import Generator

from wentlive_tiktok import routes
from wentlive_tiktok.evidence import unknown
from wentlive_tiktok.question import Question
from wentlive_tiktok.room_decision import BAD_ROOM
from wentlive_tiktok.routes import Route
from wentlive_tiktok.status import Blocked, Live, LiveStatus, NotFound, Offline, Paused, Profile, Restricted, Unknown

MOST_REQUESTS = 3

Dialogue = Generator[Route, LiveStatus | None, LiveStatus]
"""Yields what to ask, is sent what was answered (None: it could not be asked), returns the verdict."""


def dialogue(question: Question) -> Dialogue:
    """The whole of one call; its first request is always the primary route."""
    first = yield routes.by_handle(question)
    if first is None:
        return unknown("TikTok was not asked.")
    if _is_strange(question, first):
        first = unknown(f"@{question.handle} is somebody else's name now.")
        fallbacks = _to_find_again(question)
    else:
        fallbacks = _fallbacks(question, first)
    best = first
    answer: LiveStatus | None = None
    for fallback in fallbacks:
        answer = yield _witness(question, answer) or fallback
        if answer is None or _is_strange(question, answer):
            continue
        if _settles(best, answer):
            return answer
        best = _better(best, answer)
    return best


def _fallbacks(question: Question, first: LiveStatus) -> tuple[Route, ...]:
    """Whom to ask next; nobody when the first answer was clear, or nobody would answer."""
    match first:
        case Restricted(reason="age"):
            return routes.live_page(question), _about_room(question, first.room_id or question.open_room)
        case NotFound():
            return _to_find(question)
        case Unknown(evidence=str()):
            return routes.live_page(question), _about_room(question, question.open_room)
        case _:
            return ()


def _to_find(question: Question) -> tuple[Route, ...]:
    page = routes.live_page(question)
    by_id = routes.by_id(question, question.creator_id) if question.creator_id else None
    if question.open_room:
        return routes.room_info(question, question.open_room), by_id or page
    if by_id:
        return by_id, page
    return page, routes.room_info_by_user(question)


def _to_find_again(question: Question) -> tuple[Route, ...]:
    """The handle leads to somebody else: only what goes by ids can lead back."""
    by_id = (routes.by_id(question, question.creator_id),) if question.creator_id else ()
    return by_id + ((routes.room_info(question, question.open_room),) if question.open_room else ())


def _about_room(question: Question, room_id: str | None) -> Route:
    return routes.room_info(question, room_id) if room_id else routes.room_info_by_user(question)


def _witness(question: Question, answer: LiveStatus | None) -> Route | None:
    """A room that room/info does not know is over only if check_alive says so too."""
    if answer != BAD_ROOM or question.open_room is None:
        return None
    return routes.check_alive(question, question.open_room)


def _settles(best: LiveStatus, answer: LiveStatus) -> bool:
    match answer:
        case Live() | Paused():
            return True
        case Offline(profile=profile):
            # Where the primary says live, a fallback that says otherwise may be stale. And where only an old room is
            # known to be over, there may be a new one.
            return profile is not None and not isinstance(best, Restricted)
        case Restricted(reason=reason):
            return reason != "age" and not isinstance(best, Offline)
        case NotFound() | Blocked() | Unknown():
            return False


def _better(best: LiveStatus, answer: LiveStatus) -> LiveStatus:
    """What the verdict is if nobody says more: the first that said anything."""
    if isinstance(best, Restricted | Offline):
        return best
    told = isinstance(answer, Offline) or (isinstance(answer, Restricted) and answer.profile is not None)
    return answer if told else best


def _is_strange(question: Question, answer: LiveStatus) -> bool:
    """Whether the answer is about somebody else. One without a profile is about a room that was asked for by id."""
    profile = _profile(answer)
    return profile is not None and not question.is_about(profile)


def _profile(answer: LiveStatus) -> Profile | None:
    match answer:
        case Live() | Paused() | Offline() | Restricted():
            return answer.profile
        case NotFound() | Blocked() | Unknown():
            return None
