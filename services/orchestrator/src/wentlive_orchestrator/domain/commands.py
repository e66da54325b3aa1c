"""What a recorder is told, whether what it says is heard, and when it is given up: nothing here changes anything."""

from datetime import datetime, timedelta
from typing import Literal

from wentlive_common.job import Report

from wentlive_orchestrator.domain.policy import Policy
from wentlive_orchestrator.domain.recording import Attempt, Recording


def accepts(recording: Recording, attempt: Attempt, report: Report) -> bool:
    """Whether a report is of use: from the active attempt, a repeated last one, or what a lost one committed."""
    if attempt.active:
        return True
    if attempt.state == "done":
        # Its last report again, because the answer was lost. Anything else is a second start that must leave.
        return report.state == "done"
    return not recording.terminal


def command_for(
    recording: Recording, attempt: Attempt, now: datetime, policy: Policy
) -> Literal["continue", "finish", "abandon"]:
    if attempt.state == "lost":
        return "abandon"
    if attempt.task == "salvage":
        return "continue"  # it ends by itself, and soon
    since = _finish_since(recording, policy)
    return "finish" if since and now >= since else "continue"


def overdue(recording: Recording, attempt: Attempt, now: datetime, listening_since: datetime, policy: Policy) -> str:
    """Why the active attempt must be given up, or nothing.

    Silence counts from `listening_since` at the earliest: while nobody listened, nobody could be heard.
    """
    silent = now - max(attempt.heard_at, listening_since)
    if attempt.last_report_at is None and silent >= timedelta(seconds=policy.start_timeout):
        return f"The recorder did not report within {policy.start_timeout:g} s of its start."
    if silent >= timedelta(seconds=policy.report_timeout):
        return f"The recorder has not reported for {policy.report_timeout:g} s."
    if attempt.task == "salvage":
        late = now - max(attempt.created_at, listening_since) >= timedelta(seconds=policy.salvage_timeout)
        return f"The recorder did not close what was left open within {policy.salvage_timeout:g} s." if late else ""
    since = _finish_since(recording, policy)
    if since and now - max(since, listening_since) >= timedelta(seconds=policy.finish_timeout):
        return f"The recorder did not finish within {policy.finish_timeout:g} s."
    return ""


def _finish_since(recording: Recording, policy: Policy) -> datetime | None:
    """From when on the recorder is told to finish."""
    if recording.stop_requested_at:
        return recording.stop_requested_at
    if recording.broadcast_ended_at:
        return recording.broadcast_ended_at + timedelta(seconds=policy.drain)
    return None
