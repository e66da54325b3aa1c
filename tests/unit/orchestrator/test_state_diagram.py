"""The drawing of the state machine in the docs is the one that the code gives."""

from pathlib import Path
from typing import get_args

import pytest
from wentlive_common.events.recording import RecordingState
from wentlive_orchestrator.state_diagram import document, drawn

DOCUMENT = Path(__file__).parents[3] / "docs" / "recording-states.md"


@pytest.fixture(scope="module")
def drawing():
    return drawn()


def test_the_document_is_not_stale(drawing):
    assert DOCUMENT.read_text() == document(drawing), "run `make docs`"


def test_every_state_is_reached_and_left_but_the_ends_unless_it_is_tried_again(drawing):
    states = set(get_args(RecordingState))
    ends = {"completed", "failed"}
    assert {after for _, after in drawing.recordings} | {"requested"} == states
    assert {before for before, _ in drawing.recordings} == states
    again = {label for (before, _), labels in drawing.recordings.items() if before in ends for label in labels}
    assert again == {"somebody wants it tried again"}


def test_an_attempt_only_ever_goes_on(drawing):
    order = ["[*]", "created", "running", "done", "lost", "gone"]
    assert all(order.index(before) < order.index(after) for before, after in drawing.attempts)
    assert ("done", "lost") not in drawing.attempts
