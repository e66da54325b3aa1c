"""What the API says and takes of creators."""

import csv
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import Field
from wentlive_common.capture import IntervalClass, VideoCodec, VideoCodecs
from wentlive_common.model import RestrictionReason, UtcDatetime

from wentlive_catalog.access import Identity
from wentlive_catalog.api.shapes import Input, Output
from wentlive_catalog.domain.creators import Creator, CreatorSettings, CreatorStatus, Notice
from wentlive_catalog.domain.retention import RetentionRule
from wentlive_catalog.domain.watches import WatchRestriction, WatchState, WatchStatus
from wentlive_catalog.follows import Imported

MOST_LINES = 1000


class FollowIn(Input):
    creator: Annotated[str, Field(max_length=500, examples=["@nightowl.cooks"])]
    """A handle, with or without @, the link to a profile, or what TikTok's app shares."""


class ImportIn(Input):
    creators: Annotated[
        list[Annotated[str, Field(max_length=500)]], Field(max_length=MOST_LINES, default_factory=list[str])
    ]
    """Handles and links to profiles."""
    text: Annotated[str, Field(max_length=50_000, examples=["@nightowl.cooks\nhttps://www.tiktok.com/@nora.live"])] = ""
    """The same as lines; also TikTok's own export of whom you follow (`Username: ...`), or a CSV's first column."""

    def lines(self) -> list[str]:
        """Each once, in their order."""
        found = [*self.creators, *map(_named, self.text.splitlines())]
        return list(dict.fromkeys(line.strip() for line in found if line.strip()))[:MOST_LINES]


def _named(line: str) -> str:
    text = line.strip()
    if text.lower().startswith(("date:", "#")):
        return ""
    if text.lower().startswith("username:"):
        return text.partition(":")[2].strip()
    row: list[str] = next(csv.reader([text]), [""])
    return row[0] if row else ""


class ImportedOut(Output):
    given: str
    outcome: Literal["followed", "already", "refused"]
    handle: str | None
    why: str | None
    """Why it was refused."""


class ImportOut(Output):
    followed: int
    """How many are new."""
    items: list[ImportedOut]


class QualityIn(Input):
    """Which of a live's streams to record. Where it has nothing that fits, the nearest is taken."""

    prefer: Literal["best", "smallest"] = "best"
    max_height: Annotated[int | None, Field(ge=64, le=8192, examples=[720])] = None
    """As in "720p": the shorter side of the picture."""
    codecs: VideoCodecs = ("h264", "h265")
    """From the most to the least wanted; what is not named is never recorded."""
    audio_only: bool = False


class CreatorSettingsIn(Input):
    """What is left out stays as it is; null gives back what is usual."""

    quality: QualityIn | None = None
    interval: IntervalClass | None = None
    """How soon a live is to be noticed: as soon as possible, as habits suggest, or when it costs least."""
    retention: RetentionRule | None = None

    def changes(self) -> dict[str, Any]:
        usual = CreatorSettings()
        given = CreatorSettings.model_validate(self.model_dump(exclude_none=True))
        return {
            name: getattr(usual if getattr(self, name) is None else given, name) for name in self.model_fields_set
        }  # fmt: skip


class QualityOut(Output):
    prefer: Literal["best", "smallest"]
    max_height: int | None
    codecs: list[VideoCodec]
    audio_only: bool


class CreatorSettingsOut(Output):
    quality: QualityOut | None
    """Null: as the recorder's settings have it."""
    interval: IntervalClass
    retention: RetentionRule | None
    """Null: as for all creators."""


class FollowSettingsIn(Input):
    """What is left out stays as it is."""

    paused: bool | None = None
    """Keeps the creator in your list; nothing is recorded for you."""
    notices: Annotated[list[Notice] | None, Field(max_length=10)] = None
    """What you are told of this creator; null for what you are told of all."""

    def changes(self) -> dict[str, Any]:
        changes: dict[str, Any] = {} if self.paused is None else {"paused": self.paused}
        if "notices" in self.model_fields_set:
            changes["notices"] = None if self.notices is None else tuple(dict.fromkeys(self.notices))
        return changes


class FollowSettingsOut(Output):
    paused: bool
    notices: list[Notice] | None


class WatchOut(Output):
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


class CreatorOut(Output):
    handle: str
    creator_id: str | None
    nickname: str
    avatar_url: str | None
    verified: bool
    follower_count: int
    """On TikTok."""
    status: CreatorStatus
    restriction: RestrictionReason | None
    """Why, while the status is `restricted` or `not_found`."""
    followed_at: UtcDatetime | None
    """Since when somebody here does."""
    follow: FollowSettingsOut | None
    """What you want of this creator; null when you do not follow."""
    followers: list[str] | None
    """Who follows here; null unless you are an admin."""
    settings: CreatorSettingsOut
    watch: WatchOut | None
    """Null when the watcher does not answer, or does not know this creator yet."""


class CreatorList(Output):
    items: list[CreatorOut]


def creator_out(creator: Creator, watch: WatchStatus | None, asker: Identity) -> CreatorOut:
    profile, status = creator.profile, creator.status
    hidden = creator.restriction if status in ("restricted", "not_found") else None
    preference = creator.preference(asker.username) if asker.username in creator.followers else None
    return CreatorOut(
        handle=creator.handle, creator_id=creator.creator_id, nickname=profile.nickname if profile else "",
        avatar_url=profile.avatar_url if profile else None, verified=profile.verified if profile else False,
        follower_count=profile.follower_count if profile else 0, status=status,
        restriction=hidden.reason if hidden else None, followed_at=creator.followed_at,
        follow=FollowSettingsOut.model_validate(preference, from_attributes=True) if preference else None,
        followers=list(creator.followers) if asker.is_admin else None, settings=settings_out(creator.settings),
        watch=WatchOut.model_validate(watch, from_attributes=True) if watch else None,
    )  # fmt: skip


def settings_out(settings: CreatorSettings) -> CreatorSettingsOut:
    return CreatorSettingsOut.model_validate(settings.model_dump())


def import_out(imported: Sequence[Imported]) -> ImportOut:
    items = [ImportedOut.model_validate(line, from_attributes=True) for line in imported]
    return ImportOut(followed=sum(item.outcome == "followed" for item in items), items=items)
