import json
from typing import Any

import pytest
from pydantic import ValidationError
from wentlive_common.clock import SystemClock
from wentlive_devkit.tiktok.crowd import Crowd, CrowdScript
from wentlive_devkit.tiktok.payloads import Payloads
from wentlive_devkit.tiktok.scenario import CreatorScript, LiveScript, Scenario, load_scenario
from wentlive_devkit.tiktok.traps import RefusalScript, Traps, TrapScript
from wentlive_devkit.tiktok.world import ENDED, LIVE, NotNow, World
from wentlive_tiktok.decision import decide
from wentlive_tiktok.status import Live, Offline


def a_world() -> World:
    return World(Scenario(creators=(CreatorScript(handle="ada", nickname="Ada"),)), SystemClock())


def refusing(**how: Any) -> Traps:
    traps = Traps()
    traps.set(TrapScript(refuse=RefusalScript.model_validate({"how": "waf", **how})), now=100.0)
    return traps


def test_a_refusal_lasts_its_time_or_its_number_of_requests():
    by_time, by_number, for_ever = refusing(for_s=10), refusing(requests=2), refusing()
    assert [bool(by_time.refusal("ada", "direct", now)) for now in (100.0, 109.9, 110.0)] == [True, True, False]
    assert [bool(by_number.refusal("ada", "direct", 100.0)) for _ in range(3)] == [True, True, False]
    assert all(for_ever.refusal(None, "direct", 100.0 + day) for day in range(0, 300_000, 86_400))


def test_a_refusal_can_be_for_one_address_only():
    traps = refusing(egress="north", requests=1)
    assert traps.refusal("ada", "direct", 100.0) is None
    assert traps.refusal("ada", "north", 100.0)
    assert traps.refusal("ada", "north", 100.0) is None


def test_one_creators_switches_come_on_top_of_everybodys():
    traps = Traps()
    traps.set(TrapScript(user_not_found=True), 0.0)
    traps.set(TrapScript(age_gate="closed", refuse=RefusalScript(how="login")), 0.0, "ada")
    assert traps.of("ada") == TrapScript(user_not_found=True, age_gate="closed", refuse=RefusalScript(how="login"))
    assert traps.of("bo") == traps.of(None) == TrapScript(user_not_found=True)
    assert traps.refusal("bo", "direct", 0.0) is None
    traps.rename("ada", "bo")
    assert traps.refusal("bo", "direct", 0.0)
    traps.set(TrapScript(), 0.0, "bo")
    assert traps.of("bo") == TrapScript(user_not_found=True)


def test_a_misspelt_switch_is_an_error():
    with pytest.raises(ValidationError):
        TrapScript.model_validate({"user_notfound": True})


def test_a_rename_keeps_the_person():
    world = a_world()
    before = world.creator("ada").user_id
    assert world.rename("ada", "bo").user_id == before
    assert world.creator("bo").handle == "bo"
    assert "ada" not in world.creators
    with pytest.raises(NotNow):
        world.rename("bo", "bo")


def test_a_room_comes_back_and_a_new_one_opens_beside_it():
    world = a_world()
    first = world.go_live("ada", LiveScript())
    world.end("ada")
    assert first.status(world.now()) == ENDED
    assert world.reopen("ada") is first
    assert first.status(world.now()) == LIVE
    with pytest.raises(NotNow):
        world.reopen("ada")
    second = world.go_live("ada", anew=True)
    assert world.creator("ada").latest(world.now()) is second
    assert first.status(world.now()) == LIVE


def a_crowd(size: int = 100) -> Crowd:
    payloads = Payloads(a_world(), "http://127.0.0.1:1")
    return Crowd(CrowdScript(size=size), *payloads.of_the_crowd())


def test_the_crowds_answers_are_what_the_client_reads():
    crowd = a_crowd()
    offline = decide("crowd00007", crowd.body(7))
    assert isinstance(offline, Offline)
    assert offline.profile
    assert (offline.profile.handle, offline.profile.creator_id) == ("crowd00007", "7000000000000000007")
    room = crowd.go_live(7)
    live = decide("crowd00007", crowd.body(7))
    assert isinstance(live, Live)
    assert (live.room.room_id, live.profile) == (room, offline.profile)
    crowd.end(7)
    assert decide("crowd00007", crowd.body(7)) == offline


@pytest.mark.parametrize(
    ("path", "query", "number"),
    [
        ("/api-live/user/room/", b"aid=1988&sourceType=54&uniqueId=crowd00042", 42),
        ("/api-live/user/room/", b"uniqueId=crowd00042&aid=1988", 42),
        ("/api-live/user/room/", b"uniqueId=crowd00100", None),
        ("/api-live/user/room/", b"uniqueId=crowd42", None),
        ("/api-live/user/room/", b"uniqueId=crowd-0042", None),
        ("/api-live/user/room/", b"uniqueId=ada", None),
        ("/@crowd00042/live", b"", None),
    ],
)
def test_who_belongs_to_the_crowd(path: str, query: bytes, number: int | None):
    assert a_crowd().asked({"type": "http", "path": path, "query_string": query}) == number


async def test_the_crowd_counts_who_was_asked_about():
    crowd = a_crowd()

    async def send(_: Any) -> None: ...

    for number in (1, 2, 1, 1):
        await crowd.answer(number, send)
    told = crowd.describe()
    assert (told["requests"], told["creators_asked"], told["least"], told["most"]) == (4, 2, 1, 3)
    assert told["longest_gap_s"] >= told["shortest_gap_s"] >= 0
    crowd.reset()
    assert json.loads(json.dumps(crowd.describe()))["requests"] == 0


def test_the_crowd_scenario():
    assert load_scenario("crowd").crowd == CrowdScript(size=50_000)
