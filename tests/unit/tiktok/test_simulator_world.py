from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError
from wentlive_devkit.tiktok.scenario import (
    CreatorScript,
    InvalidScenario,
    LiveScript,
    MediaScript,
    Scenario,
    load_scenario,
)
from wentlive_devkit.tiktok.world import ENDED, LIVE, PAUSED, NoSuchCreator, NotNow, World


class HandClock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def now(self) -> datetime:
        return datetime(2026, 11, 23, 12, 0, tzinfo=UTC) + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        self.seconds += seconds


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


def a_world(clock: HandClock, *lives: LiveScript, **creator: object) -> World:
    script = CreatorScript.model_validate({"handle": "ada", "nickname": "Ada", "lives": lives, **creator})
    world = World(Scenario(creators=(script,)), clock)
    world.begin()
    return world


def test_lives_come_and_go_with_time(clock: HandClock):
    world = a_world(clock, LiveScript(starts_after_s=5, duration_s=10), LiveScript(starts_after_s=30, duration_s=10))
    seen: list[tuple[str, int]] = []
    for _ in range(9):
        broadcast = world.creator("ada").latest(world.now())
        assert broadcast
        seen.append((broadcast.script.title, broadcast.status(world.now())))
        clock.seconds += 5
    assert [status for _, status in seen] == [4, 2, 2, 4, 4, 4, 2, 2, 4]
    assert seen[0][0] == "Yesterday"
    assert len({broadcast.room_id for broadcast in world.creator("ada").broadcasts}) == 3


def test_somebody_new_has_no_room(clock: HandClock):
    assert a_world(clock, past_live=False).creator("ada").latest(0) is None
    assert a_world(clock, kind="never_live").creator("ada").latest(0) is None


def test_going_live_and_ending_by_hand(clock: HandClock):
    world = a_world(clock)
    first = world.go_live("ada")
    assert first.status(world.now()) == LIVE
    with pytest.raises(NotNow, match="live already"):
        world.go_live("ada")
    world.end("ada")
    assert first.status(world.now()) == ENDED
    clock.seconds += 1
    assert world.go_live("ada").room_id != first.room_id


def test_pausing_and_resuming(clock: HandClock):
    world = a_world(clock)
    broadcast = world.go_live("ada")
    world.pause("ada")
    assert broadcast.status(world.now()) == PAUSED
    with pytest.raises(NotNow):
        world.pause("ada")
    world.resume("ada")
    assert broadcast.status(world.now()) == LIVE
    with pytest.raises(NotNow):
        world.resume("ada")


@pytest.mark.parametrize("action", ["end", "pause", "resume", "drop"])
def test_nothing_can_be_done_to_somebody_offline(clock: HandClock, action: str):
    with pytest.raises(NotNow):
        getattr(a_world(clock), action)("ada")
    with pytest.raises(NoSuchCreator):
        getattr(a_world(clock), action)("bob")


def test_a_drop_cuts_what_is_connected_and_nothing_later(clock: HandClock):
    world = a_world(clock, LiveScript(cut_after_s=(3,)))
    broadcast = world.creator("ada").latest(world.now())
    assert broadcast
    assert broadcast.cut_between(0, 2.9) is None
    assert broadcast.cut_between(0, 3) == 3
    assert broadcast.cut_between(3, 10) is None
    clock.seconds += 5
    world.drop("ada")
    assert broadcast.cut_between(3, 5) == 5
    assert broadcast.cut_between(5, 9) is None


def test_a_creator_keeps_the_identity_between_runs_but_not_the_room(clock: HandClock):
    first, second = a_world(clock).creator("ada"), a_world(clock).creator("ada")
    assert (first.user_id, first.sec_uid) == (second.user_id, second.sec_uid)
    assert first.broadcasts[0].room_id != second.broadcasts[0].room_id


def test_the_demo_has_three_creators_and_one_of_them_twice():
    demo = load_scenario("demo")
    assert sorted(len(creator.lives) for creator in demo.creators) == [1, 1, 2]
    assert all(creator.lives[0].starts_after_s <= 5 for creator in demo.creators)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "creators = 7",
        "[[creators]]\nhandle = 'UPPER'\nnickname = 'x'",
        "[[creators]]\nhandle='a'\nnickname='b'\nx=1",
    ],
)
def test_a_scenario_that_cannot_be_used_says_so(tmp_path: Path, text: str):
    path = tmp_path / "bad.toml"
    path.write_text(text)
    with pytest.raises(InvalidScenario, match=r"bad\.toml"):
        load_scenario(str(path))


def test_a_scenario_that_is_not_there(tmp_path: Path):
    with pytest.raises(InvalidScenario, match="There is no scenario"):
        load_scenario(str(tmp_path / "none.json"))


def test_json_scenarios_are_read_too(tmp_path: Path):
    path = tmp_path / "one.json"
    path.write_text('{"creators": [{"handle": "ada", "nickname": "Ada"}]}')
    assert load_scenario(str(path)).creators[0].handle == "ada"


def test_a_loop_that_would_have_a_seam_is_refused():
    with pytest.raises(ValidationError, match="multiple of 8"):
        MediaScript(loop_s=10)


def test_a_waiting_scenario_counts_from_its_beginning(clock: HandClock):
    script = CreatorScript(handle="ada", nickname="Ada", lives=(LiveScript(starts_after_s=5),))
    world = World(Scenario(creators=(script,)), clock)
    clock.seconds += 60
    assert all(broadcast.started < 0 for broadcast in world.creator("ada").broadcasts)
    world.begin()
    assert world.creator("ada").broadcasts[-1].started == 65
    with pytest.raises(NotNow):
        world.begin()
