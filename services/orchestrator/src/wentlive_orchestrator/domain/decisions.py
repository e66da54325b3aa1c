"""The state machine: each fact that becomes known leads from one recording to the next, and to what is told.

The state itself is never set by a transition. It follows from the facts (is the broadcast open, was a stop
requested, what did the attempts report), so that the order in which facts arrive cannot leave it behind them.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from wentlive_common.events import EventData
from wentlive_common.events.broadcast import BroadcastData, BroadcastWentLive
from wentlive_common.events.recording import (
    RecordingCompleted,
    RecordingData,
    RecordingFailed,
    RecordingRecovering,
    RecordingRequested,
    RecordingStarted,
    RecordingState,
)
from wentlive_common.job import Report
from wentlive_common.model import blob_prefix

from wentlive_orchestrator.domain.commands import accepts
from wentlive_orchestrator.domain.parts import merged, news, with_salvaged
from wentlive_orchestrator.domain.policy import Policy
from wentlive_orchestrator.domain.recording import MAX_REASON_CHARS, Attempt, Recording, attempt_name
from wentlive_orchestrator.domain.usage import PriceTable, billed, created_event, deleted_event, reaped_event

MOST_ATTEMPTS = 500
"""However fruitful: beyond this something restarts recorders for no good reason."""
MOST_RETRIED = 4 * MOST_ATTEMPTS
"""With so many attempts behind it a recording is not tried again: each is kept, and what is kept is bounded."""

News = tuple[type[RecordingData], dict[str, Any]]


class Change(NamedTuple):
    """What a recording becomes, and what is to be told of it in the same write."""

    recording: Recording
    events: tuple[EventData, ...] = ()


def open_recording(recording_id: str, seen: BroadcastWentLive) -> Change:
    """The recording of a broadcast that was not known before."""
    started_at = seen.started_at or seen.at
    recording = Recording(
        recording_id=recording_id,
        broadcast=seen.broadcast,
        handle=seen.handle,
        title=seen.title,
        live_started_at=started_at,
        detected_at=seen.at,
        broadcast_sequence=seen.sequence,
        quality=seen.quality,
        live_seen_at=seen.at,
        blob_prefix=blob_prefix(seen.creator_id, recording_id, started_at),
    )
    return _told(recording, [(RecordingRequested, {})])


def on_broadcast_seen(recording: Recording, seen: BroadcastData, now: datetime, policy: Policy) -> Change:
    """The watcher saw it live (went live, paused, resumed). Only a newer change opens a closed broadcast again."""
    newer = seen.sequence > recording.broadcast_sequence
    if not newer and (recording.terminal or not recording.broadcast_open):
        return Change(recording)
    facts: dict[str, Any] = {"live_seen_at": max(recording.live_seen_at, seen.at)}
    if newer:
        facts |= {"broadcast_sequence": seen.sequence, "broadcast_ended_at": None, "handle": seen.handle}
        if isinstance(seen, BroadcastWentLive) and seen.title:
            facts["title"] = seen.title
    if isinstance(seen, BroadcastWentLive):
        # For the attempts to come; one that records goes on as it began.
        facts["quality"] = seen.quality
    return _noted(recording, facts, now, policy)


def on_broadcast_ended(recording: Recording, seen: BroadcastData, now: datetime, policy: Policy) -> Change:
    if seen.sequence <= recording.broadcast_sequence:
        return Change(recording)
    return _noted(recording, {"broadcast_sequence": seen.sequence, "broadcast_ended_at": seen.at}, now, policy)


def _noted(recording: Recording, facts: dict[str, Any], now: datetime, policy: Policy) -> Change:
    """Of the live; it moves no recording that is over, but whoever tries that again must know."""
    noted = recording.model_copy(update=facts)
    return Change(noted) if recording.terminal else _resolved(noted, [], now, policy)


def on_stop_requested(recording: Recording, now: datetime, policy: Policy) -> Change:
    if recording.terminal or recording.stop_requested:
        return Change(recording)
    return _resolved(recording.model_copy(update={"stop_requested_at": now}), [], now, policy)


def on_retry_requested(recording: Recording, ended_sequence: int, now: datetime, policy: Policy) -> Change:
    """Undoes the end of this number when more can be had of the live or of what was left open, and counts anew."""
    unknown = not recording.terminal or ended_sequence != recording.sequence
    if unknown or len(recording.attempts) >= MOST_RETRIED:
        return Change(recording)
    forgiven = {
        "attempts": tuple(attempt.model_copy(update=_hope(attempt)) for attempt in recording.attempts),
        "forgiven": len(recording.attempts),
        "failure": None,
        "waiting": None,
    }
    anew = recording.model_copy(update=forgiven)
    state = _state_of(anew, now, policy)
    if state in ("completed", "failed"):
        return Change(recording)
    return _told(anew.model_copy(update={"state": state}), [(RecordingRecovering, {})])


def _hope(attempt: Attempt) -> dict[str, Any]:
    """What could not be closed may be by now; what was not there stays away."""
    return {"lost_causes": tuple(cause for cause in attempt.lost_causes if cause.why is None)}


def attempt_due(recording: Recording, now: datetime, policy: Policy) -> bool:
    """Whether a recorder should be started now."""
    if recording.active_attempt or recording.terminal:
        return False
    salvages = recording.state not in ("requested", "recovering")
    if salvages and not _salvage_pending(recording, now, policy):
        return False
    tried = policy.salvage_backoff_after(len(recording.salvages)) if salvages else _backoff(recording, policy)
    # The first refusal costs nothing: another region may have room.
    refused = policy.backoff_after(max(0, recording.refusals - 1))
    over_at = recording.last_attempt.over_at if recording.last_attempt else None
    return over_at is None or now >= over_at + max(tried, refused)


def on_attempt_planned(
    recording: Recording, token_hash: str, now: datetime, policy: Policy, *, image: str | None = None
) -> Change:
    """The intent to start a recorder, written before anything is started."""
    if not attempt_due(recording, now, policy):
        return Change(recording)
    number = len(recording.attempts) + 1
    attempt = Attempt(
        number=number,
        name=attempt_name(recording.recording_id, number),
        token_hash=token_hash,
        task="record" if recording.state in ("requested", "recovering") else "salvage",
        image=image,
        created_at=now,
    )
    planned = {"attempts": (*recording.attempts, attempt), "waiting": None}
    return _resolved(recording.model_copy(update=planned), [], now, policy)


def on_start_held_up(recording: Recording, reason: str) -> Change:
    """No recorder may be started for it now. Told once for each reason, so that people see what it waits for."""
    reason = reason[:MAX_REASON_CHARS]
    if recording.terminal or recording.active_attempt or recording.waiting == reason:
        return Change(recording)
    return _told(recording.model_copy(update={"waiting": reason}), [(RecordingRequested, {})])


def on_attempt_started(recording: Recording, number: int, runtime: dict[str, Any], now: datetime) -> Change:
    """The runtime says where the recorder runs; kept even when the attempt is over, for the clean-up."""
    attempt = recording.attempt(number)
    if attempt is None or attempt.gone:
        return Change(recording)
    update: dict[str, Any] = {"runtime": runtime, "started_at": attempt.started_at or now}
    if attempt.state == "created":
        update["state"] = "running"
    started = attempt.model_copy(update=update)
    events = () if attempt.runtime is not None else (created_event(recording, started, now),)
    return Change(recording.with_attempt(started), events)


def on_report(recording: Recording, number: int, report: Report, now: datetime, policy: Policy) -> Change:
    attempt = recording.attempt(number)
    if attempt is None or recording.terminal or not accepts(recording, attempt, report):
        return Change(recording)
    if report.sequence <= attempt.report_sequence:
        heard = {"last_report_at": now} if attempt.active else {}
        return Change(recording.with_attempt(attempt.model_copy(update=heard)))
    told_at = attempt.progress_told_at
    tell_progress = told_at is None or now - told_at >= timedelta(seconds=policy.progress_interval)
    parts = merged(attempt.parts, report.parts)
    about_parts = news(attempt.parts, parts, tell_progress=tell_progress)
    facts: dict[str, Any] = {"parts": parts, "report_sequence": report.sequence, "last_report_at": now}
    if about_parts:
        facts["progress_told_at"] = now
    tellings: list[News] = [(kind, {"attempt": number, "part": part}) for kind, part in about_parts]
    if attempt.active:
        facts |= _reported_facts(report, now)
        if attempt.reported is None and attempt.task == "record":
            tellings.insert(0, (RecordingStarted, {"attempt": number}))
    recording = recording.with_attempt(attempt.model_copy(update=facts))
    for salvaged in report.salvaged:
        recording, about = with_salvaged(recording, salvaged, before=number)
        tellings += [(kind, {"attempt": salvaged.attempt, "part": part}) for kind, part in about]
    return _resolved(recording, tellings, now, policy)


def _reported_facts(report: Report, now: datetime) -> dict[str, Any]:
    facts: dict[str, Any] = {"state": "running", "reported": report.state, "reason": report.reason}
    if report.state == "done":
        facts |= {"state": "done", "outcome": report.outcome or "failed", "over_at": now}
    return facts


def on_attempt_lost(
    recording: Recording, number: int, reason: str, now: datetime, policy: Policy, *, refused: bool = False
) -> Change:
    """It did not start, died, or fell silent; it is fenced from now on, whatever it still does."""
    attempt = recording.attempt(number)
    if attempt is None or not attempt.active:
        return Change(recording)
    lost = {"state": "lost", "reason": reason[:MAX_REASON_CHARS], "over_at": now, "refused": refused}
    return _resolved(recording.with_attempt(attempt.model_copy(update=lost)), [], now, policy)


def on_attempt_gone(recording: Recording, number: int, now: datetime, prices: PriceTable) -> Change:
    """Its process or container does not exist any more; what it cost is known now."""
    attempt = recording.attempt(number)
    if attempt is None or attempt.active or attempt.gone:
        return Change(recording)
    gone = billed(attempt.model_copy(update={"gone": True}), now, prices)
    events = (deleted_event(recording, gone, now),) if gone.bill else ()
    return Change(recording.with_attempt(gone), events)


def on_attempt_reaped(
    recording: Recording, number: int, runtime: dict[str, Any], reason: str, now: datetime, prices: PriceTable
) -> Change:
    """A container of an attempt that was believed to be gone was found, and deleted."""
    attempt = recording.attempt(number)
    if attempt is None or not attempt.gone:
        return Change(recording)
    reaped = billed(attempt.model_copy(update={"runtime": runtime}), now, prices)
    return Change(recording.with_attempt(reaped), (reaped_event(recording, reaped, reason, now),))


def on_time(recording: Recording, now: datetime, policy: Policy) -> Change:
    """What follows from nothing but the passing of time."""
    return Change(recording) if recording.terminal else _resolved(recording, [], now, policy)


def _resolved(recording: Recording, tellings: Sequence[News], now: datetime, policy: Policy) -> Change:
    state = _state_of(recording, now, policy)
    update: dict[str, Any] = {"state": state}
    more: list[News] = []
    if state == "completed":
        more.append((RecordingCompleted, _summary(recording, now)))
    elif state == "failed":
        update["failure"] = _failure(recording, now, policy)[:MAX_REASON_CHARS]
        more.append((RecordingFailed, {"failed_at": now, "reason": update["failure"]}))
    return _told(recording.model_copy(update=update), [*tellings, *more])


def _state_of(recording: Recording, now: datetime, policy: Policy) -> RecordingState:
    if attempt := recording.active_attempt:
        return _state_while_active(recording, attempt)
    state = _state_while_idle(recording, now, policy)
    return "finishing" if state in ("completed", "failed") and _salvageable(recording, policy) else state


def _salvage_pending(recording: Recording, now: datetime, policy: Policy) -> bool:
    """Whether nothing is left to do but to close parts."""
    over = _state_while_idle(recording, now, policy) in ("completed", "failed")
    return over and _salvageable(recording, policy)


def _salvageable(recording: Recording, policy: Policy) -> bool:
    left = len(recording.salvages) < policy.salvage_attempts
    return recording.has_open_parts and left and len(recording.counted) < MOST_ATTEMPTS + policy.salvage_attempts


def _state_while_idle(recording: Recording, now: datetime, policy: Policy) -> RecordingState:
    if recording.stop_requested:
        return "completed"
    if not recording.broadcast_open:
        return "completed" if recording.committed_parts else "failed"
    last = recording.last_try
    if last is None:
        return "requested"
    if last.number <= recording.forgiven:
        return "recovering"
    if last.outcome == "ended" and last.over_at:
        believed = _end_believed(recording, last.over_at, now, policy)
        if believed is None:
            return "finishing"
        if believed:
            return "completed" if recording.committed_parts else "failed"
    exhausted = _fruitless(recording.counted, policy) >= policy.max_attempts
    return "failed" if exhausted or len(recording.counted) >= MOST_ATTEMPTS else "recovering"


def _state_while_active(recording: Recording, attempt: Attempt) -> RecordingState:
    salvages = attempt.task == "salvage"
    if salvages or recording.stop_requested or not recording.broadcast_open or attempt.reported == "finishing":
        return "finishing"
    if attempt.reported == "recording":
        return "recording"
    return "starting" if attempt.number == 1 and not attempt.parts else "recovering"


def _end_believed(recording: Recording, over_at: datetime, now: datetime, policy: Policy) -> bool | None:
    """Whether the end that a recorder saw is one, while the watcher has not confirmed it. None: wait."""
    if recording.live_seen_at > over_at + timedelta(seconds=policy.ended_grace):
        return False
    silent_since = max(over_at, recording.live_seen_at)
    return True if now >= silent_since + timedelta(seconds=policy.ended_silence) else None


def _backoff(recording: Recording, policy: Policy) -> timedelta:
    return policy.backoff_after(_fruitless(recording.counted, policy))


def _fruitless(attempts: Sequence[Attempt], policy: Policy) -> int:
    """How many of the last attempts in a row brought next to nothing; those we stopped or had no room for aside."""
    count = 0
    for attempt in reversed(attempts):
        if attempt.outcome == "stopped" or attempt.task == "salvage" or attempt.refused:
            continue
        if attempt.active or attempt.media_seconds >= policy.steady_media:
            break
        count += 1
    return count


def _summary(recording: Recording, now: datetime) -> dict[str, Any]:
    parts = recording.committed_parts
    last = recording.last_try
    return {
        "ended_at": recording.broadcast_ended_at or (last and last.over_at) or now,
        "parts": len(parts),
        "bytes": sum(part.bytes for part in parts),
        "duration": sum(part.duration for part in parts),
    }


def _failure(recording: Recording, now: datetime, policy: Policy) -> str:
    last = recording.last_try
    if last is None:
        return " ".join(filter(None, ("The live was over before a recorder could start.", recording.waiting)))
    why = f" The last recorder said: {last.reason}" if last.reason else ""
    believed = last.outcome == "ended" and last.over_at and _end_believed(recording, last.over_at, now, policy)
    if believed or not recording.broadcast_open:
        return f"The live ended before anything was recorded.{why}"
    return f"Gave up after {len(recording.counted)} attempts.{why}"


def _told(recording: Recording, tellings: Sequence[News]) -> Change:
    """Makes the events, each with the next number and all with the state that the change leads to."""
    facts: dict[str, Any] = {
        "recording_id": recording.recording_id,
        "creator_id": recording.broadcast.creator_id,
        "room_id": recording.broadcast.room_id,
        "handle": recording.handle,
        "title": recording.title,
        "live_started_at": recording.live_started_at,
        "detected_at": recording.detected_at,
        "state": recording.state,
        "trouble": recording.trouble,
    }
    events = tuple(
        kind(**facts, **more, sequence=number) for number, (kind, more) in enumerate(tellings, recording.sequence + 1)
    )
    return Change(recording.model_copy(update={"sequence": recording.sequence + len(events)}), events)
