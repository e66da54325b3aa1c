"""A recording's story: what the services told of it, what people did to it, and what its parts say themselves."""

from collections.abc import Iterator
from typing import Literal

from wentlive_common.model import AttemptNumber, Model, UtcDatetime

from wentlive_catalog.domain.moments import EventStep
from wentlive_catalog.domain.recordings import Recording

Step = EventStep | Literal["live_began", "detected", "first_seen", "stop_asked", "retry_asked", "deleted"]
"""`first_seen`: there was something to watch for the first time."""


class TimelineMoment(Model):
    at: UtcDatetime
    what: Step
    attempt: AttemptNumber | None = None
    part: str | None = None
    by: str | None = None
    why: str | None = None


def timeline(recording: Recording) -> tuple[TimelineMoment, ...]:
    """In order of time. One that was made from storage alone has no events to tell of."""
    told = (
        TimelineMoment.model_validate(moment.model_dump(exclude={"sequence"})) for moment in recording.moments
    )  # fmt: skip
    return tuple(sorted([*_known(recording), *told], key=lambda moment: moment.at))


def _known(recording: Recording) -> Iterator[TimelineMoment]:
    yield TimelineMoment(at=recording.live_started_at, what="live_began")
    yield TimelineMoment(at=recording.detected_at, what="detected")
    committed = [(part.report.committed_at, part) for part in recording.parts if part.report.committed_at]
    if committed:
        at, part = min(committed, key=lambda pair: pair[0])
        yield TimelineMoment(at=at, what="first_seen", attempt=part.attempt, part=part.name)
    if asked := recording.stop_request:
        yield TimelineMoment(at=asked.at, what="stop_asked", by=asked.by)
    if again := recording.retry_request:
        yield TimelineMoment(at=again.at, what="retry_asked", by=again.by)
    if recording.deleted_at:
        yield TimelineMoment(at=recording.deleted_at, what="deleted", by=recording.deleted_by)
