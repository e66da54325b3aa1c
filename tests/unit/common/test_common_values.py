"""Identifiers, times and names: the values that every service shares."""

import asyncio
import os
import re
import signal
from collections.abc import Generator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError
from wentlive_common.clock import SystemClock
from wentlive_common.errors import Conflict, InvalidInput, Permanent, Transient, translated
from wentlive_common.handle import InvalidHandle, parse_handle
from wentlive_common.ids import Ulid, new_ulid
from wentlive_common.lifecycle import stop_on_signals, wait_any
from wentlive_common.model import BroadcastKey, Bytes, PartKey, Seconds, Sequence, UtcDatetime, blob_prefix, to_rfc3339

moments = st.datetimes(min_value=datetime(2000, 1, 1), max_value=datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis adds the zone
ulids = TypeAdapter[str](Ulid)
times = TypeAdapter[datetime](UtcDatetime)


def test_ulids_are_lower_case_unique_and_fit_their_own_rule() -> None:
    made = {new_ulid() for _ in range(1000)}
    assert len(made) == 1000
    assert all(ulids.validate_python(text) == text and text == text.lower() and len(text) == 26 for text in made)


def test_ulids_sort_by_time(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []
    for second in range(3):
        monkeypatch.setattr("time.time_ns", lambda second=second: (1_790_000_000 + second) * 1_000_000_000)
        monkeypatch.setattr("time.time", lambda second=second: 1_790_000_000.0 + second)
        made.append(new_ulid())
    assert made == sorted(made)
    assert len({text[:10] for text in made}) == 3


@pytest.mark.parametrize(
    "text", ["", "01M83JVZ0HM2VDWKGHJXGD5DGN", "81m83jvz0hm2vdwkghjxgd5dgn", "01m83jvz0hm2vdwkghjxgd5dgu", "../x"]
)
def test_what_is_no_ulid(text: str) -> None:
    with pytest.raises(ValidationError):
        ulids.validate_python(text)


@given(moments, moments)
def test_written_times_sort_as_the_moments_do(one: datetime, other: datetime) -> None:
    first, second = times.validate_python(one), times.validate_python(other)
    assert (to_rfc3339(first) < to_rfc3339(second)) == (first < second)


@given(moments, st.integers(-14 * 60, 14 * 60))
def test_a_moment_survives_the_wire_from_any_zone(moment: datetime, minutes: int) -> None:
    local = times.validate_python(moment.astimezone(timezone(timedelta(minutes=minutes))))
    written = times.dump_json(local)
    assert times.validate_json(written) == local
    assert local.utcoffset() == timedelta(0)
    assert re.fullmatch(rb'"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"', written)


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_a_moment_that_utc_cannot_say_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        times.validate_python(text)


@pytest.mark.parametrize(("kind", "number"), [(Bytes, 10**400), (Sequence, 2**63), (Seconds, 1.7e308)])
def test_numbers_that_break_arithmetic_are_refused(kind: Any, number: float) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter[Any](kind).validate_python(number)


def test_names_of_blobs_and_keys() -> None:
    started = datetime(2026, 11, 24, 0, 30, tzinfo=timezone(timedelta(hours=1)))
    assert blob_prefix("6789", "01m83jvz0hm2vdwkghjxgd5dgn", started) == "6789/2026/11/23/01m83jvz0hm2vdwkghjxgd5dgn"
    part = PartKey(recording_id="01m83jvz0hm2vdwkghjxgd5dgn", attempt=2, part=3)
    assert str(part) == "01m83jvz0hm2vdwkghjxgd5dgn/a2-p3"
    assert str(BroadcastKey(creator_id="6789", room_id="7301")) == "6789/7301"


@given(st.text(max_size=60))
def test_a_handle_is_clean_or_refused(text: str) -> None:
    try:
        handle = parse_handle(text)
    except InvalidHandle:
        return
    assert re.fullmatch(r"[a-z0-9_.]{1,24}", handle)
    assert parse_handle(handle) == handle


def test_a_class_docstring_is_its_default_message() -> None:
    assert Transient().message == "It did not work this time; it is worth another try."
    assert Permanent("gone").message == "gone"
    assert issubclass(InvalidInput, Permanent)


def test_foreign_errors_are_translated_with_their_cause() -> None:
    def fail() -> None:
        with translated(OSError, into=Conflict, message="The file is taken"):
            raise PermissionError("nope")

    with pytest.raises(Conflict, match="The file is taken: PermissionError: nope") as caught:
        fail()
    assert isinstance(caught.value.__cause__, PermissionError)


def test_the_clock_is_aware() -> None:
    assert SystemClock().now().tzinfo is UTC


async def test_waiting_for_any_ends_with_the_first_and_cancels_the_rest() -> None:
    never = asyncio.Event()
    async with asyncio.timeout(5):
        await wait_any(asyncio.sleep(0), never.wait())
    assert len(asyncio.all_tasks()) == 1


async def test_waiting_for_any_raises_what_the_first_raised() -> None:
    async def fail() -> None:
        raise Conflict

    with pytest.raises(Conflict):
        await wait_any(fail(), asyncio.Event().wait())


async def test_a_closed_terminal_is_no_matter_under_nohup() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        async with stop_on_signals() as stop:
            os.kill(os.getpid(), signal.SIGHUP)
            await asyncio.sleep(0)
            assert not stop.is_set()
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.fixture
def heeded_hangup() -> Generator[None]:
    """Under `nohup` the hang-up is ignored, and the product keeps it so."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
async def test_the_first_signal_stops(number: signal.Signals, heeded_hangup: None) -> None:
    async with stop_on_signals() as stop:
        os.kill(os.getpid(), number)
        async with asyncio.timeout(5):
            await stop.wait()
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL, "a second one ends the process"
