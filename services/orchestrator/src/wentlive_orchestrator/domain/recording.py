"""The state of one recording and of its attempts, as it is stored."""

import re
from collections.abc import Sequence
from datetime import datetime
from itertools import takewhile
from typing import Any, Literal

from pydantic import Field
from wentlive_common.capture import Quality
from wentlive_common.events.recording import RecordingState
from wentlive_common.ids import Ulid
from wentlive_common.job import Outcome, PartReport
from wentlive_common.model import (
    AttemptNumber,
    BlobName,
    BroadcastKey,
    Handle,
    Model,
    PartNumber,
    Seconds,
    UtcDatetime,
    part_name,
)

MAX_REASON_CHARS = 2000
ATTEMPT_NAME = re.compile(r"rec-([0-7][0-9a-hjkmnp-tv-z]{25})-([1-9][0-9]{0,3})")


def attempt_name(recording_id: str, number: int) -> str:
    """What an attempt's process or container group is called: unique for each, and valid everywhere."""
    return f"rec-{recording_id}-{number}"


def named_attempt(name: str) -> tuple[str, int] | None:
    """The recording and the number of the attempt of this name, or None when it is not one of ours."""
    match = ATTEMPT_NAME.fullmatch(name)
    return (match[1], int(match[2])) if match else None


class Bill(Model):
    """What the container of an attempt used from its start until it was gone for certain."""

    vcpu_seconds: Seconds
    gb_seconds: Seconds
    usd: float = Field(ge=0)
    until: UtcDatetime


class LostCause(Model):
    """A part that will never be a standard MP4. What is committed of it plays all the same."""

    part: PartNumber
    why: str | None = None
    """None: there is nothing of it in storage."""


class Attempt(Model):
    """One run of one recorder. Only the hash of its token is kept: nobody can read a job out of the store."""

    number: AttemptNumber
    name: str
    token_hash: str
    task: Literal["record", "salvage"] = "record"
    """`salvage`: started when the live was over, to close what earlier attempts left open."""
    image: str | None = None
    """What its container runs, written before it is started: the registry's clean-up must know."""
    state: Literal["created", "running", "done", "lost"] = "created"
    runtime: dict[str, Any] | None = None
    """What the runtime needs to find it again; opaque here. None as long as the start's outcome is unknown."""
    created_at: UtcDatetime
    started_at: UtcDatetime | None = None
    last_report_at: UtcDatetime | None = None
    report_sequence: int = Field(default=0, ge=0)
    reported: Literal["connecting", "recording", "finishing", "done"] | None = None
    parts: tuple[PartReport, ...] = ()
    lost_causes: tuple[LostCause, ...] = ()
    progress_told_at: UtcDatetime | None = None
    outcome: Outcome | None = None
    reason: str | None = None
    over_at: UtcDatetime | None = None
    gone: bool = False
    """Its process or container is known not to exist any more."""
    bill: Bill | None = None
    """Made out when it is gone; none when nothing ever ran."""
    refused: bool = False
    """There was no room for it: nothing ever ran."""

    @property
    def active(self) -> bool:
        return self.state in ("created", "running")

    @property
    def media_seconds(self) -> float:
        return sum(part.duration for part in self.parts)

    @property
    def open_parts(self) -> tuple[PartReport, ...]:
        """The parts that it left open and that may still be closed."""
        if self.active:
            return ()
        lost = {cause.part for cause in self.lost_causes}
        return tuple(part for part in self.parts if part.state == "open" and part.part not in lost)

    @property
    def heard_at(self) -> datetime:
        """The last sign of life."""
        return self.last_report_at or self.started_at or self.created_at


class Recording(Model):
    """Our capture of one broadcast. `version` is the store's, for optimistic writes."""

    recording_id: Ulid
    broadcast: BroadcastKey
    handle: Handle
    title: str = Field(default="", max_length=500)
    live_started_at: UtcDatetime
    detected_at: UtcDatetime
    broadcast_sequence: int = Field(ge=1)
    """The newest change of the broadcast that was heard of."""
    quality: Quality | None = None
    """As those who follow wish; None leaves it to the recorder."""
    live_seen_at: UtcDatetime
    """When the watcher last saw it live."""
    broadcast_ended_at: UtcDatetime | None = None
    stop_requested_at: UtcDatetime | None = None
    state: RecordingState = "requested"
    sequence: int = Field(default=0, ge=0)
    blob_prefix: BlobName
    attempts: tuple[Attempt, ...] = ()
    forgiven: int = Field(default=0, ge=0)
    """So many of the attempts were over when somebody wanted it tried again: they count against it no more."""
    failure: str | None = None
    waiting: str | None = None
    """Why no recorder may be started for it now."""
    version: int = Field(default=0, ge=0)

    @property
    def broadcast_open(self) -> bool:
        return self.broadcast_ended_at is None

    @property
    def stop_requested(self) -> bool:
        return self.stop_requested_at is not None

    @property
    def terminal(self) -> bool:
        return self.state in ("completed", "failed")

    @property
    def settled(self) -> bool:
        """Nothing is left to do for it, neither a decision nor a clean-up."""
        return self.terminal and all(attempt.gone for attempt in self.attempts)

    @property
    def active_attempt(self) -> Attempt | None:
        """The one that records. There is never more than one, and it is always the last."""
        last = self.last_attempt
        return last if last and last.active else None

    @property
    def last_attempt(self) -> Attempt | None:
        return self.attempts[-1] if self.attempts else None

    @property
    def counted(self) -> tuple[Attempt, ...]:
        """The attempts since somebody wanted it tried again: all limits are for them."""
        return self.attempts[self.forgiven :]

    @property
    def last_try(self) -> Attempt | None:
        """The last attempt at the live itself."""
        return next((attempt for attempt in reversed(self.attempts) if attempt.task == "record"), None)

    @property
    def has_open_parts(self) -> bool:
        return any(attempt.open_parts for attempt in self.attempts)

    @property
    def salvages(self) -> tuple[Attempt, ...]:
        """The attempts to close what is open, since the live was recorded last. There was room for each of them."""
        latest = takewhile(lambda attempt: attempt.task == "salvage", reversed(self.counted))
        return tuple(attempt for attempt in latest if not attempt.refused)

    @property
    def refusals(self) -> int:
        """How many of the last attempts in a row there was no room for."""
        return sum(1 for _ in takewhile(lambda attempt: attempt.refused, reversed(self.counted)))

    @property
    def trouble(self) -> str | None:
        """Why nothing is recorded at the moment, as the last attempt that could tell said; or why parts stay open."""
        if self.terminal:
            return self.left_open
        if self.waiting:
            return self.waiting
        if self.state not in ("requested", "starting", "recovering"):
            return None
        return next((attempt.reason for attempt in reversed(self.attempts) if attempt.reason), None)

    @property
    def left_open(self) -> str | None:
        """Why parts that can be watched were not made standard MP4s in the end."""
        left = [
            f"{part_name(attempt.number, part.part)} ({_why_open(attempt, part, self.salvages)})"
            for attempt in self.attempts
            for part in attempt.parts
            if part.state == "open" and part.committed_at
        ]
        return f"Could not be finished, but play as they are: {', '.join(left)}."[:MAX_REASON_CHARS] if left else None

    @property
    def committed_parts(self) -> tuple[PartReport, ...]:
        """The parts of all attempts that there is something of to watch."""
        return tuple(part for attempt in self.attempts for part in attempt.parts if part.committed_at)

    def attempt(self, number: int) -> Attempt | None:
        return self.attempts[number - 1] if 1 <= number <= len(self.attempts) else None

    def with_attempt(self, attempt: Attempt) -> "Recording":
        """The recording with this attempt in the place of the one of its number."""
        before, after = self.attempts[: attempt.number - 1], self.attempts[attempt.number :]
        return self.model_copy(update={"attempts": (*before, attempt, *after)})


def _why_open(attempt: Attempt, part: PartReport, salvages: Sequence[Attempt]) -> str:
    told = next((cause.why for cause in attempt.lost_causes if cause.part == part.part), None)
    return told or next((salvage.reason for salvage in salvages if salvage.reason), None) or "no recorder could say why"
