"""What every `RecordingStore` promises, over memory, SQLite and a real MongoDB server."""

import asyncio
from datetime import UTC, datetime

import pytest
from wentlive_common.errors import Conflict
from wentlive_common.events import BroadcastWentLive, new_event
from wentlive_common.ids import first_ulid_at, new_ulid
from wentlive_common.job import PartReport
from wentlive_common.model import BroadcastKey
from wentlive_orchestrator.domain import Attempt, Bill, Recording, open_recording

NOW = datetime(2026, 5, 1, 12, 0, 0, 123000, tzinfo=UTC)


def opened(room="42"):
    seen = BroadcastWentLive(
        creator_id="7", room_id=room, handle="ann", sequence=1, at=NOW, title="Töpfern 🏺", started_at=NOW
    )
    recording, events = open_recording(new_ulid(), seen)
    return recording, [new_event(event, "orchestrator") for event in events]


def full(recording: Recording) -> Recording:
    part = PartReport(
        part=1, state="open", blob="b.mp4", index_blob="b.index", opened_at=NOW, bytes=5_000_000_000, duration=1.25
    )
    attempt = Attempt(
        number=1, name="rec-1", token_hash="ab", created_at=NOW, parts=(part,), state="running",
        runtime={"pid": 1, "started": 12345678901, "deep": {"list": [1, "x", True]}},
    )  # fmt: skip
    return recording.model_copy(update={"attempts": (attempt,), "state": "recording", "stop_requested_at": NOW})


async def test_a_recording_comes_back_as_it_was_stored(store):
    recording, events = opened()
    assert await store.create_if_absent(recording, events) == recording
    saved = await store.save(full(recording), [])
    assert saved.version == recording.version + 1
    assert await store.get(recording.recording_id) == saved
    assert await store.get_by_broadcast(recording.broadcast) == saved


async def test_what_is_unknown_is_none(store):
    assert await store.get(new_ulid()) is None
    assert await store.get_by_broadcast(BroadcastKey(creator_id="1", room_id="2")) is None


async def test_a_broadcast_gets_one_recording_however_many_race_for_it(store):
    results = await asyncio.gather(*(store.create_if_absent(*opened()) for _ in range(12)))
    assert len({recording.recording_id for recording in results}) == 1
    pending = await store.pending(100)
    assert [event.subject for event in pending] == [results[0].recording_id], "the losers' events are not stored"


async def test_what_is_about_no_recording_is_told_as_well(store):
    recording, events = opened()
    await store.create_if_absent(recording, events)
    _, strays = opened("43")
    await store.announce(strays)
    assert [event.id for event in await store.pending(100)] == [events[0].id, strays[0].id]
    assert len(await store.pending(1)) == 1
    await store.clear([strays[0].id])
    assert [event.id for event in await store.pending(100)] == [events[0].id]
    await store.clear([events[0].id])
    assert await store.pending(100) == []


async def test_of_two_writers_one_wins_and_the_other_is_told(store):
    recording, events = opened()
    await store.create_if_absent(recording, [])
    results = await asyncio.gather(*(store.save(recording, events) for _ in range(5)), return_exceptions=True)
    assert sum(isinstance(result, Recording) for result in results) == 1
    assert sum(isinstance(result, Conflict) for result in results) == 4
    assert len(await store.pending(10)) == 1


async def test_saving_what_was_never_created_is_a_conflict(store):
    recording, events = opened()
    with pytest.raises(Conflict):
        await store.save(recording, events)
    assert await store.pending(10) == []


async def test_settled_recordings_are_not_active(store):
    kept, _ = opened("1")
    settled, _ = opened("2")
    cleaning, _ = opened("3")
    for recording in (kept, settled, cleaning):
        await store.create_if_absent(recording, [])
    await store.save(settled.model_copy(update={"state": "completed"}), [])
    await store.save(full(cleaning).model_copy(update={"state": "completed"}), [])
    active = {recording.recording_id for recording in await store.active()}
    assert active == {kept.recording_id, cleaning.recording_id}, "a recorder that is not gone yet is work left"


async def test_events_wait_in_order_until_they_are_cleared(store):
    recording, first = opened()
    recording = await store.create_if_absent(recording, first)
    second = opened()[1]
    await store.save(recording, second)
    assert [event.id for event in await store.pending(10)] == [first[0].id, second[0].id]
    assert len(await store.pending(1)) == 1
    await store.clear([first[0].id])
    [left] = await store.pending(10)
    assert left == second[0]
    await store.clear([left.id, new_ulid()])
    assert await store.pending(10) == []


async def test_it_is_ready(store):
    assert await store.ready()


async def test_the_newest_come_first_and_in_pages(store):
    ids = []
    for room in range(1, 6):
        recording, events = opened(str(room))
        ids.append((await store.create_if_absent(recording, events)).recording_id)
    ids.sort(reverse=True)
    first = await store.recent(3)
    assert [recording.recording_id for recording in first] == ids[:3]
    assert [recording.recording_id for recording in await store.recent(3, before=ids[2])] == ids[3:]


async def test_bills_are_summed_by_creator_within_a_span(store):
    bills = {"1": (0.5, None), "2": (0.25,), "3": (4.0,), "4": (None,)}
    ids = {}
    for room, costs in bills.items():
        seen = BroadcastWentLive(creator_id=f"{int(room) % 2}", room_id=room, handle="ann", sequence=1, at=NOW)
        # One in each month, so that the span's ends can be told.
        recording, _ = open_recording(first_ulid_at(datetime(2026, int(room), 1, tzinfo=UTC)), seen)
        attempts = tuple(
            Attempt(
                number=number, name=f"rec-{number}", token_hash="ab", created_at=NOW,
                bill=Bill(vcpu_seconds=10, gb_seconds=15, usd=usd, until=NOW) if usd else None,
            )
            for number, usd in enumerate(costs, 1)
        )  # fmt: skip
        ids[room] = recording.recording_id
        await store.create_if_absent(recording.model_copy(update={"attempts": attempts}), [])
    assert [dict(sums) for sums in await store.billed(ids["1"], ids["4"])] == [
        {"creator_id": "0", "handle": "ann", "attempts": 1, "vcpu_seconds": 10, "gb_seconds": 15, "usd": 0.25},
        {"creator_id": "1", "handle": "ann", "attempts": 2, "vcpu_seconds": 20, "gb_seconds": 30, "usd": 4.5},
    ]
    assert [sums.creator_id for sums in await store.billed(ids["2"], ids["3"])] == ["0"]
    assert await store.billed(ids["4"], new_ulid()) == []
