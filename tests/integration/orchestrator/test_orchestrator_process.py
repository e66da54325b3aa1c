"""The orchestrator as a process, killed at every step: one recording, one recorder at a time, an end."""

from pathlib import Path

import pytest


def recording_now(orchestrator):
    recordings = orchestrator.recordings()
    return len(recordings) == 1 and recordings[0].state == "recording" and len(orchestrator.recorders()) == 1


def settled(orchestrator):
    recordings = orchestrator.recordings()
    return bool(recordings) and all(recording.settled for recording in recordings)


STEPS = [
    "requested",
    "before_start",
    "after_start",
    "attempt_running",
    "recording",
]


@pytest.mark.parametrize("step", STEPS)
def test_killed_before_or_while_recording_it_converges(orchestrator, step):
    orchestrator.start(DIE_AT=step)
    assert orchestrator.wait() == -9
    assert len(orchestrator.recorders()) <= 1

    orchestrator.start()
    orchestrator.until(lambda: recording_now(orchestrator), "recording again")
    orchestrator.end_live()
    orchestrator.until(lambda: settled(orchestrator), "completion")

    recording = orchestrator.only()
    assert recording.state == "completed"
    assert orchestrator.recorders() == []
    if step in ("after_start", "attempt_running", "recording"):
        assert len(recording.attempts) == 1, "a living recorder is adopted, not replaced"
    orchestrator.terminate()


@pytest.mark.parametrize("step", ["attempt_done", "after_delete", "completed"])
def test_killed_while_finishing_it_converges(orchestrator, step):
    orchestrator.start(DIE_AT=step)
    orchestrator.until(lambda: recording_now(orchestrator), "recording")
    orchestrator.end_live()
    assert orchestrator.wait() == -9

    orchestrator.start()
    orchestrator.until(lambda: settled(orchestrator), "completion")

    recording = orchestrator.only()
    assert recording.state == "completed"
    assert len(recording.attempts) == 1
    assert orchestrator.recorders() == []


def test_a_recorder_that_crashes_is_replaced_and_both_attempts_are_kept(orchestrator):
    orchestrator.start()
    orchestrator.until(lambda: recording_now(orchestrator), "recording")
    (orchestrator.control / "crash").touch()
    orchestrator.until(lambda: len(orchestrator.only().attempts) == 2, "a second attempt")
    orchestrator.until(lambda: recording_now(orchestrator), "recording again")
    orchestrator.end_live()
    orchestrator.until(lambda: settled(orchestrator), "completion")

    recording = orchestrator.only()
    assert [attempt.state for attempt in recording.attempts] == ["lost", "done"]
    assert "code 3" in (recording.attempts[0].reason or "")
    assert [part.state for part in recording.committed_parts] == ["closed", "closed"], "the second closed the first's"


def test_stopped_it_hears_its_recorders_out_and_leaves_no_process(orchestrator):
    orchestrator.start()
    orchestrator.until(lambda: recording_now(orchestrator), "recording")
    assert orchestrator.terminate() == 0

    recording = orchestrator.only()
    assert orchestrator.recorders() == []
    [attempt] = recording.attempts
    assert (attempt.state, attempt.outcome, attempt.gone) == ("done", "stopped", True)
    assert attempt.parts[0].state == "closed"
    assert recording.state == "recovering", "the live goes on: the next start takes it up again"

    orchestrator.start()
    orchestrator.until(lambda: recording_now(orchestrator), "recording again")
    assert len(orchestrator.only().attempts) == 2


def test_no_secret_is_written_anywhere(orchestrator):
    orchestrator.start()
    orchestrator.until(lambda: recording_now(orchestrator), "recording")
    [pid] = orchestrator.recorders()
    environ = Path(f"/proc/{pid}/environ").read_bytes()
    command = Path(f"/proc/{pid}/cmdline").read_bytes()
    orchestrator.terminate()
    assert b"AccountKey" not in environ
    assert b"sig=" not in environ + command
    assert b"WENTLIVE_ORCHESTRATOR" not in environ
    log = (orchestrator.folder / "orchestrator.log").read_text()
    assert "Eby8vdM02x" not in log
    assert "sig=" not in log
