"""What a recording is and how it moves: frozen state and pure decisions, nothing that waits or talks."""

from wentlive_orchestrator.domain.decisions import (
    Change,
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
    on_stop_requested,
    on_time,
    open_recording,
    overdue,
)
from wentlive_orchestrator.domain.policy import Policy
from wentlive_orchestrator.domain.recording import Attempt, Recording, attempt_name

__all__ = [
    "Attempt",
    "Change",
    "Policy",
    "Recording",
    "accepts",
    "attempt_due",
    "attempt_name",
    "command_for",
    "on_attempt_gone",
    "on_attempt_lost",
    "on_attempt_planned",
    "on_attempt_started",
    "on_broadcast_ended",
    "on_broadcast_seen",
    "on_report",
    "on_stop_requested",
    "on_time",
    "open_recording",
    "overdue",
]
