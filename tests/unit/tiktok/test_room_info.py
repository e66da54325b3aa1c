import json
from datetime import UTC, datetime
from typing import Any

import pytest
from wentlive_tiktok.room_decision import BAD_ROOM, decide_alive, decide_room
from wentlive_tiktok.status import Blocked, Live, Offline, Paused, Restricted, Room, Unknown
from wentlive_tiktok.streams import rank

Json = dict[str, Any]
ROOM = "7611111111111111111"


def decided(info: Json, room_id: str | None = ROOM):
    return decide_room(room_id, json.dumps(info).encode())


def code(number: int, **data: str) -> Json:
    return {"data": data, "extra": {"now": 1790536000000}, "status_code": number}


def test_live(room_info: Json):
    status = decided(room_info)
    assert isinstance(status, Live)
    assert (status.profile.creator_id, status.profile.handle) == ("6700000000000000001", "tea.house_1")
    assert not status.profile.complete
    assert status.profile.avatar_url == "https://p16.example-cdn.com/a~720.webp?x-expires=1790712000"
    assert status.room == Room(
        room_id=ROOM,
        title="Oolong evening",
        cover_url="https://p16.example-cdn.com/cover.webp",
        started_at=datetime(2026, 9, 27, 18, 12, 4, tzinfo=UTC),
        viewer_count=203,
    )
    best = rank(status.streams)[0]
    assert (best.quality, best.codec, best.height) == ("hd", "h264", 1280)
    # Each URL once, the origin derived from its sound, no quality whose name says nothing.
    assert len({stream.url for stream in status.streams}) == len(status.streams)
    assert {stream.quality for stream in status.streams} == {"hd", "ld", "ao", "origin"}


def test_the_plain_urls_do_without_the_ladder(room_info: Json):
    room_info["data"]["stream_url"]["live_core_sdk_data"] = {"pull_data": {"stream_data": "{"}}
    status = decided(room_info)
    assert isinstance(status, Live)
    assert {(s.quality, s.protocol, s.codec) for s in status.streams} == {
        ("hd", "flv", "unknown"), ("ld", "flv", "unknown"), ("sd", "hls", "unknown"),
    }  # fmt: skip


def test_paused_and_over(room_info: Json):
    room_info["data"]["status"] = 3
    assert isinstance(decided(room_info), Paused)
    room_info["data"]["status"] = 4
    over = decided(room_info)
    assert isinstance(over, Offline)
    assert (over.profile and over.profile.handle, over.last_room and over.last_room.room_id) == ("tea.house_1", ROOM)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"live_sub_only": 1}, "subscribers"),
        ({"stream_url_filtered_info": {"is_paid_event": True}}, "paid"),
        ({"stream_url": None}, "age"),
        ({"stream_url": {"flv_pull_url": {"HD1": ""}}}, "age"),
        ({"age_restricted": {"restricted": True}, "stream_url": {}}, "age"),
    ],
)
def test_what_a_guest_may_not_see(room_info: Json, change: Json, reason: str):
    room_info["data"] |= change
    status = decided(room_info)
    assert isinstance(status, Restricted)
    assert (status.reason, status.room_id) == (reason, ROOM)


def test_an_age_restricted_room_that_shows_its_streams_is_live(room_info: Json):
    room_info["data"]["age_restricted"] = {"restricted": True}
    assert isinstance(decided(room_info), Live)


def test_the_codes():
    assert decided(code(4003110, prompts="")) == Restricted(reason="age", room_id=ROOM)
    assert decided(code(30003, message="room has finished")) == Offline(last_room=Room(room_id=ROOM))
    assert decided(code(10011, message="Request params error")) is BAD_ROOM
    assert decided(code(20003)) == decided(code(2483)) == Blocked(how="login")


@pytest.mark.parametrize("number", [10013, 4003182, 1, -7])
def test_other_codes_are_kept_to_be_looked_at(number: int):
    status = decided(code(number, message="what now"))
    assert isinstance(status, Unknown)
    assert str(number) in status.why
    assert "what now" in (status.evidence or "")


def test_a_room_that_is_over_but_was_not_asked_for_ends_nothing():
    assert isinstance(decided(code(30003), room_id=None), Unknown)


def test_the_answer_must_be_about_the_room_that_was_asked_for(room_info: Json):
    assert isinstance(decided(room_info, "7622222222222222222"), Unknown)
    assert isinstance(decided(room_info, None), Live)


@pytest.mark.parametrize(
    ("path", "value"),
    [("id_str", "seven"), ("owner", None), ("status", "live"), ("status", 9), ("owner", {"id_str": "1"})],
)
def test_a_broken_foundation_is_unknown(room_info: Json, path: str, value: object):
    room_info["data"][path] = value
    assert isinstance(decided(room_info), Unknown)


def alive(*rooms: Json, status_code: int = 0) -> bytes:
    return json.dumps({"data": list(rooms) or None, "extra": {"now": 1}, "status_code": status_code}).encode()


def test_check_alive_is_believed_only_when_it_says_no():
    gone = {"alive": False, "room_id": 7611111111111111111, "room_id_str": ROOM}
    assert decide_alive(ROOM, alive(gone)) == Offline(last_room=Room(room_id=ROOM))
    for body in (
        alive(gone | {"alive": True}),
        alive(gone | {"alive": 0}),
        alive(gone | {"room_id_str": "123"}),
        alive(gone, status_code=5),
        alive(),
        b"{}",
        b"[",
    ):
        assert isinstance(decide_alive(ROOM, body), Unknown)
