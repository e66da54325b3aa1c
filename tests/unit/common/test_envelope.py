"""Whatever comes off the wire is an event or a `MalformedEvent`, and nothing of it is quoted in the reason."""

import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wentlive_common.events import (
    BroadcastWentLive,
    CreatorFollowed,
    EventData,
    MalformedEvent,
    full_type,
    new_event,
    parse_event,
    registry,
)
from wentlive_common.events.envelope import MAX_EVENT_BYTES, registered

GOLDEN = Path(__file__).parent / "golden"
MESSAGES: list[dict[str, Any]] = [json.loads(path.read_bytes()) for path in sorted(GOLDEN.glob("*.json"))]

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


def parses_or_is_malformed(body: bytes) -> None:
    try:
        event = parse_event(body)
    except MalformedEvent:
        return
    assert parse_event(event.to_json()) == event


@given(st.binary(max_size=400))
def test_any_bytes(body: bytes) -> None:
    parses_or_is_malformed(body)


@given(json_values)
def test_any_json(value: Any) -> None:
    parses_or_is_malformed(json.dumps(value).encode())


@given(st.sampled_from(MESSAGES), st.data())
def test_any_field_replaced(message: dict[str, Any], data: st.DataObject) -> None:
    inside = data.draw(st.booleans())
    target = message["data"] if inside else message
    name = data.draw(st.sampled_from(sorted(target)))
    changed = {**target, name: data.draw(json_values)}
    parses_or_is_malformed(json.dumps({**message, "data": changed} if inside else changed).encode())


@given(st.sampled_from(MESSAGES), st.data())
def test_any_part_cut_off(message: dict[str, Any], data: st.DataObject) -> None:
    body = json.dumps(message).encode()
    parses_or_is_malformed(body[: data.draw(st.integers(0, len(body)))])


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[" * 100_000,
        b'{"type": ["wentlive.creator.followed.v1"]}',
        b'{"type": "wentlive.creator.followed.v1"}',
        b'{"type": "wentlive.creator.followed.v2"}',
        "{}".encode("utf-16"),
        b"\xff\xfe",
    ],
)
def test_nothing_but_malformed(body: bytes) -> None:
    with pytest.raises(MalformedEvent):
        parse_event(body)


def test_a_reason_quotes_no_value() -> None:
    message = {**MESSAGES[0], "id": "hunter2-id", "data": {**MESSAGES[0]["data"], "creator_id": "hunter2-value"}}
    with pytest.raises(MalformedEvent) as caught:
        parse_event(json.dumps(message).encode())
    assert "hunter2" not in caught.value.message
    assert "data.creator_id" in caught.value.message


def test_an_event_has_a_size_limit() -> None:
    body = json.dumps({**MESSAGES[0], "padding": "x" * MAX_EVENT_BYTES}).encode()
    with pytest.raises(MalformedEvent, match=str(MAX_EVENT_BYTES)):
        parse_event(body)


def test_a_new_event_names_its_type_source_and_subject() -> None:
    event = new_event(CreatorFollowed(handle="nora"), "catalog")
    assert (event.type, event.source, event.subject) == ("wentlive.creator.followed.v1", "/wentlive/catalog", "nora")
    assert event.routing_key == "creator.followed"
    assert abs(event.time - datetime.now(UTC)) < timedelta(seconds=5)
    assert new_event(CreatorFollowed(handle="nora"), "catalog").id != event.id


def test_times_are_utc_to_the_millisecond_on_the_wire() -> None:
    cet = datetime(2026, 11, 23, 7, 53, 3, 889_999, tzinfo=timezone(timedelta(hours=1)))
    data = BroadcastWentLive(creator_id="1", room_id="2", handle="nora", sequence=1, at=cet)
    event = new_event(data, "watcher", time=cet)
    raw = json.loads(event.to_json())
    assert raw["time"] == raw["data"]["at"] == "2026-11-23T06:53:03.889Z"
    assert parse_event(event.to_json()) == event


def test_a_time_without_zone_is_malformed() -> None:
    with pytest.raises(MalformedEvent, match="time: timezone_aware"):
        parse_event(json.dumps({**MESSAGES[0], "time": "2026-11-23T06:53:03"}).encode())


def test_a_type_is_registered_once() -> None:
    with pytest.raises(TypeError, match="twice"):
        registered(CreatorFollowed)
    assert registry()[full_type(CreatorFollowed)] is CreatorFollowed


def test_an_event_must_say_what_it_is_about() -> None:
    with pytest.raises(TypeError, match="about"):
        EventData().subject()
