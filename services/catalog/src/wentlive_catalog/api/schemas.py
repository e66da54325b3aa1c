"""What the API says and takes: the domain, told to programs."""

from typing import Annotated

from pydantic import Field
from wentlive_common.capture import Wishes
from wentlive_common.events import RecordingState
from wentlive_common.model import UtcDatetime

from wentlive_catalog.api.shapes import Input, Output
from wentlive_catalog.domain.recordings import Part, Recording
from wentlive_catalog.domain.timeline import Step, timeline
from wentlive_catalog.playback import LinkKind


class PartOut(Output):
    name: str
    state: str
    opened_at: UtcDatetime
    bytes: int
    duration: float
    fragments: int
    width: int
    height: int
    video_codec: str | None
    audio_codec: str | None
    finish_ms: float | None
    watchable: bool
    has_poster: bool
    has_storyboard: bool


class PartList(Output):
    items: list[PartOut]


class MomentOut(Output):
    at: UtcDatetime
    what: Step
    attempt: int | None
    """Which run of a recorder."""
    part: str | None
    by: str | None
    """Who did it, where it was a person."""
    why: str | None


class TimelineOut(Output):
    items: list[MomentOut]


class RecordingOut(Output):
    recording_id: str
    creator_id: str
    handle: str
    room_id: str
    title: str
    name: str | None
    """What people call it, where that is not the live's title."""
    state: RecordingState
    failure: str | None
    live_started_at: UtcDatetime
    detected_at: UtcDatetime
    started_at: UtcDatetime | None
    """Wall clock of the first frame."""
    first_committed_at: UtcDatetime | None
    """When there was something to watch for the first time."""
    ended_at: UtcDatetime | None
    stop_requested: bool
    can_retry: bool
    """It failed, or something of it was left open at its end: `retryRecording` is for it."""
    pinned: bool
    """Retention leaves it alone."""
    deleted_at: UtcDatetime | None
    """Since when it is in the bin."""
    cost_usd: float
    """Of the containers that recorded it, as far as they are gone."""
    bytes: int
    duration: float
    has_preview: bool
    """Whether there is a newest picture, which there is only while it is recorded."""
    parts: list[PartOut]


class RecordingList(Output):
    items: list[RecordingOut]
    next_cursor: str | None
    """Send it as `cursor` for the page that follows; null on the last one."""


class LinkIn(Input):
    lifetime_seconds: Annotated[int, Field(ge=1, le=3600)] = 900
    of: LinkKind = "video"
    download: bool = False
    """Makes a browser save the file instead of showing it."""


class LinkOut(Output):
    url: str
    expires_at: UtcDatetime


class FollowOut(Output):
    handle: str
    creator_id: str | None
    wishes: Wishes


class FollowSnapshot(Output):
    follows: list[FollowOut]
    taken_at: UtcDatetime


def recording_out(recording: Recording) -> RecordingOut:
    committed = [part.report.committed_at for part in recording.parts if part.report.committed_at]
    return RecordingOut(
        **recording.model_dump(include=_SHOWN), started_at=recording.started_at,
        first_committed_at=min(committed, default=None), stop_requested=recording.stop_request is not None,
        can_retry=recording.retryable, bytes=recording.bytes, duration=recording.duration, cost_usd=recording.cost_usd,
        has_preview=recording.preview is not None,
        parts=[part_out(part) for part in recording.parts],
    )  # fmt: skip


_SHOWN = {
    "name", "pinned", "deleted_at", "recording_id", "creator_id", "handle", "room_id", "title", "state", "failure",
    "live_started_at", "detected_at", "ended_at",
}  # fmt: skip


def timeline_out(recording: Recording) -> TimelineOut:
    items = [MomentOut.model_validate(moment, from_attributes=True) for moment in timeline(recording)]
    return TimelineOut(items=items)


def part_out(part: Part) -> PartOut:
    return PartOut(
        name=part.name, watchable=part.watchable, has_poster=part.report.poster_blob is not None,
        has_storyboard=part.report.storyboard_track_blob is not None,
        **part.report.model_dump(include=_PART_SHOWN),
    )  # fmt: skip


_PART_SHOWN = {
    "state", "opened_at", "bytes", "duration", "fragments", "width", "height", "video_codec", "audio_codec",
    "finish_ms",
}  # fmt: skip
