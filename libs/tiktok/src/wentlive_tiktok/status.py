"""The answers TikTok can give about a creator, kept apart because an error is never the same as offline."""

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field
from wentlive_common.model import CreatorId, Handle, Model, RoomId, UtcDatetime

from wentlive_tiktok.streams import StreamCandidate


class Profile(Model):
    """A creator as TikTok shows them now; `creator_id` is the only part that never changes."""

    creator_id: CreatorId
    handle: Handle
    nickname: str
    avatar_url: str | None = None
    verified: bool = False
    follower_count: int | None = None
    sec_uid: str | None = None
    complete: bool = True
    """False when the route that told it leaves things out (`verified`, pictures): keep what is known of those."""


class Room(Model):
    """One broadcast; every live gets a room id of its own."""

    room_id: RoomId
    title: str = ""
    cover_url: str | None = None
    started_at: UtcDatetime | None = None
    viewer_count: int | None = None


class Live(Model):
    """Broadcasting now, with at least one stream to record."""

    state: Literal["live"] = "live"
    room: Room
    profile: Profile
    streams: tuple[StreamCandidate, ...]


class Paused(Model):
    """The broadcast is open but the creator has paused it."""

    state: Literal["paused"] = "paused"
    room: Room
    profile: Profile


class Offline(Model):
    """TikTok says that the last broadcast is over; a candidate for an end, to be confirmed."""

    state: Literal["offline"] = "offline"
    profile: Profile | None = None
    """None only when nothing but the end of `open_room` could be learnt; `last_room` is then that room."""
    last_room: Room | None = None


RestrictionReason = Literal["age", "private", "subscribers", "paid", "country"]


class Restricted(Model):
    """The creator exists, but a guest may not see the broadcast."""

    state: Literal["restricted"] = "restricted"
    reason: RestrictionReason
    profile: Profile | None = None
    room_id: RoomId | None = None
    """The broadcast that may not be seen, where TikTok names it."""


class NotFound(Model):
    """TikTok says there is no such user: also said of people who never went live, and at times wrongly."""

    state: Literal["not_found"] = "not_found"
    handle: str


BlockedHow = Literal["waf", "forbidden", "rate_limited", "login", "country"]


class Blocked(Model):
    """TikTok refuses to answer this network address; it says nothing about the creator."""

    state: Literal["blocked"] = "blocked"
    how: BlockedHow
    retry_after: timedelta | None = None


class Unknown(Model):
    """No answer that can be relied on; nothing may be concluded from it."""

    state: Literal["unknown"] = "unknown"
    why: str
    evidence: str | None = None
    """What TikTok answered, where it answered something that is not known: redacted, at most 4096 characters."""


LiveStatus = Annotated[
    Live | Paused | Offline | Restricted | NotFound | Blocked | Unknown, Field(discriminator="state")
]
