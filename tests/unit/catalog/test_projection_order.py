"""Whatever the order and however often events come, the entries end up the same."""

from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st
from wentlive_catalog.domain.creators import Creator, with_broadcast, with_profile, with_restriction
from wentlive_catalog.domain.recordings import Recording, recorded, retry_requested, stop_requested
from wentlive_catalog.testing import RecordingStory
from wentlive_common.events import (
    AnyEvent,
    BroadcastEnded,
    BroadcastPaused,
    BroadcastResumed,
    BroadcastWentLive,
    CreatorProfileChanged,
    CreatorRestricted,
    EventData,
    RecordingData,
    new_event,
)

AT = datetime(2026, 11, 20, 20, 0, tzinfo=UTC)


def story() -> list[AnyEvent]:
    """Two attempts, three parts, interrupted once; every event there is of it."""
    told = RecordingStory("owl", "7", "8", AT, title="ramen")

    def part(number: int, size: int, *, closed: bool = False, attempt: int = 1):
        return told.part(number, size=size, duration=size / 10, fragments=size // 10, closed=closed, attempt=attempt)

    return [
        told.requested(),
        told.started(),
        told.part_opened(part(1, 10)),
        told.progressed(part(1, 20)),
        told.progressed(part(1, 30)),
        told.part_closed(part(1, 31, closed=True), state="recording"),
        told.part_opened(part(2, 10)),
        told.started(attempt=2),
        told.part_opened(part(1, 10, attempt=2), attempt=2),
        told.part_closed(part(1, 21, closed=True, attempt=2), attempt=2),
        told.part_closed(part(2, 10, closed=True)),
        told.completed(AT + timedelta(minutes=3)),
    ]


def project(events: list[AnyEvent]) -> Recording:
    recording: Recording | None = None
    for event in events:
        assert isinstance(event.data, RecordingData)
        recording = recorded(recording, event.data)
    assert recording is not None
    return recording


STORY = story()
IN_ORDER = project(STORY)


@given(st.permutations(range(len(STORY))), st.lists(st.integers(0, len(STORY) - 1), max_size=8))
@settings(max_examples=200, deadline=None)
def test_any_order_and_repetition_gives_the_same_recording(order: list[int], again: list[int]) -> None:
    assert project([STORY[n] for n in (*order, *again)]) == IN_ORDER


def test_the_story_in_order_is_as_expected() -> None:
    assert IN_ORDER.state == "completed"
    assert [(part.name, part.report.state, part.report.bytes) for part in IN_ORDER.parts] == [
        ("a1-p1", "closed", 31),
        ("a1-p2", "closed", 10),
        ("a2-p1", "closed", 21),
    ]
    assert IN_ORDER.bytes == 62
    assert IN_ORDER.started_at == AT


def test_a_wish_to_stop_survives_later_events_and_counts_once() -> None:
    running = project(STORY[:4])
    asked = stop_requested(running, "admin", AT)
    assert stop_requested(asked, "somebody", AT + timedelta(1)) == asked
    newer = STORY[4].data
    assert isinstance(newer, RecordingData)
    assert recorded(asked, newer).stop_request == asked.stop_request
    assert stop_requested(IN_ORDER, "admin", AT) == IN_ORDER


def retried() -> list[AnyEvent]:
    """It fails, is tried again, and completes."""
    told = RecordingStory("owl", "7", "9", AT, title="ramen")

    def part(attempt: int, *, closed: bool = False):
        return told.part(1, size=40, duration=4, fragments=4, closed=closed, attempt=attempt)

    return [
        told.requested(), told.started(), told.part_opened(part(1)), told.failed(AT, "It gave up."),
        told.tried_again(), told.started(attempt=2), told.part_opened(part(2), attempt=2),
        told.part_closed(part(1, closed=True)), told.part_closed(part(2, closed=True), attempt=2),
        told.completed(AT + timedelta(minutes=3)),
    ]  # fmt: skip


RETRIED = retried()


def test_what_failed_and_is_tried_again_is_neither_over_nor_failed_until_it_ends_anew() -> None:
    seen = [project(RETRIED[: n + 1]) for n in range(len(RETRIED))]
    assert [one.state for one in seen[3:]] == [
        "failed", "recovering", "starting", "recording", "finishing", "finishing", "completed",
    ]  # fmt: skip
    assert (seen[3].failure, seen[3].ended_at, seen[3].retryable) == ("It gave up.", AT, True)
    assert [(one.failure, one.ended_at, one.retryable) for one in seen[4:9]] == [(None, None, False)] * 5
    assert (seen[9].over, seen[9].failure, seen[9].retryable) == (True, None, False)


@given(st.permutations(range(len(RETRIED))), st.lists(st.integers(0, len(RETRIED) - 1), max_size=8))
@settings(max_examples=200, deadline=None)
def test_a_retry_too_is_told_in_any_order(order: list[int], again: list[int]) -> None:
    assert project([RETRIED[n] for n in (*order, *again)]) == project(RETRIED)


def test_a_wish_to_try_again_is_for_one_end() -> None:
    end = RETRIED[3].data
    assert isinstance(end, RecordingData)
    failed = recorded(stop_requested(project(RETRIED[:3]), "ann", AT), end)
    asked = retry_requested(failed, "ann", AT)
    assert (failed.retrying, asked.retrying, asked.stop_request) == (False, True, None)
    assert isinstance(RETRIED[4].data, RecordingData)
    going_on = recorded(asked, RETRIED[4].data)
    assert (going_on.retrying, going_on.retry_request) == (False, asked.retry_request)


def test_only_who_ended_badly_can_be_tried_again() -> None:
    told = RecordingStory("owl", "7", "10", AT)
    left = told.part(1, size=40, duration=4, fragments=4)
    events = [told.requested(), told.part_opened(left), told.completed(AT)]
    assert [project(events[:n]).retryable for n in (1, 2, 3)] == [False, False, True]
    from_storage = project(events).model_copy(update={"sequence": 0})
    assert not from_storage.retryable


def creator_events() -> list[AnyEvent]:
    def at(seconds: float) -> datetime:
        return AT + timedelta(seconds=seconds)

    def broadcast(room: str, sequence: int, seconds: float) -> dict[str, object]:
        return {"creator_id": "7", "room_id": room, "handle": "owl", "sequence": sequence, "at": at(seconds)}

    def profile(name: str) -> CreatorProfileChanged:
        return CreatorProfileChanged(handle="owl", creator_id="7", nickname=name)

    told: list[tuple[float, EventData]] = [
        (1, CreatorRestricted(handle="owl", reason="not_found", since=at(1))),
        (2, profile("Owl")),
        (3, BroadcastWentLive.model_validate(broadcast("11", 1, 3) | {"title": "first", "started_at": at(2)})),
        (4, BroadcastPaused.model_validate(broadcast("11", 2, 4))),
        (5, BroadcastResumed.model_validate(broadcast("11", 3, 5))),
        (6, BroadcastEnded.model_validate(broadcast("11", 4, 6))),
        (7, profile("Night Owl")),
        (8, BroadcastWentLive.model_validate(broadcast("12", 1, 8) | {"title": "second"})),
        (9, BroadcastWentLive.model_validate(broadcast("12", 1, 9) | {"title": "second"})),
    ]
    return [new_event(data, "watcher", time=at(seconds)) for seconds, data in told]


def take(creator: Creator, event: AnyEvent) -> Creator:
    match event.data:
        case CreatorProfileChanged() as data:
            return with_profile(creator, data, event.time)
        case CreatorRestricted() as data:
            return with_restriction(creator, data, event.time)
        case BroadcastWentLive() | BroadcastPaused() | BroadcastResumed() | BroadcastEnded() as data:
            return with_broadcast(creator, data)
        case other:
            raise AssertionError(other)


def project_creator(events: list[AnyEvent]) -> Creator:
    creator = Creator(handle="owl")
    for event in events:
        creator = take(creator, event)
    return creator


CREATOR_EVENTS = creator_events()
EXPECTED_CREATOR = project_creator(CREATOR_EVENTS)


@given(st.permutations(range(len(CREATOR_EVENTS))), st.lists(st.integers(0, len(CREATOR_EVENTS) - 1), max_size=8))
@settings(max_examples=200, deadline=None)
def test_any_order_and_repetition_gives_the_same_creator(order: list[int], again: list[int]) -> None:
    assert project_creator([CREATOR_EVENTS[n] for n in (*order, *again)]) == EXPECTED_CREATOR


def test_a_creators_state_follows_what_was_heard() -> None:
    states = [project_creator(CREATOR_EVENTS[: n + 1]).status for n in range(len(CREATOR_EVENTS))]
    assert states == ["not_found", "offline", "live", "paused", "live", "offline", "offline", "live", "live"]
    assert Creator(handle="owl").status == "checking"
    assert EXPECTED_CREATOR.name == "Night Owl"
    assert [broadcast.title for broadcast in EXPECTED_CREATOR.broadcasts] == ["first", "second"]


def test_a_restriction_that_is_told_with_the_profile_holds() -> None:
    """TikTok may show the profile and hide the live in one answer."""
    told = with_profile(Creator(handle="owl"), CreatorProfileChanged(handle="owl", creator_id="7"), AT)
    restricted = with_restriction(told, CreatorRestricted(handle="owl", reason="age", since=AT), AT)
    assert restricted.status == "restricted"
    lifted = with_profile(restricted, CreatorProfileChanged(handle="owl", creator_id="7"), AT + timedelta(seconds=1))
    assert lifted.status == "offline"
