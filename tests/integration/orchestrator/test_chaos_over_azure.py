"""The orchestrator killed at every step, over a simulated Azure: one finished recording, and no group left."""

import pytest

BEGINNING = ["requested", "attempt_created", "before_start", "in_start", "after_start", "attempt_running", "recording"]
AFTER_A_CRASH = ["attempt_lost", "recovering"]
ENDING = ["attempt_done", "finishing", "before_delete", "in_delete", "after_delete", "completed"]
ALWAYS = ("in_start", "recovering", "in_delete")
"""Where most can go wrong. The others are run one by one by `make test PYTEST_ARGS="-m thorough"`."""


def each(steps):
    return [pytest.param(step, marks=[] if step in ALWAYS else pytest.mark.thorough) for step in steps]


@pytest.fixture(autouse=True)
def in_azure(orchestrator, azure):
    orchestrator.azure = azure


def is_recording(orchestrator):
    recordings = orchestrator.recordings()
    if len(recordings) != 1 or recordings[0].state != "recording":
        return False
    return [group["state"] for group in orchestrator.azure.state()["groups"]].count("Running") == 1


def is_over(orchestrator):
    recordings = orchestrator.recordings()
    return bool(recordings) and all(r.settled for r in recordings) and not orchestrator.azure.state()["groups"]


def finish(orchestrator, azure):
    """The live ends, all is cleaned up, and what was done on the way was done once."""
    orchestrator.end_live()
    orchestrator.until(lambda: is_over(orchestrator), "completion, with no group left")
    recording = orchestrator.only()
    assert recording.state == "completed"
    assert recording.committed_parts
    state = azure.state()
    names = [created["name"] for created in state["created"]]
    assert len(names) == len(set(names)), "a name is used once"
    assert state["updated"] == [], "no group is created a second time"
    assert {created["tags"]["recording"] for created in state["created"]} == {recording.recording_id}
    return recording, names


@pytest.mark.parametrize("step", each(BEGINNING))
def test_killed_before_or_while_recording(orchestrator, azure, step):
    orchestrator.start(DIE_AT=step)
    assert orchestrator.wait() == -9

    orchestrator.start()
    orchestrator.until(lambda: is_recording(orchestrator), "recording again")
    recording, names = finish(orchestrator, azure)
    if step in ("after_start", "attempt_running", "recording"):
        assert len(names) == len(recording.attempts) == 1, "a group that runs is adopted, not replaced"


@pytest.mark.parametrize("step", each(AFTER_A_CRASH))
def test_killed_while_it_replaces_a_dead_recorder(orchestrator, azure, step):
    orchestrator.start(DIE_AT=step)
    orchestrator.until(lambda: is_recording(orchestrator), "recording")
    (orchestrator.control / "crash").touch()
    assert orchestrator.wait() == -9

    orchestrator.start()
    orchestrator.until(lambda: is_recording(orchestrator), "recording again")
    recording, names = finish(orchestrator, azure)
    assert [attempt.state for attempt in recording.attempts] == ["lost", "done"]
    assert len(names) == 2
    assert "code 3" in (recording.attempts[0].reason or "")


@pytest.mark.parametrize("step", each(ENDING))
def test_killed_while_finishing(orchestrator, azure, step):
    orchestrator.start(DIE_AT=step)
    orchestrator.until(lambda: is_recording(orchestrator), "recording")
    orchestrator.end_live()
    assert orchestrator.wait() == -9

    orchestrator.start()
    recording, names = finish(orchestrator, azure)
    assert len(recording.attempts) == len(names) == 1


def test_killed_again_and_again(orchestrator, azure):
    """At every step in turn, in one live."""
    for step in BEGINNING:
        orchestrator.start(DIE_AT=step)
        orchestrator.until(lambda: orchestrator.process.poll() is not None or is_recording(orchestrator), step)
        orchestrator.kill()
    orchestrator.start()
    orchestrator.until(lambda: is_recording(orchestrator), "recording again")
    orchestrator.kill()
    orchestrator.end_live()
    for step in ENDING:
        orchestrator.start(DIE_AT=step)
        orchestrator.until(lambda: orchestrator.process.poll() is not None or is_over(orchestrator), step)
        orchestrator.kill()
    orchestrator.start()
    finish(orchestrator, azure)
