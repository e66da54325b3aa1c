"""What the catalog knows of a creator: who follows, how TikTok shows them, and whether they are live."""

from collections.abc import Callable
from typing import Literal

from pydantic import Field
from wentlive_common.capture import IntervalClass, Quality, Wishes
from wentlive_common.events import (
    BroadcastData,
    BroadcastEnded,
    BroadcastPaused,
    BroadcastWentLive,
    CreatorFollowed,
    CreatorProfileChanged,
    CreatorRestricted,
    CreatorSettingsChanged,
    CreatorUnfollowed,
    EventData,
)
from wentlive_common.model import CreatorId, Handle, Model, RestrictionReason, RoomId, UtcDatetime

from wentlive_catalog.domain.retention import RetentionRule

KEPT_BROADCASTS = 4
"""Enough to put a late message about the last live beside the current one; older ones say nothing any more."""

CreatorStatus = Literal["checking", "offline", "live", "paused", "restricted", "not_found"]


class Profile(Model):
    """How TikTok showed the creator at a moment. The newest moment wins."""

    at: UtcDatetime
    nickname: str = ""
    avatar_url: str | None = None
    verified: bool = False
    follower_count: int = 0


class Restriction(Model):
    """Why the creator's lives cannot be seen, and when that was found."""

    at: UtcDatetime
    reason: RestrictionReason
    since: UtcDatetime


class Broadcast(Model):
    """The last that is known of one live of this creator."""

    room_id: RoomId
    sequence: int
    at: UtcDatetime
    state: Literal["live", "paused", "over"]
    title: str = ""
    started_at: UtcDatetime | None = None


class CreatorSettings(Model):
    """What all who follow a creator share, since one recording serves them all."""

    quality: Quality | None = None
    """None: as the recorder's settings have it."""
    interval: IntervalClass = "usual"
    retention: RetentionRule | None = None
    """None: as for all creators."""


Notice = Literal["went_live", "recording_finished", "recording_failed", "restricted"]
"""What somebody may want to be told of a creator."""


class Preference(Model):
    """What one follower wants of a creator for themselves."""

    follower: str
    paused: bool = False
    """They keep the creator in their list, and want nothing recorded for now."""
    notices: tuple[Notice, ...] | None = None
    """None: as they have it for all creators."""


class Creator(Model):
    """One creator by handle. It stays when the last follower leaves, for the recordings that bear its name."""

    handle: Handle
    creator_id: CreatorId | None = None
    followers: tuple[str, ...] = ()
    followed_at: UtcDatetime | None = None
    settings: CreatorSettings = CreatorSettings()
    preferences: tuple[Preference, ...] = ()
    """Of those followers who want anything but the usual."""
    profile: Profile | None = None
    restriction: Restriction | None = None
    broadcasts: tuple[Broadcast, ...] = ()
    version: int = Field(default=0, ge=0)
    """Grows with each save; 0 means never stored."""

    @property
    def name(self) -> str:
        return (self.profile.nickname if self.profile else "") or self.handle

    @property
    def watched(self) -> bool:
        """Whether anybody who follows wants lives to be recorded now."""
        return any(not self.preference(follower).paused for follower in self.followers)

    @property
    def wishes(self) -> Wishes:
        return Wishes(quality=self.settings.quality, interval=self.settings.interval)

    def preference(self, follower: str) -> Preference:
        known = next((preference for preference in self.preferences if preference.follower == follower), None)
        return known or Preference(follower=follower)

    @property
    def current(self) -> Broadcast | None:
        """The live that was heard of last, over or not."""
        return max(self.broadcasts, key=lambda b: (b.at, b.room_id), default=None)

    def is_on(self, room_id: str) -> bool:
        """Whether this live goes on, as far as was heard."""
        return any(broadcast.room_id == room_id and broadcast.state != "over" for broadcast in self.broadcasts)

    @property
    def status(self) -> CreatorStatus:
        if self.restriction and self.restriction.at >= self._proof_of_access():
            return "not_found" if self.restriction.reason == "not_found" else "restricted"
        current = self.current
        if current and current.state != "over":
            return current.state
        return "offline" if self.profile or current else "checking"

    def _proof_of_access(self) -> UtcDatetime:
        """When TikTok last showed us what a restriction would have hidden."""
        seen = [self.profile.at] if self.profile else []
        seen += [broadcast.at for broadcast in self.broadcasts]
        return max(seen, default=EPOCH)


EPOCH: UtcDatetime = Profile.model_validate({"at": "1970-01-01T00:00:00Z"}).at

Change = Callable[[Creator], Creator]


def followed(creator: Creator, follower: str, now: UtcDatetime) -> Creator:
    if follower in creator.followers:
        return creator
    followers = tuple(sorted({*creator.followers, follower}))
    more = creator.model_copy(update={"followers": followers, "followed_at": creator.followed_at or now})
    return _awake(creator, more)


def unfollowed(creator: Creator, follower: str) -> Creator:
    followers = tuple(name for name in creator.followers if name != follower)
    return creator.model_copy(
        update={
            "followers": followers,
            "followed_at": creator.followed_at if followers else None,
            "preferences": tuple(known for known in creator.preferences if known.follower != follower),
        }
    )


def joined(creator: Creator, other: Creator) -> Creator:
    """The creator with the followers of another entry of the same person, since the earlier of the two."""
    since = [at for at in (creator.followed_at, other.followed_at) if at]
    followers = tuple(sorted({*creator.followers, *other.followers}))
    added = tuple(known for known in other.preferences if known.follower not in creator.followers)
    update = {
        "followers": followers, "followed_at": min(since, default=None), "preferences": creator.preferences + added
    }  # fmt: skip
    return _awake(creator, creator.model_copy(update=update))


def with_settings(creator: Creator, settings: CreatorSettings) -> Creator:
    return creator.model_copy(update={"settings": settings})


def with_preference(creator: Creator, preference: Preference) -> Creator:
    others = tuple(known for known in creator.preferences if known.follower != preference.follower)
    kept = () if preference == Preference(follower=preference.follower) else (preference,)
    return _awake(creator, creator.model_copy(update={"preferences": others + kept}))


def for_the_watcher(before: Creator, after: Creator) -> tuple[EventData, ...]:
    """What the watcher has to hear of a change."""
    named = {"handle": after.handle, "creator_id": after.creator_id}
    if not before.watched and after.watched:
        return (CreatorFollowed.model_validate({**named, "wishes": after.wishes}),)
    if before.watched and not after.watched:
        return (CreatorUnfollowed.model_validate(named),)
    if after.watched and before.wishes != after.wishes:
        return (CreatorSettingsChanged.model_validate({**named, "wishes": after.wishes}),)
    return ()


def _awake(before: Creator, after: Creator) -> Creator:
    """Nobody watched meanwhile: a live that was on then may be long over, and its end was never told."""
    return after if before.watched or not after.watched else after.model_copy(update={"broadcasts": ()})


def with_profile(creator: Creator, data: CreatorProfileChanged, at: UtcDatetime) -> Creator:
    profile = Profile(at=at, **data.model_dump(include={"nickname", "avatar_url", "verified", "follower_count"}))
    newest = max(filter(None, (creator.profile, profile)), key=_newest)
    return _identified(creator, data.creator_id).model_copy(update={"profile": newest})


def with_restriction(creator: Creator, data: CreatorRestricted, at: UtcDatetime) -> Creator:
    restriction = Restriction(at=at, reason=data.reason, since=data.since)
    newest = max(filter(None, (creator.restriction, restriction)), key=_newest)
    return _identified(creator, data.creator_id).model_copy(update={"restriction": newest})


def with_broadcast(creator: Creator, data: BroadcastData) -> Creator:
    """Takes in what happened to one live; of one live the higher sequence wins, of two the one heard of later."""
    by_room = {broadcast.room_id: broadcast for broadcast in creator.broadcasts}
    told = _broadcast(data)
    known = by_room.get(told.room_id)
    by_room[told.room_id] = _merged(known, told) if known else told
    kept = sorted(by_room.values(), key=lambda b: (b.at, b.room_id))[-KEPT_BROADCASTS:]
    return _identified(creator, data.creator_id).model_copy(update={"broadcasts": tuple(kept)})


def _broadcast(data: BroadcastData) -> Broadcast:
    over: Literal["over", "paused", "live"] = "over" if isinstance(data, BroadcastEnded) else "live"
    state = "paused" if isinstance(data, BroadcastPaused) else over
    started = data if isinstance(data, BroadcastWentLive) else None
    return Broadcast(
        room_id=data.room_id, sequence=data.sequence, at=data.at, state=state,
        title=started.title if started else "", started_at=started.started_at if started else None,
    )  # fmt: skip


def _merged(one: Broadcast, other: Broadcast) -> Broadcast:
    """The newer state; what only `went_live` tells is kept from whichever told it."""
    newer, older = sorted((one, other), key=lambda b: (b.sequence, b.model_dump_json()), reverse=True)
    return newer.model_copy(
        update={
            "at": max(one.at, other.at),
            "title": newer.title or older.title,
            "started_at": newer.started_at or older.started_at,
        }
    )


def _identified(creator: Creator, creator_id: str | None) -> Creator:
    return creator.model_copy(update={"creator_id": creator_id}) if creator_id else creator


def _newest(fact: Profile | Restriction) -> tuple[UtcDatetime, str]:
    return (fact.at, fact.model_dump_json())
