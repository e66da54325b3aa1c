"""Two orchestrators over one store: one acts, the other takes reports, and takes over when the first is gone."""

import os
import signal

import httpx
import pytest
from wentlive_common.ids import new_ulid


@pytest.fixture
def standby(orchestrator):
    second = orchestrator.standby()
    yield second
    second.kill()


def is_recording(orchestrator):
    recordings = orchestrator.recordings()
    return len(recordings) == 1 and recordings[0].state == "recording" and len(orchestrator.recorders()) == 1


def leaders(orchestrator) -> int:
    return (orchestrator.folder / "orchestrator.log").read_text().count("leadership_taken")


@pytest.mark.timeout(180)
def test_one_leads_and_the_other_takes_over(orchestrator, standby):
    orchestrator.start()
    orchestrator.until(lambda: is_recording(orchestrator), "recording")
    standby.start()

    def takes_reports():
        try:
            path = f"/v1/recordings/{new_ulid()}/attempts/1/reports"
            return httpx.post(standby.url(path), headers={"Authorization": "Bearer x"}).status_code == 404
        except httpx.TransportError:
            return False

    standby.until(takes_reports, "the second's report channel")
    assert leaders(orchestrator) == 1
    assert len(orchestrator.only().attempts) == 1

    orchestrator.kill()
    for pid in orchestrator.recorders():
        os.kill(pid, signal.SIGKILL)
    # What the first had stored says "recording" as well, until the second looks.
    standby.until(lambda: len(standby.only().attempts) == 2 and is_recording(standby), "the second goes on", seconds=90)
    assert leaders(orchestrator) == 2
    assert [attempt.state for attempt in standby.only().attempts] == ["lost", "running"]


def test_a_leader_that_is_stopped_hands_over_at_once(orchestrator, standby):
    orchestrator.start()
    orchestrator.until(lambda: is_recording(orchestrator), "recording")
    assert orchestrator.terminate() == 0
    standby.start()
    standby.until(lambda: is_recording(standby), "the second goes on", seconds=12)
