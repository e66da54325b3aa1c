"""Where there is room for another container group, as quotas, refusals and limits of our own leave it."""

import pytest
from wentlive_common.ids import new_ulid
from wentlive_orchestrator.adapters.aci_errors import Kind
from wentlive_orchestrator.adapters.aci_room import CLAIM_SECONDS, AciRoom, Usage
from wentlive_orchestrator.adapters.arm_allowance import Allowance
from wentlive_orchestrator.domain import open_recording
from wentlive_orchestrator.ports import NoRoom


@pytest.fixture
def room(clock):
    return AciRoom(("west", "east"), 0.5, 3, Allowance(300, clock), clock)


@pytest.fixture
def recording(words):
    return lambda: open_recording(new_ulid(), words.live()).recording


def filled(room, region, groups):
    """`groups` of ours there."""
    for number in range(groups):
        assert room.take(new_ulid(), f"{region}-{number}") == region


def test_the_first_region_is_filled_before_the_next(room):
    filled(room, "west", 3)
    filled(room, "east", 3)
    with pytest.raises(NoRoom):
        room.take(new_ulid(), "one-too-many")
    room.gone("west-1")
    assert room.take(new_ulid(), "another") == "west"


def test_who_was_let_in_has_its_place_and_nobody_else_gets_it(room, recording, clock):
    filled(room, "west", 3)
    waiting = [recording() for _ in range(4)]
    assert [bool(room.refusal(r)) for r in waiting] == [False, False, False, True]
    assert room.refusal(waiting[0]) == "", "asking twice takes one place"
    assert room.refusal(waiting[3])
    clock.advance(CLAIM_SECONDS + 1)
    assert room.refusal(waiting[3]) == "", "who does not come loses its place"


def test_what_others_use_counts_and_what_is_ours_only_once(room, recording):
    room.most_groups = 10
    filled(room, "west", 2)
    room.learn_usage("west", Usage(9, 11), Usage(4.5, 100))
    assert room.refusal(recording()) == "", "9 are used, two of them by us"
    room.learn_usage("west", Usage(11, 11), None)
    room.learn_usage("east", None, Usage(100, 100))
    reason = room.refusal(recording())
    assert "west: the quota of 11 container groups is used up" in reason
    assert "east: the quota of 100 cores is used up" in reason


def test_halves_of_cores_are_counted(room):
    room.learn_usage("west", None, Usage(9, 10))
    room.learn_usage("east", None, Usage(10, 10))
    filled(room, "west", 2)
    with pytest.raises(NoRoom):
        room.take(new_ulid(), "a-third")


def test_a_region_rests_longer_each_time_and_not_at_all_after_a_success(room, clock):
    def rests():
        seconds = 0
        while "west" in room._why_not("west"):
            clock.advance(1)
            seconds += 1
        return seconds

    rested = []
    for _ in range(8):
        room.refused("west", Kind.CAPACITY)
        rested.append(rests())
    assert rested == [15, 30, 60, 120, 240, 480, 600, 600]
    room.accepted("west")
    room.refused("west", Kind.QUOTA)
    assert rests() == 30


def test_several_refusals_of_one_rush_are_one(room, clock):
    for _ in range(5):
        room.refused("west", Kind.CAPACITY)
    clock.advance(16)
    assert room._why_not("west") == ""


def test_a_region_whose_groups_never_came_up_is_the_second_choice_for_a_while(room, clock):
    room.disappointed("west")
    assert room.take(new_ulid(), "a") == "east"
    clock.advance(301)
    assert room.take(new_ulid(), "b") == "west"
    room.disappointed("nowhere")


def test_a_list_that_began_before_a_create_does_not_hide_it(room):
    filled(room, "west", 1)
    room.answered("west-0")
    known = room.known()
    room.take(new_ulid(), "begun-meanwhile")
    room.listed({"west-0": "west", "somebody-else": "west"}, known)
    with pytest.raises(NoRoom):
        filled(room, "east", 4)
    room.listed({}, room.known() | {"begun-meanwhile"})
    filled(room, "west", 3)
