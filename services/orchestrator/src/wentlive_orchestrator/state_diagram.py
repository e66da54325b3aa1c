"""Draws the state machine by running it: every fact is tried on every state that can be reached, and noted.

`python -m wentlive_orchestrator.state_diagram` prints the document; a test compares it with the one in the docs.
"""

import sys
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from wentlive_common.events.broadcast import BroadcastEnded, BroadcastWentLive
from wentlive_common.job import PartReport, Report, Salvaged

from wentlive_orchestrator.domain import (
    Attempt,
    Change,
    Policy,
    PriceTable,
    Recording,
    attempt_due,
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
)

POLICY = Policy(max_attempts=2, salvage_attempts=1)
PRICES = PriceTable()
START = datetime(2026, 1, 1, tzinfo=UTC)
STEP = timedelta(seconds=1)
MOST_ATTEMPTS = 3
RECORDING_ID = "01kdv6k5000000000000000000"

Fact = Callable[[Recording, datetime], Change]
Edges = dict[tuple[str, str], list[str]]


class Situation(NamedTuple):
    recording: Recording
    now: datetime


class Drawing(NamedTuple):
    """Who leads to whom, and by which facts: for recordings, and for their attempts."""

    recordings: Edges
    attempts: Edges


def drawn() -> Drawing:
    """Everything that can be reached with up to three attempts."""
    drawing = Drawing({}, {})
    first = Situation(open_recording(RECORDING_ID, _live(1, START)).recording, START)
    seen, waiting = {_likeness(first)}, deque([first])
    while waiting:
        situation = waiting.popleft()
        for label, after in _successors(situation):
            _note(drawing, label, situation.recording, after.recording)
            likeness = _likeness(after)
            if likeness not in seen:
                seen.add(likeness)
                waiting.append(after)
    return drawing


def _successors(situation: Situation) -> Iterator[tuple[str, Situation]]:
    recording, now = situation
    for label, fact in FACTS.items():
        if fact is _planned and len(recording.attempts) == MOST_ATTEMPTS:
            continue
        after = fact(recording, now + STEP).recording
        if after is not recording:
            yield label, Situation(after, now + STEP)
    later = now + timedelta(seconds=POLICY.ended_silence + POLICY.drain)
    yield "time passes", Situation(on_time(recording, later, POLICY).recording, later)


def _likeness(situation: Situation) -> tuple[Any, ...]:
    """What two situations have in common that will go on in the same way."""
    recording, now = situation
    over_at = recording.last_attempt.over_at if recording.last_attempt else None
    contradicted = over_at and recording.live_seen_at > over_at + timedelta(seconds=POLICY.ended_grace)
    waited = over_at and now - max(over_at, recording.live_seen_at) > timedelta(seconds=POLICY.ended_grace)
    due = attempt_due(recording, now + STEP, POLICY)
    facts = (
        recording.state,
        recording.broadcast_open,
        recording.stop_requested,
        contradicted,
        waited,
        due,
        recording.has_open_parts,
    )
    # Of the attempts before the last one nothing matters but what they brought.
    earlier = recording.attempts[:-1]
    fruitless = sum(not (attempt.parts or attempt.outcome == "stopped") for attempt in earlier[recording.forgiven :])
    brought = (len(earlier), recording.forgiven, fruitless, any(attempt.parts for attempt in earlier))
    tried = recording.last_try.outcome if recording.last_try else None
    last = recording.last_attempt
    return (
        *facts,
        *brought,
        tried,
        last and (_attempt_state(last), last.reported, last.outcome, last.task, bool(last.parts)),
    )


def _note(drawing: Drawing, label: str, before: Recording, after: Recording) -> None:
    _note_edge(drawing.recordings, before.state, after.state, label)
    for number, attempt in enumerate(after.attempts, 1):
        known = before.attempt(number)
        _note_edge(drawing.attempts, _attempt_state(known) if known else "[*]", _attempt_state(attempt), label)


def _note_edge(edges: Edges, before: str, after: str, label: str) -> None:
    if before != after:
        labels = edges.setdefault((before, after), [])
        if label not in labels:
            labels.append(label)


def _attempt_state(attempt: Attempt) -> str:
    return "gone" if attempt.gone else attempt.state


def _live(sequence: int, now: datetime) -> BroadcastWentLive:
    return BroadcastWentLive(creator_id="7", room_id="42", handle="ann", sequence=sequence, at=now)


def _seen(recording: Recording, now: datetime) -> Change:
    return on_broadcast_seen(recording, _live(recording.broadcast_sequence + 1, now), now, POLICY)


def _ended(recording: Recording, now: datetime) -> Change:
    sequence = recording.broadcast_sequence + 1
    ended = BroadcastEnded(creator_id="7", room_id="42", handle="ann", sequence=sequence, at=now)
    return on_broadcast_ended(recording, ended, now, POLICY)


def _planned(recording: Recording, now: datetime) -> Change:
    return on_attempt_planned(recording, "", now, POLICY)


def _of_last(decide: Callable[[Recording, int, datetime], Change]) -> Fact:
    return lambda recording, now: decide(recording, len(recording.attempts), now)


def _salvaged(recording: Recording, now: datetime) -> Change:
    attempt = recording.last_attempt
    if attempt is None or attempt.task != "salvage":
        return Change(recording)
    closed = tuple(
        Salvaged(attempt=earlier.number, part=part.part, report=part.model_copy(update={"state": "closed"}))
        for earlier in recording.attempts
        for part in earlier.open_parts
    )
    sequence = attempt.report_sequence + 1
    report = Report(sequence=sequence, at=now, state="done", outcome="ended", salvaged=closed)
    return on_report(recording, attempt.number, report, now, POLICY)


def _reported(state: str, outcome: str | None = None) -> Fact:
    def fact(recording: Recording, now: datetime) -> Change:
        attempt = recording.last_attempt
        if attempt is None:
            return Change(recording)
        part = PartReport(
            part=1, state="open", blob="p.mp4", index_blob="p.index", opened_at=START, committed_at=START,
            bytes=1, duration=POLICY.steady_media,
        )  # fmt: skip
        about = {"sequence": attempt.report_sequence + 1, "at": now, "state": state, "outcome": outcome}
        report = Report.model_validate({**about, "parts": (part,) if state == "recording" else ()})
        return on_report(recording, attempt.number, report, now, POLICY)

    return fact


FACTS: Mapping[str, Fact] = {
    "the watcher sees it live": _seen,
    "the watcher sees it end": _ended,
    "somebody stops it": lambda recording, now: on_stop_requested(recording, now, POLICY),
    "somebody wants it tried again": lambda recording, now: on_retry_requested(
        recording, recording.sequence, now, POLICY
    ),
    "a recorder is due": _planned,
    "the runtime started it": _of_last(lambda r, number, now: on_attempt_started(r, number, {}, now)),
    "it reports that it connects": _reported("connecting"),
    "it reports that it records": _reported("recording"),
    "it reports that it finishes": _reported("finishing"),
    "it is done, for the live ended": _reported("done", "ended"),
    "it is done, for it was told to": _reported("done", "stopped"),
    "it is done, for it failed": _reported("done", "failed"),
    "it is done, for it was fenced": _reported("done", "fenced"),
    "it closed what earlier ones had left open": _salvaged,
    "it died, fell silent or could not start": _of_last(lambda r, n, now: on_attempt_lost(r, n, "?", now, POLICY)),
    "its process or container is gone": _of_last(lambda r, number, now: on_attempt_gone(r, number, now, PRICES)),
}

HEAD = """\
# The states of a recording

<!-- Written by `make docs` from the code; a test fails when it is stale. -->

No transition sets a state. Every fact that becomes known changes what is stored of a recording, and the state follows
from that: [decisions.py](../services/orchestrator/src/wentlive_orchestrator/domain/decisions.py). What is drawn here
was found by trying every fact on every situation that up to three attempts can lead to, with two fruitless attempts in
a row, and one attempt to close what was left open, as the limits.
"""


def document(drawing: Drawing) -> str:
    recordings = {("[*]", "requested"): ["the watcher sees a live"], **drawing.recordings}
    recordings |= {(state, "[*]"): ["every recorder is gone"] for state in ("completed", "failed")}
    attempts = drawing.attempts | {("gone", "[*]"): ["nothing is left to do"]}
    said = [HEAD, _diagram(recordings), _table(recordings), "# The states of an attempt\n"]
    return "\n".join([*said, _diagram(attempts), _table(attempts)])


def _diagram(edges: Edges) -> str:
    lines = [f"    {before} --> {after}" for before, after in edges]
    return "\n".join(["```mermaid", "stateDiagram-v2", *lines, "```", ""])


def _table(edges: Edges) -> str:
    rows = [
        f"| {_name(before, 'it begins')} | {_name(after, 'it is over')} | {'; '.join(labels)} |"
        for (before, after), labels in edges.items()
    ]
    return "\n".join(["| from | to | when |", "|---|---|---|", *rows, ""])


def _name(state: str, end: str) -> str:
    return end if state == "[*]" else f"`{state}`"


if __name__ == "__main__":
    sys.stdout.write(document(drawn()))
