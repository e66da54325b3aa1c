"""What the bus delivers, twice, late and wrong."""

import pytest
from wentlive_common.bus.memory import InMemoryBus
from wentlive_common.events import BroadcastPaused, RecordingRetryRequested, RecordingStopRequested, new_event
from wentlive_common.ids import new_ulid
from wentlive_orchestrator.domain import Policy
from wentlive_orchestrator.handlers import BROADCASTS, RETRIES, STOPS, subscribe
from wentlive_orchestrator.ledger import RecordingLedger
from wentlive_orchestrator.testing import InMemoryRecordings


class Desk:
    def __init__(self, clock):
        self.bus = InMemoryBus()
        self.store = InMemoryRecordings()
        self.ledger = RecordingLedger(self.store, clock, Policy())

    async def deliver(self, *events):
        for data in events:
            await self.bus.publish(new_event(data, "watcher"))
        await self.bus.drain()

    @property
    def recordings(self):
        return list(self.store._recordings.values())


@pytest.fixture
async def desk(clock):
    desk = Desk(clock)
    await subscribe(desk.bus, desk.ledger)
    yield desk
    await desk.bus.close()


async def test_one_recording_per_broadcast_however_often_it_is_delivered(desk, words):
    await desk.deliver(*[words.live()] * 20, words.live(room="43"), *[words.live(2)] * 5)
    assert sorted(recording.broadcast.room_id for recording in desk.recordings) == ["42", "43"]
    assert [event.data.TYPE for event in await desk.store.pending(10)] == ["recording.requested"] * 2


async def test_what_was_never_live_neither_ends_nor_pauses(desk, words):
    paused = BroadcastPaused(creator_id="7", room_id="42", handle="ann", sequence=1, at=words.clock.now())
    await desk.deliver(words.ended(), paused)
    assert desk.recordings == []
    assert await desk.bus.dead_letters(BROADCASTS) == ()


async def test_an_end_closes_it(desk, words):
    await desk.deliver(words.live())
    await desk.deliver(words.ended(), words.ended(), words.live())
    [recording] = desk.recordings
    assert recording.state == "failed"


async def test_a_stop_is_kept(desk, words):
    await desk.deliver(words.live())
    [recording] = desk.recordings
    stop = RecordingStopRequested(recording_id=recording.recording_id, requested_by="admin")
    await desk.deliver(stop, stop)
    assert desk.recordings[0].state == "completed"


async def test_a_stop_of_nothing_goes_to_the_dead_letters_with_its_reason(desk):
    await desk.deliver(RecordingStopRequested(recording_id=new_ulid(), requested_by="admin"))
    [dead] = await desk.bus.dead_letters(STOPS)
    assert "There is no recording" in dead.reason


async def test_a_wish_to_try_again_is_met_once_however_often_it_is_delivered(desk, words):
    await desk.deliver(words.live())
    await desk.deliver(words.ended())
    [failed] = desk.recordings
    wish = RecordingRetryRequested(
        recording_id=failed.recording_id, ended_sequence=failed.sequence, requested_by="admin"
    )
    await desk.deliver(wish)
    assert desk.recordings[0].state == "failed", "the live is over and nothing was recorded of it"
    await desk.deliver(words.live(3))
    await desk.deliver(wish, wish)
    assert desk.recordings[0].state == "requested"
    kinds = [event.data.TYPE for event in await desk.store.pending(10)]
    assert kinds == ["recording.requested", "recording.failed", "recording.recovering"]
    await desk.deliver(words.ended(4))
    await desk.deliver(wish, words.live(5), wish)
    assert desk.recordings[0].state == "failed", "it was for an earlier end"


async def test_trying_nothing_again_goes_to_the_dead_letters(desk):
    await desk.deliver(RecordingRetryRequested(recording_id=new_ulid(), ended_sequence=2, requested_by="admin"))
    [dead] = await desk.bus.dead_letters(RETRIES)
    assert "There is no recording" in dead.reason
