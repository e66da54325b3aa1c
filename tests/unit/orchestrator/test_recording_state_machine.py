"""Whatever happens in whatever order: one recorder at a time, an end that is final, and always a way on."""

from datetime import UTC, datetime, timedelta
from itertools import takewhile

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from wentlive_common.events import (
    BroadcastEnded,
    BroadcastPaused,
    BroadcastWentLive,
    ContainerData,
    RecordingData,
)
from wentlive_common.ids import new_ulid
from wentlive_common.job import PartReport, Report, Salvaged
from wentlive_orchestrator import domain

POLICY = domain.Policy(max_attempts=3, ended_silence=90, ended_grace=20)
PRICES = domain.PriceTable()
RUNTIME = {"runtime": "aci", "region": "eastus", "vcpu": 1, "memory_gb": 1.5, "priority": "spot", "more": "of its own"}
START = datetime(2026, 5, 1, tzinfo=UTC)
STATES = ("requested", "starting", "recording", "recovering", "finishing", "completed", "failed")


class RecordingMachine(RuleBasedStateMachine):
    @initialize()
    def begin(self):
        self.now = START
        self.watcher = 1
        self.events = []
        self.containers = []
        change = domain.open_recording(new_ulid(), self.seen(BroadcastWentLive, 1))
        self.recording = change.recording
        self.events += change.events
        self.finished_with = None

    @property
    def ends(self):
        return [event for event in self.events if event.TYPE in ("recording.completed", "recording.failed")]

    @property
    def retries(self):
        return [event for event in self.events if event.TYPE == "recording.recovering"]

    def seen(self, kind, sequence):
        return kind(creator_id="7", room_id="42", handle="ann", sequence=sequence, at=self.now)

    def keep(self, change):
        told = [event for event in change.events if isinstance(event, RecordingData)]
        self.containers += [event for event in change.events if isinstance(event, ContainerData)]
        if self.recording.terminal:
            assert not told, "nothing is told after the end but of containers"
            assert change.recording.state == self.recording.state
            assert change.recording.sequence == self.recording.sequence
        self.recording = change.recording
        self.events += told

    @rule(kind=st.sampled_from([BroadcastWentLive, BroadcastPaused]), back=st.integers(0, 3))
    def seen_live(self, kind, back):
        seen = self.seen(kind, max(1, self.watcher - back))
        self.keep(domain.on_broadcast_seen(self.recording, seen, self.now, POLICY))

    @rule()
    def watcher_sees_a_change(self):
        self.watcher += 1
        self.seen_live(BroadcastWentLive, 0)

    @rule(back=st.integers(-1, 2))
    def ended(self, back):
        self.watcher = max(self.watcher, self.watcher - back)
        seen = self.seen(BroadcastEnded, max(1, self.watcher - back))
        self.keep(domain.on_broadcast_ended(self.recording, seen, self.now, POLICY))

    @rule()
    def stop(self):
        self.keep(domain.on_stop_requested(self.recording, self.now, POLICY))

    @rule(late=st.sampled_from([0, 0, 1, 3]))
    def retried(self, late):
        """The wish comes twice, and perhaps after what it was for."""
        before, wanted = self.recording, max(1, self.recording.sequence - late)
        change = domain.on_retry_requested(before, wanted, self.now, POLICY)
        again = domain.on_retry_requested(change.recording, wanted, self.now, POLICY)
        assert again == domain.Change(change.recording), "told twice, it is done once"
        if not change.events:
            assert change.recording is before
            return
        assert before.terminal
        assert wanted == before.sequence
        self.recording = change.recording
        self.events += change.events
        assert not self.recording.terminal
        assert self.recording.failure is None
        assert domain.attempt_due(self.recording, self.now, POLICY), "a person does not wait for delays of before"

    @rule(seconds=st.sampled_from([0.5, 3, 25, 100]))
    def time_passes(self, seconds):
        self.now += timedelta(seconds=seconds)
        self.keep(domain.on_time(self.recording, self.now, POLICY))

    @rule(answered=st.booleans())
    def start(self, answered):
        before = len(self.recording.attempts)
        self.keep(domain.on_attempt_planned(self.recording, "hash", self.now, POLICY))
        if answered and len(self.recording.attempts) > before:
            self.started(before + 1)

    @rule(number=st.integers(1, 4))
    def started(self, number):
        self.keep(domain.on_attempt_started(self.recording, number, RUNTIME, self.now))

    @precondition(lambda self: self.recording.attempts)
    @rule(
        data=st.data(),
        state=st.sampled_from(["connecting", "recording", "finishing", "done"]),
        outcome=st.sampled_from(["ended", "stopped", "failed", "fenced", None]),
        step=st.integers(-1, 2),
    )
    def report(self, data, state, outcome, step):
        attempt = data.draw(st.sampled_from(self.recording.attempts))
        parts = data.draw(st.lists(part_reports(), max_size=3, unique_by=lambda part: part.part))
        report = Report(
            sequence=max(1, attempt.report_sequence + step), at=self.now, state=state,
            outcome=outcome if state == "done" else None, parts=tuple(parts),
            salvaged=tuple(data.draw(st.lists(salvages(), max_size=2))),
        )  # fmt: skip
        self.keep(domain.on_report(self.recording, attempt.number, report, self.now, POLICY))

    @rule(number=st.integers(1, 4))
    def lost(self, number):
        self.keep(domain.on_attempt_lost(self.recording, number, "it died", self.now, POLICY))

    @rule()
    def refused(self):
        last = self.recording.last_attempt
        if last and last.state == "created" and last.runtime is None:
            lost = domain.on_attempt_lost(self.recording, last.number, "no room", self.now, POLICY, refused=True)
            self.keep(lost)
            again = domain.attempt_due(self.recording, self.now, POLICY)
            assert not again or self.recording.refusals == 1, "whoever is refused twice waits before asking again"

    @rule(number=st.integers(1, 4))
    def gone(self, number):
        self.keep(domain.on_attempt_gone(self.recording, number, self.now, PRICES))

    @rule(number=st.integers(1, 4))
    def reaped(self, number):
        self.keep(domain.on_attempt_reaped(self.recording, number, RUNTIME, "nobody's", self.now, PRICES))

    @rule(reason=st.sampled_from(["no room", "no money"]))
    def held_up(self, reason):
        self.keep(domain.on_start_held_up(self.recording, reason))
        if domain.attempt_due(self.recording, self.now, POLICY):
            assert self.recording.trouble == reason, "who waits can see for what"

    @invariant()
    def one_recorder_at_a_time_and_it_is_the_last(self):
        active = [attempt for attempt in self.recording.attempts if attempt.active]
        assert len(active) <= 1
        assert not active or active[0] is self.recording.attempts[-1]
        assert not (self.recording.terminal and active)

    @invariant()
    def numbers_grow_without_a_gap(self):
        assert [event.sequence for event in self.events] == list(range(1, self.recording.sequence + 1))
        assert [a.number for a in self.recording.attempts] == list(range(1, len(self.recording.attempts) + 1))

    @invariant()
    def an_end_is_told_once_and_last_with_its_reason_until_it_is_tried_again(self):
        ends, retries = self.ends, self.retries
        assert len(ends) == len(retries) + self.recording.terminal
        assert [end.sequence + 1 for end in ends[: len(retries)]] == [event.sequence for event in retries]
        if self.recording.terminal:
            assert self.events[-1] is ends[-1]
            assert ends[-1].state == self.recording.state
        if self.recording.state == "failed":
            assert self.recording.failure

    @invariant()
    def each_part_opens_before_it_closes_and_does_both_once(self):
        opened, closed = [], []
        for event in self.events:
            if event.TYPE == "recording.part_opened":
                opened.append((event.attempt, event.part.part))
            elif event.TYPE in ("recording.part_closed", "recording.progressed"):
                key = (event.attempt, event.part.part)
                assert key in opened
                assert key not in closed
                if event.TYPE == "recording.part_closed":
                    closed.append(key)
        assert len(opened) == len(set(opened))

    @invariant()
    def each_container_is_told_once_and_its_bill_never_shrinks(self):
        created, billed = set(), {}
        for event in self.containers:
            if event.TYPE == "container.created":
                assert event.attempt not in created
                created.add(event.attempt)
                continue
            assert event.TYPE == "container.reaped" or event.attempt in created - billed.keys()
            assert event.estimated_cost_usd >= billed.get(event.attempt, 0)
            billed[event.attempt] = event.estimated_cost_usd
        for attempt in self.recording.attempts:
            assert (attempt.bill.usd if attempt.bill else None) == billed.get(attempt.number)

    @invariant()
    def it_ends_only_when_its_parts_are_closed_or_given_up(self):
        recording = self.recording
        if recording.terminal and recording.has_open_parts:
            assert len(recording.salvages) >= POLICY.salvage_attempts
        assert len(recording.salvages) <= POLICY.salvage_attempts
        if recording.terminal:
            assert self.ends[-1].trouble == recording.left_open

    @invariant()
    def it_gives_up_after_so_many_attempts_since_it_was_tried_again(self):
        counted = [attempt for attempt in self.recording.counted if attempt.task == "record" and not attempt.refused]
        fruitless = list(takewhile(lambda attempt: not attempt.parts and attempt.outcome != "stopped", counted[::-1]))
        assert len(fruitless) <= POLICY.max_attempts

    @invariant()
    def salvage_is_for_what_is_over(self):
        for attempt in self.recording.attempts:
            if attempt.task == "salvage":
                assert attempt.number > 1
                assert not attempt.parts or attempt.report_sequence

    @invariant()
    def it_can_go_on(self):
        """Somebody records, somebody will be started, or time alone leads on."""
        recording = self.recording
        if recording.terminal or recording.active_attempt:
            return
        later = self.now + timedelta(seconds=200)
        change = domain.on_time(recording, later, POLICY)
        assert change.recording.terminal or domain.attempt_due(change.recording, later, POLICY)

    @invariant()
    def it_fits_its_schema_and_the_store(self):
        recording = self.recording
        assert recording.state in STATES
        assert domain.Recording.model_validate_json(recording.model_dump_json(exclude_none=True)) == recording

    def teardown(self):
        """With every recorder dying and the watcher gone, it ends; and once more when the live came back since."""
        if not hasattr(self, "recording"):
            return
        self.run_out()
        self.watcher_sees_a_change()
        self.retried(0)
        self.run_out()
        self.an_end_is_told_once_and_last_with_its_reason_until_it_is_tried_again()
        self.it_gives_up_after_so_many_attempts_since_it_was_tried_again()
        self.it_ends_only_when_its_parts_are_closed_or_given_up()

    def run_out(self):
        for _ in range(200):
            if self.recording.terminal:
                return
            self.time_passes(100)
            self.start(answered=True)
            self.lost(len(self.recording.attempts))
        raise AssertionError("it never ends")


@st.composite
def part_reports(draw):
    number = draw(st.integers(1, 3))
    size = draw(st.sampled_from([0, 10, 1000, 5000]))
    return PartReport(
        part=number, state=draw(st.sampled_from(["open", "closed"])), blob=f"p{number}.mp4",
        index_blob=f"p{number}.index", opened_at=START, committed_at=draw(st.sampled_from([None, START])),
        bytes=size, duration=size / 50,
    )  # fmt: skip


@st.composite
def salvages(draw):
    closed = draw(part_reports()).model_copy(update={"state": "closed", "committed_at": START})
    outcome = draw(st.sampled_from(["closed", "hopeless", "nothing"]))
    return Salvaged(
        attempt=draw(st.integers(1, 4)), part=closed.part, report=closed if outcome == "closed" else None,
        problem="broken" if outcome == "hopeless" else None,
    )  # fmt: skip


TestRecordingMachine = RecordingMachine.TestCase
TestRecordingMachine.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
