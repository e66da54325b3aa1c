"""What the watcher knows about each creator: one watch, which is all that a decision needs and changes."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal

from pydantic import Field
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


class Policy(Model):
    """How eagerly to look and how much to believe; `WatcherSettings` explains each."""

    check_interval: Seconds
    restricted_interval: Seconds
    confirm_interval: Seconds
    ended_confirmations: int
    not_found_confirmations: int
    repeat_interval: Seconds
    profile_interval: Seconds
    backoff_limit: Seconds


class OpenBroadcast(Model):
    """A live that was told and is not over yet."""

    creator_id: CreatorId
    room: Room
    sequence: int = Field(ge=1)
    """That of the last change told; repeats carry it again."""
    paused: bool = False
    told_at: UtcDatetime
    end_confirmations: int = 0
    doubted_at: UtcDatetime | None = None
    """When the last answer came that counts towards the end."""

    @property
    def key(self) -> BroadcastKey:
        return BroadcastKey(creator_id=self.creator_id, room_id=self.room.room_id)


class Restriction(Model):
    """Why this creator's lives cannot be seen, as it was told."""

    reason: RestrictionReason
    since: UtcDatetime


WatchState = Literal["new", "live", "paused", "offline", "restricted", "not_found"]


class Watch(Model):
    """One creator that somebody follows: what is known, what was told, when to look next."""

    watch_id: Ulid
    handle: Handle
    creator_id: CreatorId | None = None
    profile: Profile | None = None
    """As last told."""
    profile_told_at: UtcDatetime | None = None
    state: WatchState = "new"
    """What TikTok last said. Refusals and answers that say nothing leave it alone: they are `trouble`."""
    trouble: str | None = None
    """Why the last check told nothing, until one does."""
    broadcast: OpenBroadcast | None = None
    sequence: int = 0
    """The highest one used for a broadcast of this creator."""
    restriction: Restriction | None = None
    not_found_count: int = 0
    consecutive_failures: int = 0
    next_check_at: UtcDatetime
    last_checked_at: UtcDatetime | None = None


class Follow(Model):
    """One line of the catalog's follow list."""

    handle: Handle
    creator_id: CreatorId | None = None


class FollowSnapshot(Model):
    """Everybody who is followed at one moment of the catalog's clock."""

    follows: tuple[Follow, ...]
    taken_at: UtcDatetime


def new_watch(follow: Follow, now: datetime) -> Watch:
    """A watch that is due at once."""
    return Watch(watch_id=new_ulid(), handle=follow.handle, creator_id=follow.creator_id, next_check_at=now)


def differences(snapshot: FollowSnapshot, watched: Mapping[str, datetime]) -> tuple[Sequence[Follow], Sequence[str]]:
    """Who is missing from `watched` (handle to when it was followed), and who is in it but followed no more.

    Who was followed after the snapshot was taken is not in it and stays. An empty list removes nobody: it is
    what a catalog that lost its data would say, and a true last unfollow comes as an event of its own.
    """
    wanted = {follow.handle: follow for follow in snapshot.follows}
    missing = [follow for handle, follow in wanted.items() if handle not in watched]
    if not wanted:
        return missing, []
    gone = [handle for handle, since in watched.items() if handle not in wanted and since <= snapshot.taken_at]
    return missing, gone
