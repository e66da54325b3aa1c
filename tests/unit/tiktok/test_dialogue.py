"""Which routes are asked in which order, and which answer is believed."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wentlive_tiktok.dialogue import MOST_REQUESTS, dialogue
from wentlive_tiktok.question import Question
from wentlive_tiktok.room_decision import BAD_ROOM
from wentlive_tiktok.status import (
    Blocked,
    Live,
    LiveStatus,
    NotFound,
    Offline,
    Paused,
    Profile,
    Restricted,
    Room,
    Unknown,
)
from wentlive_tiktok.streams import StreamCandidate

if TYPE_CHECKING:
    from wentlive_tiktok.routes import Route

ROOM, NEXT_ROOM = Room(room_id="76"), Room(room_id="77")
TEA = Profile(creator_id="67", handle="tea", nickname="Tea")
RENAMED = TEA.model_copy(update={"handle": "tea.house"})
STRANGER = Profile(creator_id="99", handle="tea", nickname="Not Tea")
STREAM = StreamCandidate(url="https://cdn/x.flv", protocol="flv", quality="hd", level=3, codec="h264")

NEW = Question("tea")
KNOWN = Question("tea", creator_id="67")
OPEN = Question("tea", creator_id="67", open_room="76")

LIVE = Live(room=ROOM, profile=TEA, streams=(STREAM,))
ANEW = Live(room=NEXT_ROOM, profile=TEA, streams=(STREAM,))
PAUSED = Paused(room=ROOM, profile=TEA)
OFFLINE = Offline(profile=TEA, last_room=ROOM)
GATED = Restricted(reason="age", profile=TEA, room_id="76")
GATED_ALL = Restricted(reason="age")
PRIVATE = Restricted(reason="private", profile=TEA)
MISSING = NotFound(handle="tea")
CHANGED = Unknown(why="unknown shape", evidence="{}")
SILENT = Unknown(why="timeout")
WAF = Blocked(how="waf")
ROOM_OVER = Offline(last_room=ROOM)
LIVE_BY_ROOM = LIVE.model_copy(update={"profile": TEA.model_copy(update={"complete": False})})


def held(question: Question, *answers: LiveStatus | None) -> tuple[LiveStatus, list[str]]:
    """The verdict and the routes asked; None is a request that could not be made."""
    talk = dialogue(question)
    route: Route = next(talk)
    asked: list[str] = []
    for answer in answers:
        asked.append(route.name)
        try:
            route = talk.send(answer)
        except StopIteration as verdict:
            assert len(asked) == len(answers), "it stopped asking early"
            return verdict.value, asked
    return pytest.fail(f"it goes on to ask {route.name}")


@pytest.mark.parametrize("question", [NEW, KNOWN, OPEN])
@pytest.mark.parametrize("clear", [LIVE, PAUSED, OFFLINE, PRIVATE, WAF, SILENT])
def test_a_clear_answer_costs_one_request(question: Question, clear: LiveStatus):
    assert held(question, clear) == (clear, ["user_room"])


@pytest.mark.parametrize(
    ("question", "answers", "verdict", "asked"),
    [
        # Live without streams: the page, then the room.
        (NEW, [GATED, LIVE], LIVE, ["live_page"]),
        (NEW, [GATED, GATED, LIVE], LIVE, ["live_page", "room_info"]),
        (NEW, [GATED, WAF, Restricted(reason="age", room_id="76")], GATED, ["live_page", "room_info"]),
        (NEW, [GATED, PAUSED], PAUSED, ["live_page"]),
        (NEW, [GATED, None, None], GATED, ["live_page", "room_info"]),
        (NEW, [GATED_ALL, SILENT, BAD_ROOM], GATED_ALL, ["live_page", "room_info_by_user"]),
        (OPEN, [GATED_ALL, SILENT, SILENT], GATED_ALL, ["live_page", "room_info"]),
        # The primary says live: a fallback that says otherwise ends nothing.
        (OPEN, [GATED, OFFLINE, ROOM_OVER], GATED, ["live_page", "room_info"]),
        # Not found is not proof of absence.
        (NEW, [MISSING, LIVE], LIVE, ["live_page"]),
        (NEW, [MISSING, SILENT, LIVE_BY_ROOM], LIVE_BY_ROOM, ["live_page", "room_info_by_user"]),
        (NEW, [MISSING, SILENT, BAD_ROOM], MISSING, ["live_page", "room_info_by_user"]),
        (NEW, [MISSING, OFFLINE], OFFLINE, ["live_page"]),
        (NEW, [MISSING, GATED, SILENT], GATED, ["live_page", "room_info_by_user"]),
        (NEW, [MISSING, None, None], MISSING, ["live_page", "room_info_by_user"]),
        # A new handle is found by id.
        (
            KNOWN,
            [MISSING, LIVE.model_copy(update={"profile": RENAMED})],
            LIVE.model_copy(update={"profile": RENAMED}),
            ["user_room_by_id"],
        ),
        (KNOWN, [MISSING, MISSING, LIVE], LIVE, ["user_room_by_id", "live_page"]),
        # An open room is asked after itself.
        (OPEN, [MISSING, LIVE_BY_ROOM], LIVE_BY_ROOM, ["room_info"]),
        (OPEN, [MISSING, ROOM_OVER, MISSING], ROOM_OVER, ["room_info", "user_room_by_id"]),
        (OPEN, [MISSING, ROOM_OVER, PRIVATE], ROOM_OVER, ["room_info", "user_room_by_id"]),
        (OPEN, [MISSING, ROOM_OVER, None], ROOM_OVER, ["room_info", "user_room_by_id"]),
        # It is over, but the next one may have begun.
        (OPEN, [MISSING, ROOM_OVER, ANEW], ANEW, ["room_info", "user_room_by_id"]),
        (OPEN, [MISSING, SILENT, OFFLINE], OFFLINE, ["room_info", "user_room_by_id"]),
        (OPEN, [MISSING, GATED_ALL, MISSING], MISSING, ["room_info", "user_room_by_id"]),
        # A room that is not known is over only with a second witness; an all-true check_alive is none.
        (OPEN, [MISSING, BAD_ROOM, ROOM_OVER], ROOM_OVER, ["room_info", "check_alive"]),
        (OPEN, [MISSING, BAD_ROOM, SILENT], MISSING, ["room_info", "check_alive"]),
        # A shape that is not known.
        (NEW, [CHANGED, LIVE], LIVE, ["live_page"]),
        (NEW, [CHANGED, OFFLINE], OFFLINE, ["live_page"]),
        (NEW, [CHANGED, CHANGED, SILENT], CHANGED, ["live_page", "room_info_by_user"]),
        (OPEN, [CHANGED, SILENT, ROOM_OVER], ROOM_OVER, ["live_page", "room_info"]),
    ],
)
def test_the_fallbacks(question: Question, answers: Sequence[LiveStatus | None], verdict: LiveStatus, asked: list[str]):
    assert held(question, *answers) == (verdict, ["user_room", *asked])


def test_who_took_over_the_handle_is_never_answered_about():
    taken = LIVE.model_copy(update={"profile": STRANGER})
    back = LIVE.model_copy(update={"profile": RENAMED})
    assert held(KNOWN, taken, back) == (back, ["user_room", "user_room_by_id"])
    verdict, asked = held(OPEN, taken, MISSING, ROOM_OVER)
    assert (verdict, asked) == (ROOM_OVER, ["user_room", "user_room_by_id", "room_info"])
    verdict, _ = held(KNOWN, taken, taken)
    assert isinstance(verdict, Unknown)
    assert "somebody else" in verdict.why


def test_an_answer_about_another_handle_is_not_believed():
    verdict, asked = held(NEW, LIVE.model_copy(update={"profile": RENAMED}))
    assert isinstance(verdict, Unknown)
    assert asked == ["user_room"]


_any_answer = st.sampled_from(
    [
        LIVE, PAUSED, OFFLINE, GATED, GATED_ALL, PRIVATE, MISSING, CHANGED, SILENT, WAF, ROOM_OVER, BAD_ROOM,
        LIVE_BY_ROOM, LIVE.model_copy(update={"profile": STRANGER}), OFFLINE.model_copy(update={"profile": STRANGER}),
        LIVE.model_copy(update={"profile": RENAMED}), GATED.model_copy(update={"profile": STRANGER}), None,
    ]
)  # fmt: skip


@settings(max_examples=1000, deadline=None)
@given(question=st.sampled_from([NEW, KNOWN, OPEN]), answers=st.lists(_any_answer, min_size=3, max_size=3))
def test_whatever_is_answered(question: Question, answers: list[LiveStatus | None]):
    talk = dialogue(question)
    next(talk)
    asked = 1
    heard: list[LiveStatus | None] = []
    try:
        for answer in answers:
            heard.append(answer)
            talk.send(answer)
            asked += 1
    except StopIteration as stop:
        verdict = stop.value
    else:
        pytest.fail("it goes on asking")
    assert asked <= MOST_REQUESTS
    profile = getattr(verdict, "profile", None)
    assert profile is None or question.is_about(profile)
    # Never an end that nobody told, nor a live that nobody showed.
    if isinstance(verdict, Offline | Live | Paused):
        assert verdict in heard
    if isinstance(verdict, Offline) and verdict.profile is None:
        assert ROOM_OVER in heard
