import json
from datetime import UTC, datetime
from typing import Any

import pytest
from wentlive_tiktok.decision import decide
from wentlive_tiktok.status import Live, NotFound, Offline, Paused, Restricted, Unknown

Json = dict[str, Any]


def decided(answer: Json):
    return decide("tea.house_1", json.dumps(answer).encode())


def with_status(answer: Json, status: int) -> Json:
    answer["data"]["user"]["status"] = answer["data"]["liveRoom"]["status"] = status
    return answer


def without_streams(answer: Json) -> Json:
    del answer["data"]["liveRoom"]["streamData"], answer["data"]["liveRoom"]["hevcStreamData"]
    return answer


def test_live(answer: Json):
    status = decided(answer)
    assert isinstance(status, Live)
    assert status.profile.creator_id == "6700000000000000001"
    assert status.profile.handle == "tea.house_1"
    assert status.profile.nickname == "Tea & 茶"
    assert status.profile.verified
    assert status.profile.follower_count == 1597439
    assert status.profile.avatar_url == "https://p16.example-cdn.com/a~720.webp?x-expires=1790712000"
    assert status.room.room_id == "7611111111111111111"
    assert status.room.title == "Oolong evening"
    assert status.room.started_at == datetime(2026, 9, 27, 18, 12, 4, tzinfo=UTC)
    assert status.room.viewer_count == 203
    assert len(status.streams) > 5


def test_paused_keeps_the_room(answer: Json):
    status = decided(with_status(answer, 3))
    assert isinstance(status, Paused)
    assert status.room.room_id == "7611111111111111111"


def test_offline_although_stale_streams_are_there(answer: Json):
    status = decided(with_status(answer, 4))
    assert isinstance(status, Offline)
    assert status.last_room is not None
    assert status.last_room.title == "Oolong evening"


@pytest.mark.parametrize("room_id", ["", "0", None])
def test_offline_when_there_never_was_a_room(answer: Json, room_id: str | None):
    answer["data"]["user"] |= {"roomId": room_id, "status": 0}
    del answer["data"]["liveRoom"]
    status = decided(answer)
    assert isinstance(status, Offline)
    assert status.last_room is None


def test_no_room_and_no_status_is_no_word_of_an_end(answer: Json):
    del answer["data"]["user"]["roomId"], answer["data"]["user"]["status"], answer["data"]["liveRoom"]
    assert isinstance(decided(answer), Unknown)


def test_the_rooms_status_counts_more_than_the_users(answer: Json):
    answer["data"]["user"]["status"] = 4
    assert isinstance(decided(answer), Live)


def test_the_users_status_counts_where_the_room_has_none(answer: Json):
    answer["data"]["user"]["status"] = 3
    del answer["data"]["liveRoom"]["status"]
    assert isinstance(decided(answer), Paused)


def test_live_without_streams_is_age_restricted(answer: Json):
    status = decided(without_streams(answer))
    assert isinstance(status, Restricted)
    assert status.reason == "age"
    assert status.profile is not None


def test_live_with_no_room_at_all_is_age_restricted(answer: Json):
    del answer["data"]["liveRoom"]
    status = decided(answer)
    assert isinstance(status, Restricted)
    assert (status.reason, status.profile and status.profile.handle) == ("age", "tea.house_1")


def test_the_age_gates_own_code():
    assert decided({"data": {"prompts": ""}, "statusCode": 4003110}) == Restricted(reason="age")


def test_private_account(answer: Json):
    answer["data"]["user"]["secret"] = True
    status = decided(answer)
    assert isinstance(status, Restricted)
    assert status.reason == "private"


@pytest.mark.parametrize(
    ("change", "reason"),
    [({"liveSubOnly": 1}, "subscribers"), ({"paidEvent": {"event_id": 7, "paid_type": 2}}, "paid")],
)
@pytest.mark.parametrize("state", [2, 3])
def test_closed_broadcasts(answer: Json, change: Json, reason: str, state: int):
    answer["data"]["liveRoom"] |= change
    status = decided(with_status(answer, state))
    assert isinstance(status, Restricted)
    assert status.reason == reason


def test_a_closed_broadcast_that_is_over_is_offline(answer: Json):
    answer["data"]["liveRoom"]["liveSubOnly"] = 1
    assert isinstance(decided(with_status(answer, 4)), Offline)


def test_user_not_found():
    refusal = {"data": None, "message": "user_not_found", "extra": {"id": "2026"}, "statusCode": 19881007}
    assert decided(refusal) == NotFound(handle="tea.house_1")


@pytest.mark.parametrize(
    ("refusal", "why"),
    [
        ({"data": None, "message": "params_error", "statusCode": 19881005}, "params_error"),
        ({"data": None, "message": "what now", "statusCode": 5}, "code 5 (what now)"),
        ({"data": None, "statusCode": 0}, "data"),
        ({"data": None, "message": "no code"}, "answer.statusCode"),
    ],
)
def test_other_refusals_are_unknown(refusal: Json, why: str):
    status = decided(refusal)
    assert isinstance(status, Unknown)
    assert why in status.why


def test_a_status_that_is_not_known_is_not_offline(answer: Json):
    status = decided(with_status(answer, 9))
    assert isinstance(status, Unknown)
    assert "status 9" in status.why


def test_live_without_a_room_id_is_unknown(answer: Json):
    answer["data"]["user"]["roomId"] = "0"
    assert isinstance(decided(answer), Unknown)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("user", "id"), "../../etc"),
        (("user", "id"), None),
        (("user", "uniqueId"), "no spaces please"),
        (("user", "roomId"), "seven"),
        (("liveRoom", "status"), "live"),
        (("liveRoom", "streamData"), "gone"),
    ],
)
def test_a_broken_foundation_names_its_path(answer: Json, path: tuple[str, str], value: object):
    answer["data"][path[0]][path[1]] = value
    status = decided(answer)
    assert isinstance(status, Unknown)
    assert f"data.{path[0]}.{path[1]}" in status.why


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("user", "nickname"), 7),
        (("user", "avatarMedium"), "javascript:alert(1)"),
        (("user", "verified"), {}),
        (("liveRoom", "title"), None),
        (("liveRoom", "startTime"), "soon"),
        (("liveRoom", "startTime"), 10**30),
        (("liveRoom", "coverUrl"), []),
        (("liveRoom", "liveRoomStats"), None),
        (("liveRoom", "paidEvent"), None),
    ],
)
def test_a_broken_ornament_does_not_hide_a_live(answer: Json, path: tuple[str, str], value: object):
    answer["data"][path[0]][path[1]] = value
    status = decided(answer)
    assert isinstance(status, Live)
    assert status.profile.avatar_url is None or status.profile.avatar_url.startswith("https://")


def test_numbers_may_stand_for_ids(answer: Json):
    answer["data"]["user"] |= {"id": 6700000000000000001, "roomId": 7611111111111111111}
    status = decided(answer)
    assert isinstance(status, Live)
    assert status.room.room_id == "7611111111111111111"
