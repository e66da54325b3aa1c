"""What should run against what does run, over runtimes that fail in every way."""

import asyncio
from datetime import timedelta

import pytest
from prometheus_client import CollectorRegistry
from wentlive_common.blobs import part_blobs, recording_blobs
from wentlive_common.capture import Quality
from wentlive_common.events import ContainerReaped
from wentlive_common.ids import new_ulid
from wentlive_common.job import Salvaged
from wentlive_common.model import to_rfc3339
from wentlive_orchestrator.domain import (
    Policy,
    attempt_name,
    on_attempt_planned,
    on_broadcast_ended,
    on_report,
    on_stop_requested,
)
from wentlive_orchestrator.jobs import JobOffice, hash_token
from wentlive_orchestrator.ledger import RecordingLedger
from wentlive_orchestrator.metrics import OrchestratorMetrics
from wentlive_orchestrator.ports import RuntimeHandle
from wentlive_orchestrator.reconcile import Reconciler
from wentlive_orchestrator.shutdown import stop_recorders
from wentlive_orchestrator.testing import (
    DoomingRuntime,
    DyingRuntime,
    FakeAdmission,
    FakeGrants,
    FakeRuntime,
    FullRuntime,
    InMemoryRecordings,
    LingeringRuntime,
    LostAnswerRuntime,
    NeverStartsRuntime,
    RejectingRuntime,
    SlowRuntime,
    UndeletableRuntime,
)

POLICY = Policy(max_attempts=3, stop_grace=0.2)


class World:
    """The orchestrator without HTTP and bus; passes are made by hand."""

    def __init__(self, words, runtime, store=None, **options):
        self.words = words
        self.clock = words.clock
        self.runtime = runtime
        self.store = store or InMemoryRecordings()
        self.ledger = RecordingLedger(self.store, self.clock, POLICY)
        jobs = JobOffice(FakeGrants(self.clock.now), 3600, self.clock)
        self.metrics = OrchestratorMetrics(CollectorRegistry())
        self.reconciler = Reconciler(self.ledger, runtime, jobs, self.metrics, "http://127.0.0.1:1/", **options)

    async def live(self, sequence=1, room="42", **more):
        return await self.ledger.went_live(self.words.live(sequence, room, **more))

    async def turn(self, seconds=0.0):
        """Time passes, one pass is made, and the work it began comes to rest."""
        self.clock.advance(seconds)
        await self.reconciler.full_pass()
        for _ in range(5):
            await self.reconciler.idle(5)
            self.reconciler.work_on_woken()
        await self.reconciler.idle(5)

    async def recording(self):
        [recording] = self.store._recordings.values()
        return recording

    async def attempts(self):
        return [(attempt.state, attempt.gone) for attempt in (await self.recording()).attempts]

    async def report(self, state="recording", *parts, outcome=None, **more):
        recording = await self.recording()
        attempt = recording.attempts[-1]
        report = self.words.report(attempt.report_sequence + 1, state, *parts, outcome=outcome, **more)
        await self.ledger.change(
            recording.recording_id, lambda r, now: on_report(r, attempt.number, report, now, POLICY)
        )

    async def end(self):
        recording = await self.recording()
        ended = self.words.ended(9)
        await self.ledger.change(recording.recording_id, lambda r, now: on_broadcast_ended(r, ended, now, POLICY))


@pytest.fixture
def world(words):
    return World(words, FakeRuntime())


async def test_a_recorder_is_told_the_quality_wished_for(world):
    await world.live(quality=Quality(max_height=720))
    await world.turn()
    assert world.runtime.jobs[world.runtime.started[0]].quality == Quality(max_height=720)


async def test_a_live_gets_one_recorder_with_a_job_of_its_own(world):
    recording = await world.live()
    await world.live()
    await world.turn()
    await world.turn()
    [name] = world.runtime.started
    job = world.runtime.jobs[name]
    [attempt] = (await world.recording()).attempts
    assert name == f"rec-{recording.recording_id}-1"
    assert hash_token(job.report_token.get_secret_value()) == attempt.token_hash
    assert str(job.report_url) == f"http://127.0.0.1:1/v1/recordings/{recording.recording_id}/attempts/1/reports"
    prefix = recording.blob_prefix
    expected = [*(blob for part in range(1, 5) for blob in part_blobs(prefix, 1, part)), *recording_blobs(prefix, 1)]
    assert [grant.blob for grant in job.grants] == expected
    assert (job.task, job.salvage) == ("record", ())
    assert attempt.runtime == {"id": 1}


async def test_the_intent_is_stored_before_anything_is_started(words):
    seen = []

    class Watched(FakeRuntime):
        async def start(self, spec, job):
            [recording] = await world.store.active()
            seen.append([(attempt.name, attempt.state) for attempt in recording.attempts])
            return await super().start(spec, job)

    world = World(words, Watched())
    recording = await world.live()
    await world.turn()
    assert seen == [[(f"rec-{recording.recording_id}-1", "created")]]


async def test_it_wakes_at_once(words):
    world = World(words, FakeRuntime())
    stop = asyncio.Event()
    running = asyncio.create_task(world.reconciler.run(stop))
    await asyncio.sleep(0)
    began = asyncio.get_running_loop().time()
    await world.live()
    async with asyncio.timeout(1):
        while not world.runtime.started:
            await asyncio.sleep(0.001)
    assert asyncio.get_running_loop().time() - began < 0.2
    stop.set()
    await running


async def test_a_hundred_lives_at_once_are_each_recorded_once(world):
    await asyncio.gather(*(world.live(room=str(room)) for room in range(1, 101) for _ in range(3)))
    await world.turn()
    await world.turn()
    assert len(world.runtime.started) == len(set(world.runtime.started)) == 100


async def test_a_finished_recorder_may_leave_by_itself_and_is_then_cleaned_up(world):
    await world.live()
    await world.turn()
    await world.report("recording", world.words.part())
    await world.end()
    await world.report("done", world.words.part(state="closed"), outcome="ended")
    await world.turn()
    assert await world.attempts() == [("done", False)]
    world.runtime.exit(world.runtime.started[0])
    await world.turn()
    assert await world.attempts() == [("done", True)]
    assert await world.store.active() == []


async def test_what_a_dead_recorder_left_is_the_next_ones_to_close(world):
    await world.live()
    await world.turn()
    await world.report("recording", world.words.part(1, "closed"), world.words.part(2))
    world.runtime.exit(world.runtime.started[0], 137)
    await world.turn()
    await world.turn(1)
    recording, job = await world.recording(), world.runtime.jobs[world.runtime.started[1]]
    assert (job.task, job.attempt) == ("record", 2)
    assert [(part.attempt, part.part, part.known is None) for part in job.salvage] == [
        (1, 2, False), (1, 3, True), (1, 4, True), (1, 5, True),
    ]  # fmt: skip
    granted = {grant.blob for grant in job.grants}
    assert {blob for part in job.salvage for blob in (part.blob, part.index_blob)} <= granted
    assert job.salvage[0].blob == part_blobs(recording.blob_prefix, 1, 2).media


async def test_when_the_live_is_over_a_recorder_is_started_for_what_was_left_open(world):
    await world.live()
    await world.turn()
    await world.report("recording", world.words.part(1))
    await world.end()
    world.runtime.exit(world.runtime.started[0], 137)
    await world.turn()
    await world.turn(1)
    job = world.runtime.jobs[world.runtime.started[1]]
    assert (job.task, [part.part for part in job.salvage]) == ("salvage", [1, 2, 3, 4])
    blobs = {grant.blob.rpartition("/")[2] for grant in job.grants}
    assert {"a1-p1.mp4", "a1-p1.index", "a2.log", "recording.json"} <= blobs
    assert not [blob for blob in blobs if blob.startswith("a2-p")]
    closed = Salvaged(attempt=1, part=1, report=world.words.part(1, "closed", 1200))
    await world.report("done", outcome="ended", salvaged=(closed, Salvaged(attempt=1, part=2)))
    world.runtime.exit(world.runtime.started[1])
    await world.turn()
    recording = await world.recording()
    assert (recording.state, recording.settled, recording.trouble) == ("completed", True, None)
    assert len(world.runtime.started) == 2


async def test_a_finished_recorder_that_stays_is_deleted(world):
    await world.live()
    await world.turn()
    await world.end()
    await world.report("done", outcome="ended")
    await world.turn(POLICY.exit_grace + 1)
    assert world.runtime.running == {}
    assert (await world.recording()).settled


async def test_a_dead_recorder_is_replaced(words):
    world = World(words, DyingRuntime(looks=0))
    await world.live()
    await world.turn()
    await world.turn()
    assert await world.attempts() == [("lost", True)]
    await world.turn(2)
    assert len(world.runtime.started) == 2
    assert "code 137" in ((await world.recording()).attempts[0].reason or "")


async def test_recorders_that_never_run_end_in_a_failure_with_its_reason(words):
    world = World(words, NeverStartsRuntime())
    await world.live()
    for _ in range(12):
        await world.turn(5)
    recording = await world.recording()
    assert (recording.state, recording.settled, len(recording.attempts)) == ("failed", True, 3)
    assert "disappeared" in (recording.failure or "")


async def test_a_refused_start_is_tried_again_later(words):
    world = World(words, RejectingRuntime(times=2))
    await world.live()
    await world.turn()
    assert await world.attempts() == [("lost", True)]
    assert (await world.recording()).state == "recovering"
    for _ in range(4):
        await world.turn(3)
    assert len(world.runtime.started) == 1
    assert len((await world.recording()).attempts) == 3


async def test_a_start_whose_answer_is_lost_is_found_by_its_name(words):
    world = World(words, LostAnswerRuntime())
    await world.live()
    await world.turn()
    await world.turn()
    assert len(world.runtime.started) == 1
    [attempt] = (await world.recording()).attempts
    assert (attempt.state, attempt.runtime) == ("running", {"id": 1})


async def test_an_intent_that_was_never_carried_out_is_lost_and_replaced(world):
    recording = await world.live()
    await world.ledger.change(recording.recording_id, lambda r, now: on_attempt_planned(r, "hash", now, POLICY))
    await world.turn()
    assert await world.attempts() == [("lost", True)]
    await world.turn(2)
    assert len(world.runtime.started) == 1


async def test_a_slow_start_holds_up_nobody_and_is_not_doubled(words):
    world = World(words, SlowRuntime(0.2))
    await world.live(room="1")
    await world.reconciler.full_pass()
    await asyncio.sleep(0)
    await world.live(room="2")
    await world.reconciler.full_pass()
    await world.reconciler.full_pass()
    await world.reconciler.idle(5)
    await world.turn()
    assert len(world.runtime.started) == 2


async def test_a_silent_recorder_is_stopped_then_replaced(world):
    await world.live()
    await world.turn()
    await world.report("recording", world.words.part(duration=60))
    for _ in range(4):
        await world.turn(20)
    assert world.runtime.stopped == [world.runtime.started[0]]
    assert [state for state, _ in await world.attempts()] == ["lost", "running"]


async def test_recorders_get_time_to_be_heard_after_the_machine_slept(world):
    await world.live()
    await world.turn()
    await world.report("recording", world.words.part())
    await world.turn(3600)
    assert await world.attempts() == [("running", False)]


async def test_a_restarted_orchestrator_adopts_what_runs(world, words):
    await world.live()
    await world.turn()
    await world.report("recording", world.words.part())
    world.clock.advance(3600)
    again = World(words, world.runtime, world.store)
    await again.turn()
    assert await again.attempts() == [("running", False)]
    assert len(world.runtime.started) == 1


async def test_what_nobody_owns_is_reaped(world):
    stray = RuntimeHandle(name="rec-stray-1", state={"id": 99})
    world.runtime.running[stray.name] = stray
    await world.live()
    await world.turn()
    await world.turn()
    assert list(world.runtime.running) == world.runtime.started


async def test_what_nobody_owns_is_left_and_named_when_reaping_is_off(words):
    world = World(words, FakeRuntime(), reap=False)
    world.runtime.running["rec-stray-1"] = RuntimeHandle(name="rec-stray-1", state={"id": 99})
    await world.turn()
    assert list(world.runtime.running) == ["rec-stray-1"]
    assert world.runtime.deleted == []


async def test_a_deletion_that_takes_a_while_is_no_failure(words):
    world = World(words, LingeringRuntime(looks=2))
    await world.live()
    await world.turn()
    await world.end()
    await world.report("done", outcome="ended")
    await world.turn(POLICY.exit_grace + 1)
    assert not (await world.recording()).settled
    assert world.reconciler.undeletable == {}
    for _ in range(3):
        await world.turn(2)
    assert (await world.recording()).settled


async def test_what_resists_deletion_is_shown_until_it_is_gone(words):
    world = World(words, UndeletableRuntime(times=2))
    world.runtime.running["rec-stray-1"] = RuntimeHandle(name="rec-stray-1", state={"id": 99})
    await world.turn()
    assert "cannot be deleted" in world.reconciler.undeletable["rec-stray-1"]
    for _ in range(4):
        await world.turn(2)
    assert world.reconciler.undeletable == {}
    assert world.runtime.running == {}


async def test_a_container_of_a_recording_that_nobody_knows_is_told_with_its_costs(world):
    recording_id, hour_ago = new_ulid(), world.clock.now() - timedelta(hours=1)
    state = {"runtime": "aci", "region": "eastus", "vcpu": 1.0, "memory_gb": 1.0, "created_at": to_rfc3339(hour_ago)}
    name = attempt_name(recording_id, 2)
    world.runtime.running[name] = RuntimeHandle(name=name, state=state)
    await world.turn()
    [told] = [event.data for event in await world.store.pending(10)]
    assert isinstance(told, ContainerReaped)
    assert (told.recording_id, told.attempt, told.name, told.runtime) == (recording_id, 2, name, "aci")
    assert told.vcpu_seconds == 3600
    assert told.estimated_cost_usd == pytest.approx(0.0405 + 0.00445)


async def test_the_intent_names_the_image_that_will_run(words):
    runtime = FakeRuntime()
    runtime.image = "x.io/recorder@sha256:1"
    world = World(words, runtime)
    await world.live()
    await world.turn()
    assert [attempt.image for attempt in (await world.recording()).attempts] == [runtime.image]


async def test_a_new_live_is_begun_while_a_pass_waits_for_a_list(words):
    class SlowList(FakeRuntime):
        listing = asyncio.Event()

        async def list(self):
            self.listing.set()
            await asyncio.Event().wait()
            return await super().list()

    world = World(words, SlowList())
    running = asyncio.create_task(world.reconciler.run(asyncio.Event()))
    async with asyncio.timeout(5):
        await world.runtime.listing.wait()
        await world.live()
        while not world.runtime.started:
            await asyncio.sleep(0)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_no_room_is_nobodys_fault(words):
    world = World(words, FullRuntime(times=POLICY.max_attempts + 2))
    await world.live()
    for _ in range(POLICY.max_attempts + 4):
        # It asks less and less often, and at least once in this time.
        await world.turn(POLICY.max_backoff)
    assert len(world.runtime.started) == 1
    recording = await world.recording()
    assert [attempt.refused for attempt in recording.attempts].count(True) == POLICY.max_attempts + 2
    assert recording.active_attempt


async def test_who_is_refused_again_and_again_asks_less_and_less_often_and_says_why(words):
    world = World(words, FullRuntime(times=100))
    await world.live()
    asked = []
    for _ in range(60):
        await world.turn(1)
        asked.append(len((await world.recording()).attempts))
    recording = await world.recording()
    assert asked[1] >= 2, "at once after the first refusal: another region may have room"
    assert len(recording.attempts) <= 9, "then after 1, 2, 4, 8 ... seconds"
    assert recording.trouble == "The region is full."


async def test_a_recording_that_must_wait_says_why_once_and_starts_when_it_may(words):
    gate = FakeAdmission("There is no room.")
    world = World(words, FakeRuntime(), admission=gate)
    await world.live()
    for _ in range(3):
        await world.turn(2)
    recording = await world.recording()
    assert (recording.state, recording.trouble, recording.attempts) == ("requested", "There is no room.", ())
    told = [event.data.model_dump()["trouble"] for event in await world.store.pending(100)]
    assert told == [None, "There is no room."]
    gate.reason = ""
    await world.turn(2)
    recording = await world.recording()
    assert (recording.state, recording.trouble) == ("starting", None)


async def test_a_live_that_was_over_before_there_was_room_says_so(words):
    world = World(words, FakeRuntime(), admission=FakeAdmission("There is no room."))
    await world.live()
    await world.turn()
    await world.end()
    recording = await world.recording()
    assert recording.state == "failed"
    assert (recording.failure or "").endswith("There is no room.")


async def test_what_must_go_goes_and_is_replaced(words):
    world = World(words, DoomingRuntime())
    await world.live()
    await world.turn()
    await world.report("recording", world.words.part(duration=60))
    world.runtime.doomed[world.runtime.started[0]] = "It is past its deadline."
    for _ in range(4):
        await world.turn(1)
    recording = await world.recording()
    first = recording.attempts[0]
    assert (first.state, first.reason) == ("lost", "It is past its deadline.")
    assert len(world.runtime.started) == 2


async def test_what_is_listed_although_it_has_ended_is_found_by_its_silence(words):
    class ListsTheDead(FakeRuntime):
        async def list(self):
            return [RuntimeHandle(name=name, state={"id": 1}) for name in self.started if name not in self.deleted]

    world = World(words, ListsTheDead())
    await world.live()
    await world.turn()
    await world.report("recording", world.words.part())
    world.runtime.exit(world.runtime.started[0], 7147)
    await world.turn(POLICY.quiet - 1)
    assert (await world.attempts())[0][0] == "running"
    await world.turn(2)
    await world.turn(2)
    assert (await world.attempts())[0] == ("lost", True)
    assert "7147" in ((await world.recording()).attempts[0].reason or "")


async def test_what_cannot_be_deleted_is_tried_until_it_can(words):
    world = World(words, UndeletableRuntime(times=3))
    await world.live()
    await world.turn()
    await world.end()
    await world.report("done", outcome="ended")
    world.clock.advance(POLICY.exit_grace + 1)
    for _ in range(2):
        await world.turn(2)
        assert not (await world.recording()).settled
    for _ in range(3):
        await world.turn(2)
    assert (await world.recording()).settled
    assert world.runtime.running == {}


async def test_a_stop_reaches_a_recording_that_waits_for_its_next_attempt(words):
    world = World(words, RejectingRuntime(times=9))
    recording = await world.live()
    await world.turn()
    await world.ledger.change(recording.recording_id, lambda r, now: on_stop_requested(r, now, POLICY))
    await world.turn(60)
    assert (await world.recording()).state == "completed"
    assert world.runtime.started == []


async def test_shutting_down_leaves_no_recorder(world):
    await world.live(room="1")
    await world.live(room="2")
    await world.turn()
    world.runtime.running["rec-stray-1"] = RuntimeHandle(name="rec-stray-1", state={"id": 99})
    await stop_recorders(world.ledger, world.runtime, 1)
    assert world.runtime.running == {}
    assert sorted(world.runtime.stopped) == sorted(world.runtime.started)
    for recording in await world.store.active():
        assert recording.state == "recovering"
        assert recording.attempts[0].gone
