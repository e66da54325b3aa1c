"""What Azure still takes, by its documented limits and by its own words."""

import pytest
from wentlive_orchestrator.adapters.arm_allowance import HEADER, Allowance


@pytest.fixture
def allowance(clock):
    return Allowance(30, clock)


def used_up(allowance) -> int:
    taken = 0
    while allowance.take():
        taken += 1
    return taken


def test_a_third_of_the_hours_requests_may_be_made_in_five_minutes(allowance, clock):
    taken = []
    for _ in range(5):
        taken.append(used_up(allowance))
        clock.advance(301)
    assert taken == [10, 10, 10, 0, 0]
    clock.advance(3600)
    assert used_up(allowance) == 10


def test_others_use_the_same_subscription(allowance):
    allowance.take()
    allowance.learn({f"{HEADER}pt5m": "2", f"{HEADER}pt1h": "200"})
    assert used_up(allowance) == 2


def test_a_raised_limit_is_learnt(allowance):
    allowance.take()
    allowance.learn({f"{HEADER}pt5m": "1499", f"{HEADER}pt1h": "14999"})
    assert allowance.left() == 1499


def test_answers_that_come_in_another_order_add_nothing(allowance):
    for _ in range(4):
        allowance.take()
    for remaining in ("6", "9", "7", "8"):
        allowance.learn({f"{HEADER}pt5m": remaining})
    assert allowance.left() == 6


@pytest.mark.parametrize("headers", [{}, {f"{HEADER}pt5m": "many"}])
def test_what_says_nothing_changes_nothing(allowance, headers):
    allowance.learn(headers)
    assert allowance.left() == 10


def test_closed_until_the_time_it_was_told(allowance, clock):
    allowance.close(17)
    assert not allowance.take()
    clock.advance(18)
    assert allowance.take()
