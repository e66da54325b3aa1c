"""Each rule of the state machine, one by one."""

import pytest
from wentlive_common.capture import Quality
from wentlive_common.events import BroadcastPaused, RecordingData, RecordingFailed
from wentlive_common.ids import new_ulid
from wentlive_common.job import Salvaged
from wentlive_orchestrator.domain import (
    Change,
    Policy,
    PriceTable,
    accepts,
    attempt_due,
    command_for,
    on_attempt_gone,
    on_attempt_lost,
    on_attempt_planned,
    on_attempt_started,
    on_broadcast_ended,
    on_broadcast_seen,
    on_report,
    on_retry_requested,
    on_stop_requested,
    on_time,
    open_recording,
    overdue,
)
from wentlive_orchestrator.domain.decisions import MOST_RETRIED


class Story:
    """A recording and everything told of it, moved on by what happens."""

    def __init__(self, words, policy=None):
        self.words = words
        self.clock = words.clock
        self.policy = policy or Policy()
        self.recording, opening = open_recording(new_ulid(), words.live())
        self.told: list[RecordingData] = []
        self._keep(Change(self.recording, opening))

    def _keep(self, change):
        self.recording = change.recording
        self.told += [event for event in change.events if isinstance(event, RecordingData)]
        return self

    @property
    def state(self):
        return self.recording.state

    @property
    def kinds(self):
        return [event.TYPE.removeprefix("recording.") for event in self.told]

    def live(self, sequence=1):
        return self._keep(on_broadcast_seen(self.recording, self.words.live(sequence), self.clock.now(), self.policy))

    def ended(self, sequence=2):
        return self._keep(on_broadcast_ended(self.recording, self.words.ended(sequence), self.clock.now(), self.policy))

    def stop(self):
        return self._keep(on_stop_requested(self.recording, self.clock.now(), self.policy))

    def retry(self, of=None):
        of = of or self.recording.sequence
        return self._keep(on_retry_requested(self.recording, of, self.clock.now(), self.policy))

    def attempt(self):
        self._keep(on_attempt_planned(self.recording, "hash", self.clock.now(), self.policy))
        number = len(self.recording.attempts)
        return self._keep(on_attempt_started(self.recording, number, {"pid": 1}, self.clock.now()))

    def report(self, state="recording", *parts, outcome=None, reason=None, number=None, sequence=None, salvaged=()):
        number = number or len(self.recording.attempts)
        attempt = self.recording.attempt(number)
        assert attempt is not None
        sequence = sequence or attempt.report_sequence + 1
        report = self.words.report(sequence, state, *parts, outcome=outcome, reason=reason, salvaged=salvaged)
        return self._keep(on_report(self.recording, number, report, self.clock.now(), self.policy))

    def lost(self, reason="it died"):
        return self._keep(
            on_attempt_lost(self.recording, len(self.recording.attempts), reason, self.clock.now(), self.policy)
        )

    def later(self, seconds):
        self.clock.advance(seconds)
        return self._keep(on_time(self.recording, self.clock.now(), self.policy))

    @property
    def due(self):
        return attempt_due(self.recording, self.clock.now(), self.policy)

    def command(self, number=None):
        attempt = self.recording.attempt(number or len(self.recording.attempts))
        assert attempt is not None
        return command_for(self.recording, attempt, self.clock.now(), self.policy)


@pytest.fixture
def story(words):
    return Story(words)


def test_the_plain_story_from_live_to_completed(story, words):
    assert (story.state, story.due) == ("requested", True)
    assert story.attempt().state == "starting"
    assert story.report("connecting").state == "starting"
    assert story.report("recording", words.part()).state == "recording"
    story.later(2)
    story.report("recording", words.part(size=2000))
    assert story.ended().state == "finishing"
    assert story.command() == "continue", "it drains what is left"
    story.report("done", words.part(state="closed", size=2100, duration=60.5), outcome="ended")
    assert story.state == "completed"
    assert story.kinds == ["requested", "started", "part_opened", "progressed", "part_closed", "completed"]
    assert [event.sequence for event in story.told] == [1, 2, 3, 4, 5, 6]
    completed = story.told[-1]
    assert (completed.parts, completed.bytes, completed.duration) == (1, 2100, 60.5)
    assert completed.ended_at == story.recording.broadcast_ended_at


def test_repeats_change_nothing_but_the_sign_of_life(story):
    before = story.recording
    story.clock.advance(60)
    story.live(sequence=1)
    assert story.recording.live_seen_at > before.live_seen_at
    assert story.recording.model_copy(update={"live_seen_at": before.live_seen_at}) == before
    assert story.kinds == ["requested"]


def test_a_late_went_live_does_not_open_an_ended_broadcast_but_a_newer_one_does(story, words):
    story.attempt().report("recording", words.part()).ended(sequence=3)
    assert story.live(sequence=2).state == "finishing"
    assert story.live(sequence=4).state == "recording"


def test_an_end_that_is_older_than_what_is_known_is_ignored(story):
    story.attempt().live(sequence=5).ended(sequence=4)
    assert story.recording.broadcast_open


def test_a_pause_keeps_it_open(story, words):
    story.attempt().report("recording", words.part())
    paused = BroadcastPaused(creator_id="7", room_id="42", handle="ann", sequence=2, at=story.clock.now())
    story._keep(on_broadcast_seen(story.recording, paused, story.clock.now(), story.policy))
    assert story.state == "recording"
    assert story.recording.broadcast_sequence == 2


def test_an_end_that_only_the_recorder_saw_is_believed_after_a_silence(story, words):
    story.attempt().report("recording", words.part()).report("done", words.part(state="closed"), outcome="ended")
    assert story.state == "finishing"
    assert not story.due
    assert story.later(89).state == "finishing"
    assert story.later(1).state == "completed"


def test_the_watcher_confirms_the_end_at_once(story, words):
    story.attempt().report("recording", words.part()).report("done", words.part(state="closed"), outcome="ended")
    assert story.ended().state == "completed"


def test_a_watcher_who_says_live_after_the_grace_gets_a_new_attempt(story, words):
    story.attempt().report("recording", words.part(duration=100)).report("done", outcome="ended")
    story.clock.advance(15)
    assert story.live().state == "finishing", "what it saw may be a moment old"
    story.clock.advance(60)
    assert story.live().state == "recovering"
    assert story.due
    assert story.attempt().recording.active_attempt.number == 2


def test_recorders_that_keep_seeing_an_end_are_bounded(words):
    story = Story(words, Policy(max_attempts=3))
    for _ in range(3):
        story.attempt().report("done", outcome="ended", reason="offline")
        story.clock.advance(61)
        story.live()
    assert story.state == "failed"
    assert story.recording.failure is not None
    assert "3 attempts" in story.recording.failure
    assert "offline" in story.recording.failure


def test_a_lost_attempt_is_replaced_with_a_growing_delay(words):
    story = Story(words, Policy(max_attempts=4, backoff=1, max_backoff=60))
    delays = []
    while not story.recording.terminal:
        story.attempt().lost()
        waited = 0
        while story.state == "recovering" and not story.due:
            story.later(0.5)
            waited += 0.5
        delays.append(waited)
    assert delays[:3] == [1, 2, 4]
    assert story.state == "failed"
    failed = story.told[-1]
    assert isinstance(failed, RecordingFailed)
    assert "Gave up after 4 attempts. The last recorder said: it died" in failed.reason


def test_what_keeps_recorders_from_recording_is_told_until_one_records(words):
    story = Story(words).attempt()
    story.report("connecting").report("done", outcome="failed", reason="The stream is not FLV.")
    story.clock.advance(2)
    story.attempt().report("connecting")
    assert (story.told[-1].state, story.told[-1].trouble) == ("recovering", "The stream is not FLV.")
    story.report("recording", words.part())
    assert story.told[-1].trouble is None


def test_a_fruitful_attempt_is_replaced_at_once_and_not_held_against_it(words):
    story = Story(words, Policy(max_attempts=2))
    for _ in range(5):
        story.attempt().report("recording", words.part(duration=31)).lost()
        assert (story.state, story.due) == ("recovering", True)


def test_lost_after_the_end_it_is_completed_with_what_there_is(story, words):
    story.attempt().report("recording", words.part(state="closed", size=7)).ended().lost()
    assert story.state == "completed"
    assert story.told[-1].bytes == 7


@pytest.mark.parametrize("begun", [False, True])
def test_over_with_nothing_recorded_it_fails_and_says_why(story, begun):
    if begun:
        story.attempt().report("connecting").ended().lost("it could not connect")
        assert "it could not connect" in story.recording.failure
    else:
        story.ended()
        assert "before a recorder could start" in story.recording.failure
    assert story.state == "failed"
    assert story.told[-1].reason == story.recording.failure


def test_a_stop_finishes_although_the_live_goes_on(story, words):
    story.attempt().report("recording", words.part())
    assert story.stop().state == "finishing"
    assert story.command() == "finish"
    assert story.report("done", words.part(state="closed"), outcome="stopped").state == "completed"
    assert story.live(sequence=9).state == "completed"
    assert not story.due


def test_a_stop_before_anything_runs_completes_at_once(story):
    assert story.stop().state == "completed"
    assert story.told[-1].parts == 0


def test_a_recorder_stopped_with_the_orchestrator_is_followed_by_another(words):
    story = Story(words, Policy(max_attempts=2))
    for _ in range(4):
        story.attempt().report("recording", words.part(duration=1)).report("done", outcome="stopped")
        assert (story.state, story.due) == ("recovering", True)


def test_a_recorder_that_drains_too_long_is_told_to_finish_then_given_up(story, words):
    story.attempt().report("recording", words.part()).ended()
    since = story.clock.now()
    story.clock.advance(59)
    assert story.command() == "continue"
    story.clock.advance(1)
    assert story.command() == "finish"
    for _ in range(3):
        story.clock.advance(19)
        story.report("recording")
        assert not overdue(story.recording, story.recording.attempts[0], story.clock.now(), since, story.policy)
    story.clock.advance(10)
    assert "finish" in overdue(story.recording, story.recording.attempts[0], story.clock.now(), since, story.policy)


def test_silence_counts_only_while_somebody_listened(story):
    story.attempt().report("connecting")
    attempt = story.recording.attempts[0]
    now = story.clock.advance(3600)
    assert overdue(story.recording, attempt, now, now, story.policy) == ""
    assert "60 s" in overdue(story.recording, attempt, now, attempt.heard_at, story.policy)


def test_a_lost_recorder_is_told_to_leave_but_what_it_committed_is_kept(story, words):
    story.attempt().report("recording", words.part()).lost()
    story.clock.advance(5)
    story.attempt().report("recording", number=2)
    story.report("recording", words.part(2, "closed"), number=1)
    assert story.command(1) == "abandon"
    assert [part.part for part in story.recording.attempts[0].parts] == [1, 2]
    assert story.kinds[-2:] == ["part_opened", "part_closed"]
    assert story.recording.active_attempt.number == 2


def test_terminal_is_final_for_late_reports_too(story, words):
    story.attempt().report("recording", words.part(state="closed")).ended().lost()
    before = story.recording
    report = words.report(9, "recording", words.part(2))
    assert not accepts(story.recording, story.recording.attempts[0], report)
    story.report("recording", words.part(2))
    assert story.recording == before


@pytest.mark.parametrize("sequence", [2, 3])
def test_a_repeated_last_report_is_answered_and_changes_nothing(story, words, sequence):
    story.attempt().report("recording", words.part(state="closed")).ended().report("done", outcome="ended")
    before, told = story.recording, len(story.told)
    assert accepts(story.recording, story.recording.attempts[0], words.report(sequence, "done", outcome="ended"))
    story.report("done", outcome="ended", sequence=sequence)
    assert (story.recording, len(story.told)) == (before, told)


def test_a_second_start_of_a_finished_attempt_is_refused(story, words):
    story.attempt().report("recording", words.part()).report("done", outcome="ended")
    assert story.state == "finishing"
    for sequence in (1, 9):
        assert not accepts(story.recording, story.recording.attempts[0], words.report(sequence, "connecting"))


def test_parts_are_told_once_and_progress_in_measure(story, words):
    story.attempt().report("recording", words.part(committed=False))
    assert story.kinds == ["requested", "started"], "nothing to watch yet"
    story.report("recording", words.part())
    for size in (1100, 1200, 1300):
        story.clock.advance(0.4)
        story.report("recording", words.part(size=size))
    assert story.kinds.count("progressed") == 0
    story.clock.advance(0.4)
    story.report("recording", words.part(size=1400))
    assert story.kinds.count("progressed") == 1
    story.report("recording", words.part(state="closed", size=1400), words.part(2))
    story.report("recording", words.part(), words.part(2, size=900))
    assert story.kinds.count("part_closed") == 1
    assert story.kinds.count("part_opened") == 2
    assert [(part.state, part.bytes) for part in story.recording.committed_parts] == [
        ("closed", 1400),
        ("open", 1000),
    ]


def test_an_old_report_that_comes_late_is_ignored(story, words):
    story.attempt().report("recording", words.part(size=5000)).report("recording")
    story.report("connecting", sequence=1)
    assert story.state == "recording"


def test_it_is_settled_only_when_every_recorder_is_gone(story, words):
    story.attempt().report("recording", words.part(state="closed")).ended().lost()
    assert story.recording.terminal
    assert not story.recording.settled
    story._keep(on_attempt_gone(story.recording, 1, story.clock.now(), PriceTable()))
    assert story.recording.settled


def test_a_recorder_that_reports_before_its_start_was_stored_is_known(story, words):
    story._keep(on_attempt_planned(story.recording, "hash", story.clock.now(), story.policy))
    story.report("recording", words.part())
    assert story.recording.attempts[0].state == "running"
    story._keep(on_attempt_started(story.recording, 1, {"pid": 4}, story.clock.now()))
    assert story.recording.attempts[0].runtime == {"pid": 4}


def salvaged(words, part=1, attempt=1, problem=None, duration=40):
    return Salvaged(
        attempt=attempt,
        part=part,
        report=None if problem else words.part(part, "closed", 1500, duration),
        problem=problem,
    )


def test_the_next_recorder_closes_what_the_last_one_left(story, words):
    story.attempt().report("recording", words.part(duration=40)).lost().attempt()
    assert story.recording.last_attempt.task == "record"
    story.report("recording", salvaged=(salvaged(words),))
    assert story.told[-1].TYPE == "recording.part_closed"
    assert (story.told[-1].attempt, story.told[-1].part.bytes) == (1, 1500)
    told = len(story.told)
    story.report("recording", salvaged=(salvaged(words),))
    assert len(story.told) == told, "told once"
    assert not story.recording.has_open_parts


@pytest.mark.parametrize("over", ["ended", "stop"])
def test_over_with_open_parts_it_is_completed_once_they_are_closed(story, words, over):
    story.attempt().report("recording", words.part())
    getattr(story, over)().lost()
    assert (story.state, story.due) == ("finishing", True)
    story.attempt()
    assert (story.state, story.recording.last_attempt.task) == ("finishing", "salvage")
    story.report("finishing")
    assert story.kinds.count("started") == 1, "it records nothing"
    assert story.command() == "continue"
    story.report("done", outcome="ended", salvaged=(salvaged(words),))
    assert (story.state, story.recording.trouble) == ("completed", None)
    assert story.kinds[-2:] == ["part_closed", "completed"]
    assert story.told[-1].bytes == 1500


def test_a_part_that_nobody_had_heard_of_comes_to_light(story, words):
    story.attempt().report("recording", words.part(1, "closed", duration=40)).lost().attempt()
    story.report("recording", salvaged=(salvaged(words, 2),))
    assert story.kinds[-2:] == ["part_opened", "part_closed"]
    assert len(story.recording.committed_parts) == 2


def test_what_cannot_be_closed_is_left_with_a_reason(story, words):
    story.attempt().report("recording", words.part(), words.part(2, committed=False)).ended().lost().attempt()
    report = (salvaged(words, problem="It holds no MP4."), Salvaged(attempt=1, part=2))
    story.report("done", outcome="ended", salvaged=report)
    assert story.state == "completed"
    assert story.told[-1].trouble == "Could not be finished, but play as they are: a1-p1 (It holds no MP4.)."


def test_closing_is_tried_again_ever_later_and_given_up_in_the_end(story, words):
    story.attempt().report("recording", words.part()).ended().lost()
    delays = []
    while story.state == "finishing":
        waited = 0
        while not story.due:
            waited += 5
            story.later(5)
        delays.append(waited)
        story.attempt().report("finishing").report("done", outcome="failed", reason="Storage is away.")
    assert delays == [0, 10, 20, 40, 80]
    assert story.state == "completed"
    assert story.recording.trouble == "Could not be finished, but play as they are: a1-p1 (Storage is away.)."
    assert not story.due


def test_a_failed_recording_is_closed_as_well_before_it_fails(story, words):
    for _ in range(story.policy.max_attempts):
        story.later(60).attempt().report("recording", words.part()).lost("it died")
    assert story.state == "finishing"
    story.attempt()
    everything = tuple(salvaged(words, attempt=number, duration=6) for number in range(1, 11))
    story.report("done", outcome="ended", salvaged=everything)
    assert story.state == "failed"
    assert "it died" in story.recording.failure


def test_a_live_that_goes_on_after_all_is_recorded_after_the_closing(story, words):
    story.attempt().report("recording", words.part(duration=40)).ended(2).lost().attempt()
    assert story.live(3).recording.active_attempt.task == "salvage"
    story.report("done", outcome="ended", salvaged=(salvaged(words),))
    assert (story.state, story.due) == ("recovering", True)
    assert story.attempt().recording.active_attempt.task == "record"


def test_a_salvage_that_takes_for_ever_is_given_up(story, words):
    story.attempt().report("recording", words.part()).ended().lost().attempt()
    began = story.clock.now()
    for _ in range(30):
        story.later(20).report("finishing")
    attempt = story.recording.active_attempt
    late = overdue(story.recording, attempt, story.clock.now(), began, story.policy)
    assert "did not close what was left open" in late


def test_nobody_salvages_their_own_or_a_later_attempts_part(story, words):
    story.attempt().report("recording", words.part())
    story.report("recording", salvaged=(salvaged(words, attempt=1), salvaged(words, attempt=2)))
    assert story.recording.attempts[0].parts[0].state == "open"


def test_the_quality_wished_for_is_that_of_the_attempts_to_come(words):
    story = Story(words)
    story.recording, _ = open_recording(new_ulid(), words.live(quality=Quality(max_height=480)))
    assert story.recording.quality == Quality(max_height=480)
    again = words.live(quality=Quality(audio_only=True))
    story._keep(on_broadcast_seen(story.recording, again, story.clock.now(), story.policy))
    assert story.recording.quality == Quality(audio_only=True)


def given_up(words, *parts):
    """Failed while the live goes on."""
    story = Story(words, Policy(max_attempts=2, salvage_attempts=1))
    while story.state != "failed":
        story.later(150).attempt()
        records = story.recording.attempts[-1].task == "record"
        story.report("recording", *(parts if records else ())).lost("it died")
    return story


def test_what_failed_is_tried_again_while_the_live_goes_on(words):
    story = given_up(words)
    end = story.told[-1].sequence
    assert (story.retry().state, story.due, story.recording.failure) == ("recovering", True, None)
    assert (story.kinds[-1], story.told[-1].state) == ("recovering", "recovering")
    assert story.told[-1].trouble == "it died", "what it failed of is still to be seen"
    story.attempt().report("recording", words.part())
    assert (story.state, story.recording.attempts[-1].number) == ("recording", 3)
    story.ended().report("done", words.part(state="closed"), outcome="ended")
    assert story.state == "completed"
    assert story.kinds[-5:] == ["recovering", "started", "part_opened", "part_closed", "completed"]
    assert [event.sequence for event in story.told] == list(range(1, len(story.told) + 1))
    assert story.retry(end).state == "completed", "that end is not the last any more"


def test_a_wish_told_twice_or_late_is_one(words):
    story = given_up(words)
    end = story.told[-1].sequence
    once = story.retry().recording
    assert story.retry(end).recording is once
    assert story.retry().recording is once, "what goes on is not tried again"
    story.attempt().lost().later(150).attempt().lost()
    again = story.recording
    assert story.state == "failed"
    assert story.retry(end).recording is again
    assert story.retry().state == "recovering"


def test_limits_and_delays_count_anew_from_a_retry(words):
    story = given_up(words)
    assert story.retry().attempt().lost().state == "recovering"
    assert not story.due, "after a fruitless one it waits again"
    story.later(1)
    assert story.attempt().lost("it died again").state == "failed"
    assert story.recording.failure == "Gave up after 2 attempts. The last recorder said: it died again"
    assert len(story.recording.attempts) == 4


def test_tried_again_after_its_live_was_over_it_closes_what_was_left_open(words):
    story = given_up(words, words.part())
    assert story.recording.has_open_parts
    story.ended()
    assert story.state == "failed", "an end moves nothing that is over, but is known"
    assert (story.retry().state, story.due) == ("finishing", True)
    assert story.told[-1].state == "finishing"
    assert story.attempt().recording.attempts[-1].task == "salvage"
    closed = tuple(salvaged(words, attempt=number, duration=6) for number in (1, 2))
    story.report("done", outcome="ended", salvaged=closed)
    assert (story.state, story.recording.trouble) == ("completed", None)


def test_parts_that_nobody_could_close_are_closed_again(story, words):
    story.attempt().report("recording", words.part(), words.part(2, committed=False)).ended().lost().attempt()
    story.report("done", outcome="ended", salvaged=(salvaged(words, problem="No MP4."), Salvaged(attempt=1, part=2)))
    assert story.state == "completed"
    assert story.retry().state == "finishing"
    assert [part.part for part in story.recording.attempts[0].open_parts] == [1], "what was not there stays away"
    story.attempt().report("done", outcome="ended", salvaged=(salvaged(words, problem="Still no MP4."),))
    assert story.state == "completed"
    assert "Still no MP4." in story.recording.trouble


def test_a_stopped_one_is_closed_but_not_recorded_again(story, words):
    story.attempt().report("recording", words.part()).stop().lost()
    while story.state == "finishing":
        story.later(150).attempt().lost()
    assert (story.state, story.recording.broadcast_open) == ("completed", True)
    assert story.retry().state == "finishing"
    assert story.attempt().recording.attempts[-1].task == "salvage"
    assert len(story.recording.salvages) == 1


def test_where_nothing_is_to_be_had_it_stays_as_it_is(story, words):
    story.ended()
    before = story.recording
    assert (story.state, story.retry().recording) == ("failed", before)
    assert story.kinds == ["requested", "failed"]
    story.live(3)
    assert story.state == "failed"
    assert (story.retry().state, story.due) == ("requested", True), "the live came back, and no recorder ever ran"


def test_what_is_tried_again_belongs_to_the_live_that_is_on_now(words):
    story = given_up(words)
    story.ended(5).live(4)
    assert not story.recording.broadcast_open
    story.live(6)
    assert story.retry().state == "recovering"
    assert story.ended(7).state == "failed"
    assert story.recording.failure == "The live ended before anything was recorded. The last recorder said: it died"


def test_retries_come_to_an_end_too(words):
    story = given_up(words)
    many = story.recording.attempts[-1:] * MOST_RETRIED
    story.recording = story.recording.model_copy(update={"attempts": many})
    assert story.retry().state == "failed"


def test_what_a_lost_recorder_still_reports_after_a_retry_is_kept(words):
    story = given_up(words)
    story.report("recording", words.part(), number=2)
    assert not story.recording.committed_parts, "while it is over nobody is heard"
    story.retry().report("recording", words.part(), number=2)
    assert len(story.recording.committed_parts) == 1
    assert story.command(2) == "abandon"
