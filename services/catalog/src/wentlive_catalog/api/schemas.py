"""What the API says and takes: the domain, told to programs."""

from typing import Annotated

from pydantic import BaseModel, Field
from wentlive_common.events import RecordingState
from wentlive_common.model import RestrictionReason, UtcDatetime

from wentlive_catalog.domain.creators import Creator, CreatorStatus
from wentlive_catalog.domain.recordings import Part, Recording
from wentlive_catalog.domain.watches import WatchRestriction, WatchState, WatchStatus
from wentlive_catalog.playback import LinkKind


class FollowIn(BaseModel):
    creator: Annotated[str, Field(max_length=500, examples=["@nightowl.cooks"])]
    """A handle, with or without @, the link to a profile, or what TikTok's app shares."""


class WatchOut(BaseModel):
    """What the watcher says of this creator now."""

    state: WatchState
    """What TikTok last said."""
    trouble: str | None
    """Why the last check told nothing: `blocked: <how>` or `unknown: <text>`; null as soon as one does."""
    restriction: WatchRestriction | None
    last_checked_at: UtcDatetime | None
    next_check_at: UtcDatetime | None
    """In the past when the check is overdue."""
    interval_seconds: float | None
    evidence_at: UtcDatetime | None
    """When TikTok last answered something that was not understood; the page shows it."""


class CreatorOut(BaseModel):
    handle: str
    creator_id: str | None
    nickname: str
    avatar_url: str | None
    verified: bool
    follower_count: int
    status: CreatorStatus
    restriction: RestrictionReason | None
    """Why, while the status is `restricted` or `not_found`."""
    followed_at: UtcDatetime | None
    watch: WatchOut | None
    """Null when the watcher does not answer, or does not know this creator yet."""


class CreatorList(BaseModel):
    items: list[CreatorOut]


class PartOut(BaseModel):
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


class RecordingOut(BaseModel):
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


class RecordingList(BaseModel):
    items: list[RecordingOut]
    next_cursor: str | None
    """Send it as `cursor` for the page that follows; null on the last one."""


class LinkIn(BaseModel):
    lifetime_seconds: Annotated[int, Field(ge=1, le=86_400)] = 3600
    of: LinkKind = "video"
    download: bool = False
    """Makes a browser save the file instead of showing it."""


class LinkOut(BaseModel):
    url: str
    expires_at: UtcDatetime


class FollowOut(BaseModel):
    handle: str
    creator_id: str | None


class FollowSnapshot(BaseModel):
    follows: list[FollowOut]
    taken_at: UtcDatetime


def creator_out(creator: Creator, watch: WatchStatus | None) -> CreatorOut:
    profile, status = creator.profile, creator.status
    hidden = creator.restriction if status in ("restricted", "not_found") else None
    return CreatorOut(
        handle=creator.handle, creator_id=creator.creator_id, nickname=profile.nickname if profile else "",
        avatar_url=profile.avatar_url if profile else None, verified=profile.verified if profile else False,
        follower_count=profile.follower_count if profile else 0, status=status,
        restriction=hidden.reason if hidden else None, followed_at=creator.followed_at,
        watch=WatchOut.model_validate(watch, from_attributes=True) if watch else None,
    )  # fmt: skip


def recording_out(recording: Recording) -> RecordingOut:
    committed = [part.report.committed_at for part in recording.parts if part.report.committed_at]
    return RecordingOut(
        **recording.model_dump(include=_SHOWN), started_at=recording.started_at,
        first_committed_at=min(committed, default=None), stop_requested=recording.stop_request is not None,
        bytes=recording.bytes, duration=recording.duration, cost_usd=recording.cost_usd, has_preview=recording.preview is not None,
        parts=[part_out(part) for part in recording.parts],
    )  # fmt: skip


_SHOWN = {
    "name", "pinned", "deleted_at", "recording_id", "creator_id", "handle", "room_id", "title", "state", "failure",
    "live_started_at", "detected_at", "ended_at",
}  # fmt: skip


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
