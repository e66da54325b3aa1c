"""What happened to a recording and is worth telling later: its events but for growth, in whatever order heard."""

from typing import Literal

from pydantic import Field
from wentlive_common.events import (
    PartData,
    RecordingCompleted,
    RecordingData,
    RecordingFailed,
    RecordingPartClosed,
    RecordingPartOpened,
    RecordingRecovering,
    RecordingRequested,
    RecordingStarted,
)
from wentlive_common.model import AttemptNumber, Model, Sequence, UtcDatetime, part_name

EventStep = Literal["requested", "started", "part_opened", "part_closed", "completed", "failed", "recovering"]
"""`recovering`: it had ended, and is tried again."""

STEPS: dict[type[RecordingData], EventStep] = {
    RecordingRequested: "requested", RecordingStarted: "started", RecordingPartOpened: "part_opened",
    RecordingPartClosed: "part_closed", RecordingCompleted: "completed", RecordingFailed: "failed",
    RecordingRecovering: "recovering",
}  # fmt: skip
FIRST, LAST = 100, 300
"""So many of the first and of the last are kept: a live that broke hundreds of times is not told break by break."""


class Moment(Model):
    sequence: Sequence
    """The event's: what tells it from all others of this recording."""
    what: EventStep
    at: UtcDatetime
    attempt: AttemptNumber | None = None
    part: str | None = None
    why: str | None = Field(default=None, max_length=2000)


def moment(data: RecordingData, at: UtcDatetime) -> Moment | None:
    what = STEPS.get(type(data))
    if what is None:
        return None
    part = part_name(data.attempt, data.part.part) if isinstance(data, PartData) else None
    attempt = data.attempt if isinstance(data, PartData | RecordingStarted) else None
    why = data.reason if isinstance(data, RecordingFailed) else data.trouble
    return Moment(sequence=data.sequence, what=what, at=at, attempt=attempt, part=part, why=why)


def with_moment(moments: tuple[Moment, ...], new: Moment) -> tuple[Moment, ...]:
    """In the order of their sequence, each once; any order of telling leads to the same."""
    known = {moment.sequence: moment for moment in moments}
    known.setdefault(new.sequence, new)
    ordered = [known[sequence] for sequence in sorted(known)]
    return tuple(ordered if len(ordered) <= FIRST + LAST else ordered[:FIRST] + ordered[-LAST:])
