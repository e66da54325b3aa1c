"""What the watcher knows about each creator: one watch, which is all that a decision needs and changes."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Literal

from pydantic import Field, StringConstraints
from wentlive_common.capture import Wishes
from wentlive_common.ids import Ulid, new_ulid
from wentlive_common.model import (
    BroadcastKey,
    CreatorId,
    Handle,
    Model,
    RestrictionReason,
    Seconds,
    UtcDatetime,
)
from wentlive_tiktok.status import Profile, Room

from wentlive_watcher.live_hours import LiveHours

EgressName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,32}$")]
MAX_EVIDENCE_CHARS = 4096


class Policy(Model):
    """How eagerly to look and how much to believe; `WatcherSettings` explains each."""

    hot_interval: Seconds
    check_interval: Seconds
    cold_interval: Seconds
    restricted_interval: Seconds
    confirm_interval: Seconds
    ended_confirmations: int
    end_grace: Seconds
    hidden_grace: Seconds
    not_found_confirmations: int
    repeat_interval: Seconds
    profile_interval: Seconds
    backoff_limit: Seconds


class Doubt(Model):
    """Answers in a row that speak against an open broadcast."""

    answers: int = Field(default=1, ge=1)
    seconds: Seconds = 0.0
    """From the first to the last of them, a jump of the clock left out."""
    at: UtcDatetime
    """When the last one came."""


class OpenBroadcast(Model):
    """A live that was told and is not over yet."""

    creator_id: CreatorId
    room: Room
    sequence: int = Field(ge=1)
    """That of the last change told; repeats carry it again."""
    paused: bool = False
    told_at: UtcDatetime
    over: Doubt | None = None
    """TikTok says that it is over."""
    hidden: Doubt | None = None
    """TikTok does not let us see it any more."""

    @property
    def key(self) -> BroadcastKey:
        return BroadcastKey(creator_id=self.creator_id, room_id=self.room.room_id)


class Restriction(Model):
    """Why this creator's lives cannot be seen, as it was told."""

    reason: RestrictionReason
    since: UtcDatetime


class Evidence(Model):
    """What TikTok answered when it was not understood, for a person to look at."""

    text: str = Field(max_length=MAX_EVIDENCE_CHARS)
    at: UtcDatetime


WatchState = Literal["new", "live", "paused", "offline", "restricted", "not_found", "merged"]


class Watch(Model):
    """One creator that somebody follows: what is known, what was told, when to look next."""

    watch_id: Ulid
    handle: Handle
    """As followed. It stays when the creator takes another."""
    current_handle: Handle | None = None
    """What TikTok calls the creator since they took another handle than the one followed."""
    creator_id: CreatorId | None = None
    merged_with: CreatorId | None = None
    """This creator is followed under another handle too, and it is that watch which looks."""
    since: UtcDatetime | None = None
    profile: Profile | None = None
    """As last told."""
    profile_told_at: UtcDatetime | None = None
    state: WatchState = "new"
    """What TikTok last said. Refusals and answers that say nothing leave it alone: they are `trouble`."""
    trouble: str | None = None
    """Why the last check told nothing, until one does."""
    evidence: Evidence | None = None
    broadcast: OpenBroadcast | None = None
    last_ended_at: UtcDatetime | None = None
    live_hours: LiveHours | None = None
    sequence: int = 0
    """The highest one used for a broadcast of this creator."""
    restriction: Restriction | None = None
    not_found_count: int = 0
    consecutive_failures: int = 0
    wishes: Wishes = Wishes()
    """Of those who follow, as the catalog told them; the store keeps them apart from what a check saves."""
    egress: EgressName | None = None
    """The only one to ask over; any, when none is named."""
    next_check_at: UtcDatetime
    last_checked_at: UtcDatetime | None = None

    @property
    def asks(self) -> str:
        """The handle to ask TikTok about."""
        return self.current_handle or self.handle


class Follow(Model):
    """One line of the catalog's follow list."""

    handle: Handle
    creator_id: CreatorId | None = None
    wishes: Wishes = Wishes()


class FollowSnapshot(Model):
    """Everybody who is followed at one moment of the catalog's clock."""

    follows: tuple[Follow, ...]
    taken_at: UtcDatetime


def new_watch(follow: Follow, now: datetime) -> Watch:
    """A watch that is due at once."""
    return Watch(
        watch_id=new_ulid(), handle=follow.handle, creator_id=follow.creator_id, since=now, next_check_at=now,
        wishes=follow.wishes,
    )  # fmt: skip


def merged(watch: Watch, creator_id: str, next_check_at: datetime) -> Watch:
    """A watch that leaves the looking to the other one of this creator; now and then it makes sure there is one."""
    kept = watch.model_dump(include={"watch_id", "handle", "since", "egress", "wishes"})
    return Watch(**kept, merged_with=creator_id, state="merged", next_check_at=next_check_at)


def taken_over(watch: Watch, by: Watch) -> Watch:
    """All that `watch` knows, for the one that was merged with it and now looks in its place."""
    current = watch.asks if watch.asks != by.handle else None
    named = {
        "watch_id": by.watch_id, "handle": by.handle, "egress": by.egress or watch.egress, "wishes": by.wishes
    }  # fmt: skip
    return watch.model_copy(update={**named, "current_handle": current})


def stands_alone(watch: Watch, now: datetime) -> Watch:
    """A merged watch whose other one is gone, due at once."""
    return watch.model_copy(
        update={"creator_id": watch.merged_with, "merged_with": None, "state": "new", "next_check_at": now}
    )


CLOCKS_APART = timedelta(minutes=5)
"""By how much the clocks of two machines may differ; what is further ahead was written by a clock that was wrong."""


def differences(
    snapshot: FollowSnapshot, watched: Mapping[str, datetime]
) -> tuple[Sequence[Follow], Sequence[tuple[str, datetime]]]:
    """Who is missing from `watched` (handle to when it was followed), and who is in it but followed no more, with the
    moment up to which that is said.

    Who was followed after the snapshot was taken is not in it and stays. An empty list removes nobody: it is
    what a catalog that lost its data would say, and a true last unfollow comes as an event of its own.
    """
    wanted = {follow.handle: follow for follow in snapshot.follows}
    missing = [follow for handle, follow in wanted.items() if handle not in watched]
    if not wanted:
        return missing, []
    at = snapshot.taken_at
    later = {handle for handle, since in watched.items() if at < since <= at + CLOCKS_APART}
    gone = [(h, max(at, since)) for h, since in watched.items() if h not in wanted and h not in later]
    return missing, gone
