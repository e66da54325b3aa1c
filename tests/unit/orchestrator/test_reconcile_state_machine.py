"""The reconciler in a world that fails at random: no container is doubled or forgotten, whatever dies at which step."""

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs
from wentlive_common.events import (
    BroadcastEnded,
    BroadcastWentLive,
    ContainerCreated,
    ContainerDeleted,
    ContainerReaped,
    RecordingCompleted,
    RecordingFailed,
    RecordingRecovering,
)
from wentlive_common.job import Outcome, PartReport, Report, Salvaged
from wentlive_orchestrator.domain import (
    Policy,
    accepts,
    attempt_due,
    command_for,
    named_attempt,
    on_broadcast_ended,
    on_report,
    on_retry_requested,
    on_stop_requested,
)
from wentlive_orchestrator.jobs import JobOffice
from wentlive_orchestrator.ledger import RecordingLedger
from wentlive_orchestrator.metrics import OrchestratorMetrics
from wentlive_orchestrator.ports import DeletionUnderWay, NoRoom, RuntimeHandle, RuntimeUnavailable, StartRefused
from wentlive_orchestrator.reconcile import Reconciler
from wentlive_orchestrator.testing import FakeAdmission, FakeGrants, FakeRuntime, InMemoryRecordings

POLICY = Policy(max_attempts=3, stop_grace=0, ended_silence=90, ended_grace=20)
STATE = {"runtime": "aci", "region": "eastus", "vcpu": 1.0, "memory_gb": 1.0, "priority": "regular"}
ROOMS = ("1", "2", "3")
CALM_TURNS = 4


TROUBLES = (
    "", "", "", "refused", "no room", "no money", "lost question", "lost answer", "late", "late", "undeletable",
    "lingering", "unlisted", "deaf",
)  # fmt: skip


def troubles():
    return st.sampled_from(TROUBLES)


class Killed(BaseException):
    """The orchestrator's process is no more. Nothing of it catches this, as nothing catches a SIGKILL."""


class Clock:
    time = datetime(2026, 5, 1, tzinfo=UTC)

    def now(self):
        return self.time

    def monotonic(self):
        return self.time.timestamp()

    async def sleep(self, seconds):
        self.time += timedelta(seconds=seconds)


class Cloud(FakeRuntime):
    """What exists, whoever asks; each operation goes wrong as it is told to."""

    def __init__(self):
        super().__init__()
        self.trouble = ""
        self.late = []
        self.came_late = set()
        self.ever = set()

    async def start(self, spec, job):
        match self.trouble:
            case "refused":
                raise StartRefused("It is refused.")
            case "no room":
                raise NoRoom("The region is full.")
            case "late":
                self.late.append(spec.name)
                self.came_late.add(spec.name)
        if self.trouble not in ("late", "lost question"):
            self.appear(spec.name)
        if self.trouble in ("late", "lost question", "lost answer"):
            raise RuntimeUnavailable("The connection broke.")
        return self.running[spec.name]

    def appear(self, name):
        assert name not in self.ever, "a name is used once"
        self.ever.add(name)
        self.running[name] = RuntimeHandle(name=name, state=STATE)

    async def stop(self, handle):
        if self.trouble != "deaf":
            await super().stop(handle)

    async def delete(self, handle):
        match self.trouble:
            case "undeletable":
                raise RuntimeUnavailable("It cannot be deleted.")
            case "lingering":
                raise DeletionUnderWay("It is not gone yet.")
        await super().delete(handle)

    async def find(self, name):
        self.check_listing()
        if name in self.exited:
            return RuntimeHandle(name=name, state=STATE)
        return await super().find(name)

    async def list(self):
        self.check_listing()
        return [RuntimeHandle(name=name, state=STATE) for name in self.existing]

    def check_listing(self):
        if self.trouble == "unlisted":
            raise RuntimeUnavailable("It cannot be listed.")

    @property
    def existing(self):
        return self.running.keys() | self.exited.keys()


class Connection:
    """A process's way to something that outlives it: after so many calls the process dies, before or after one."""

    def __init__(self, target, process):
        self._target = target
        self._process = process

    def __getattr__(self, name):
        reached = getattr(self._target, name)
        if not asyncio.iscoroutinefunction(reached):
            return reached

        async def call(*arguments):
            self._process.step()
            result = await reached(*arguments)
            self._process.step()
            return result

        return call


class Process:
    """One life of the orchestrator."""

    def __init__(self, world):
        self.alive = True
        self.fuse = None
        store: Any = Connection(world.store, self)
        runtime: Any = Connection(world.cloud, self)
        ledger = RecordingLedger(store, world.clock, POLICY)
        jobs = JobOffice(FakeGrants(world.clock.now), 3600, world.clock)
        metrics = OrchestratorMetrics(CollectorRegistry())
        self.reconciler = Reconciler(ledger, runtime, jobs, metrics, "http://o", admission=world.admission)

    def step(self):
        if self.fuse is not None:
            self.fuse -= 1
            self.alive = self.alive and self.fuse >= 0
        if not self.alive:
            raise Killed

    async def turn(self):
        await self.reconciler.full_pass()
        for _ in range(6):
            await self.reconciler.idle(5)
            self.reconciler.work_on_woken()
        await self.reconciler.idle(5)


class OrchestratorMachine(RuleBasedStateMachine):
    @initialize()
    def begin(self):
        self.runner = asyncio.Runner()
        self.clock = Clock()
        self.store = InMemoryRecordings()
        self.cloud = Cloud()
        self.admission = FakeAdmission()
        self.ledger = RecordingLedger(self.store, self.clock, POLICY)
        self.watched = dict.fromkeys(ROOMS, 0)
        self.process = Process(self)
        self.live(ROOMS[0])

    @property
    def recordings(self):
        return list(self.store._recordings.values())

    def run(self, work):
        # Every death would be written out with its traceback.
        with capture_logs():
            return self.runner.run(work)

    def change(self, recording, decide):
        return self.run(self.ledger.change(recording.recording_id, decide))

    # The world outside

    @rule(room=st.sampled_from(ROOMS))
    def live(self, room):
        self.watched[room] = max(1, self.watched[room])
        about = {"creator_id": "7", "room_id": room, "handle": "ann", "sequence": self.watched[room]}
        self.run(self.ledger.went_live(BroadcastWentLive(**about, at=self.clock.now())))

    @precondition(lambda self: self.recordings)
    @rule(data=st.data(), how=st.sampled_from(["ended", "back", "back", "stop", "retry", "retry"]))
    def changes(self, data, how):
        recording = data.draw(st.sampled_from(self.recordings))
        room = recording.broadcast.room_id
        if how == "stop":
            self.change(recording, lambda r, now: on_stop_requested(r, now, POLICY))
            return
        if how == "retry":
            self.change(recording, lambda r, now: on_retry_requested(r, recording.sequence, now, POLICY))
            return
        self.watched[room] += 1
        if how == "back":
            self.live(room)
            return
        ended = {"creator_id": "7", "room_id": room, "handle": "ann", "sequence": self.watched[room]}
        seen = BroadcastEnded(**ended, at=self.clock.now())
        self.change(recording, lambda r, now: on_broadcast_ended(r, seen, now, POLICY))

    @precondition(lambda self: self.cloud.running)
    @rule(data=st.data(), done=st.sampled_from([None, None, "ended", "failed"]), media=st.sampled_from([0, 5, 60]))
    def a_recorder_reports(self, data, done, media):
        """Any that runs, fenced ones too; it does as it is told."""
        self.report(data.draw(st.sampled_from(sorted(self.cloud.running))), done, media)

    def report(self, name, done: Outcome | None = None, media=60):
        recording_id, number = named_attempt(name) or ("", 0)
        recording = self.store._recordings[recording_id]
        attempt = recording.attempt(number)
        assert attempt, "the intent is stored before anything runs"
        command = command_for(recording, attempt, self.clock.now(), POLICY)
        told: dict[str, Outcome] = {"finish": "stopped", "abandon": "fenced"}
        done = told.get(command) or done
        salvages = attempt.task == "salvage"
        if salvages:
            # It ends by itself, in its first report here.
            done = done or "ended"
        report = Report(
            sequence=attempt.report_sequence + 1, at=self.clock.now(), state="done" if done else "recording",
            outcome=done, parts=(_part(media),) if media and not salvages else (),
            salvaged=tuple(_salvaged(recording)) if salvages and media else (),
        )  # fmt: skip
        if accepts(recording, attempt, report):
            self.change(recording, lambda r, now: on_report(r, number, report, now, POLICY))
        if done:
            self.cloud.exit(name)

    @precondition(lambda self: self.cloud.running)
    @rule(data=st.data())
    def a_recorder_dies(self, data):
        self.cloud.exit(data.draw(st.sampled_from(sorted(self.cloud.running))), 137)

    @precondition(lambda self: self.cloud.late)
    @rule()
    def a_container_comes_after_all(self):
        self.cloud.appear(self.cloud.late.pop())

    # The orchestrator

    @rule(seconds=st.sampled_from([0, 2, 15, 70]), trouble=troubles())
    def turn(self, seconds, trouble):
        """Time passes and everything is looked at once, with whatever goes wrong meanwhile."""
        self.clock.time += timedelta(seconds=seconds)
        self.cloud.trouble = trouble
        self.admission.reason = "The budget is spent." if trouble == "no money" else ""
        try:
            self.run(self.process.turn())
        except Killed:
            self.process.alive = False
        if self.process.alive and trouble not in ("unlisted", "no room"):
            due = [r for r in self.recordings if attempt_due(r, self.clock.now(), POLICY)]
            assert all(r.waiting == self.admission.reason for r in due), "begun, or told why not"
        if not self.process.alive:
            self.process = Process(self)

    @rule(calls=st.integers(0, 12), seconds=st.sampled_from([2, 15]), trouble=troubles())
    def turn_and_die(self, calls, seconds, trouble):
        """After so many calls to the store and the cloud, whatever it is at then; another takes over."""
        self.process.fuse = calls
        self.turn(seconds, trouble)
        self.process = Process(self)

    @rule()
    def calm(self):
        """Nothing fails for a while: then all is as it should be, or it is said why not."""
        self.all_comes_that_was_asked_for()
        for _ in range(CALM_TURNS):
            self.turn(15, "")
        working = {r.active_attempt.name for r in self.recordings if r.active_attempt}
        ending = {a.name for r in self.recordings for a in r.attempts if not a.gone}
        assert self.cloud.existing <= working | ending, "nothing exists that nobody owns"
        for recording in self.recordings:
            leaving = recording.last_attempt and not recording.last_attempt.gone
            assert recording.settled or recording.active_attempt or leaving or self.on_its_way(recording)

    def on_its_way(self, recording):
        """It waits for a moment that comes by itself, and if it is in trouble that can be read."""
        later = self.clock.now() + timedelta(seconds=POLICY.max_backoff)
        return recording.state == "finishing" or (attempt_due(recording, later, POLICY) and bool(recording.trouble))

    def all_comes_that_was_asked_for(self):
        while self.cloud.late:
            self.a_container_comes_after_all()

    # What is true at every moment

    @invariant()
    def a_broadcast_has_one_recording(self):
        if hasattr(self, "store"):
            rooms = Counter(recording.broadcast.room_id for recording in self.recordings)
            assert all(times == 1 for times in rooms.values())

    @invariant()
    def of_several_recorders_all_but_one_are_fenced(self):
        for recording in self.recordings if hasattr(self, "store") else ():
            running = [a for a in recording.attempts if a.name in self.cloud.running]
            assert sum(attempt.active for attempt in running) <= 1
            assert not (recording.terminal and any(attempt.active for attempt in running))

    @invariant()
    def what_is_settled_has_no_container(self):
        """But for one that is made after all, long after it was asked for; `calm` sees to those."""
        for recording in self.recordings if hasattr(self, "store") else ():
            if recording.settled:
                names = {attempt.name for attempt in recording.attempts}
                assert not names & self.cloud.existing - self.cloud.came_late

    @invariant()
    def nobody_waits_without_a_reason(self):
        for recording in self.recordings if hasattr(self, "store") else ():
            if recording.state in ("requested", "recovering") and not recording.active_attempt:
                last = recording.last_attempt
                assert recording.trouble or last is None or last.outcome
                assert not recording.waiting or recording.trouble == recording.waiting

    def teardown(self):
        """Every live ends, nothing fails any more, recorders do as they are told: nothing is left."""
        if not hasattr(self, "store"):
            return
        self.all_comes_that_was_asked_for()
        for room in ROOMS:
            if room in {recording.broadcast.room_id for recording in self.recordings}:
                self.end(room)
        for _ in range(12):
            for name in sorted(self.cloud.running):
                self.report(name)
            self.turn(70, "")
        assert self.cloud.existing == set(), "no container is left"
        assert all(recording.settled for recording in self.recordings)
        self.check_told()
        self.runner.close()

    def end(self, room):
        self.watched[room] += 1
        [recording] = [r for r in self.recordings if r.broadcast.room_id == room]
        ended = {"creator_id": "7", "room_id": room, "handle": "ann", "sequence": self.watched[room]}
        seen = BroadcastEnded(**ended, at=self.clock.now())
        self.change(recording, lambda r, now: on_broadcast_ended(r, seen, now, POLICY))

    def check_told(self):
        """An end for each recording and for each time it was tried again, and each container with its bill."""
        events = [event.data for event in self.run(self.store.pending(100_000))]
        ends = Counter(e.recording_id for e in events if isinstance(e, RecordingCompleted | RecordingFailed))
        again = Counter(e.recording_id for e in events if isinstance(e, RecordingRecovering))
        assert ends == again + Counter(recording.recording_id for recording in self.recordings)
        created = Counter(e.name for e in events if isinstance(e, ContainerCreated))
        assert all(times == 1 for times in created.values())
        billed = {a.name for r in self.recordings for a in r.attempts if a.bill}
        assert created.keys() <= billed
        assert self.cloud.ever - self.cloud.came_late <= billed
        assert billed == {e.name for e in events if isinstance(e, ContainerDeleted | ContainerReaped)}


def _salvaged(recording):
    for attempt in recording.attempts:
        for part in attempt.open_parts:
            closed = part.model_copy(update={"state": "closed"})
            yield Salvaged(attempt=attempt.number, part=part.part, report=closed)


def _part(media):
    now = datetime(2026, 5, 1, tzinfo=UTC)
    return PartReport(
        part=1, state="open", blob="p.mp4", index_blob="p.index", opened_at=now, committed_at=now, bytes=media * 1000,
        duration=media,
    )  # fmt: skip


TestOrchestratorMachine = OrchestratorMachine.TestCase
TestOrchestratorMachine.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
