"""What happens to creators: who is to be watched, and who they are."""

from typing import ClassVar

from pydantic import Field

from wentlive_common.capture import Wishes
from wentlive_common.events.envelope import EventData, registered
from wentlive_common.model import CreatorId, Handle, RestrictionReason, UtcDatetime


class CreatorData(EventData):
    """Handles name a creator until TikTok has told the id; from then on the id rules."""

    handle: Handle
    creator_id: CreatorId | None = None

    def subject(self) -> str:
        return self.handle


@registered
class CreatorFollowed(CreatorData):
    """Somebody is the first to follow this creator: watch them."""

    TYPE: ClassVar[str] = "creator.followed"

    wishes: Wishes = Wishes()


@registered
class CreatorSettingsChanged(CreatorData):
    """Those who follow this creator want it so, from now on."""

    TYPE: ClassVar[str] = "creator.settings_changed"

    wishes: Wishes


@registered
class CreatorUnfollowed(CreatorData):
    """Nobody follows this creator any more: stop watching."""

    TYPE: ClassVar[str] = "creator.unfollowed"


@registered
class CreatorCheckRequested(CreatorData):
    """Somebody asks to look now, not when it is due."""

    TYPE: ClassVar[str] = "creator.check_requested"


@registered
class CreatorProfileChanged(CreatorData):
    """TikTok shows this creator so, from now on; also the proof that the creator exists."""

    TYPE: ClassVar[str] = "creator.profile_changed"

    nickname: str = Field(default="", max_length=200)
    avatar_url: str | None = Field(default=None, max_length=2000)
    verified: bool = False
    follower_count: int = Field(default=0, ge=0)


@registered
class CreatorRestricted(CreatorData):
    """TikTok does not let us see this creator's lives, or says there is no such creator."""

    TYPE: ClassVar[str] = "creator.restricted"

    reason: RestrictionReason
    since: UtcDatetime
