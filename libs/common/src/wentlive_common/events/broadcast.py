"""What happens to broadcasts, as the watcher sees it. Repeated while it lasts, so a lost message costs a minute."""

from typing import ClassVar

from pydantic import Field

from wentlive_common.capture import Quality
from wentlive_common.events.envelope import EventData, registered
from wentlive_common.model import BroadcastKey, CreatorId, Handle, RoomId, Sequence, UtcDatetime


class BroadcastData(EventData):
    """`sequence` grows with every change the watcher sees in one broadcast; repeats carry the same number."""

    creator_id: CreatorId
    room_id: RoomId
    handle: Handle
    sequence: Sequence
    at: UtcDatetime
    """When the watcher saw it."""

    @property
    def broadcast(self) -> BroadcastKey:
        return BroadcastKey(creator_id=self.creator_id, room_id=self.room_id)

    def subject(self) -> str:
        return str(self.broadcast)


@registered
class BroadcastWentLive(BroadcastData):
    """This creator is live in this room."""

    TYPE: ClassVar[str] = "broadcast.went_live"

    title: str = Field(default="", max_length=500)
    cover_url: str | None = Field(default=None, max_length=2000)
    started_at: UtcDatetime | None = None
    """When the live began, as TikTok says."""
    viewer_count: int | None = Field(default=None, ge=0)
    quality: Quality | None = None
    """Which of its streams to record, as those who follow wish; None leaves it to the recorder's settings."""


@registered
class BroadcastPaused(BroadcastData):
    """The creator paused: the broadcast is still open."""

    TYPE: ClassVar[str] = "broadcast.paused"


@registered
class BroadcastResumed(BroadcastData):
    """The creator came back from a pause."""

    TYPE: ClassVar[str] = "broadcast.resumed"


@registered
class BroadcastEnded(BroadcastData):
    """The broadcast is over, confirmed more than once."""

    TYPE: ClassVar[str] = "broadcast.ended"
