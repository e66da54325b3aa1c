"""What happens to recordings. Each event carries its state whole, and `sequence` says which is newer."""

from typing import ClassVar, Literal

from pydantic import Field

from wentlive_common.events.envelope import EventData, registered
from wentlive_common.ids import Ulid
from wentlive_common.job import PartReport
from wentlive_common.model import AttemptNumber, Bytes, CreatorId, Handle, RoomId, Seconds, Sequence, UtcDatetime

RecordingState = Literal["requested", "starting", "recording", "recovering", "finishing", "completed", "failed"]


class RecordingData(EventData):
    """Everything a reader needs to make the recording's entry from any one of its events alone."""

    recording_id: Ulid
    creator_id: CreatorId
    room_id: RoomId
    handle: Handle
    title: str = Field(default="", max_length=500)
    live_started_at: UtcDatetime
    """When the live began, as TikTok says, else when it was seen first."""
    detected_at: UtcDatetime
    """When the watcher saw it live."""
    state: RecordingState
    sequence: Sequence
    """Grows by one with each event of this recording."""
    trouble: str | None = Field(default=None, max_length=2000)
    """While nothing is recorded: why, as the last recorder that could tell said. At the end: which parts could not be
    made standard MP4s, and why; they play all the same."""

    def subject(self) -> str:
        return self.recording_id


class PartData(RecordingData):
    """A recording event about one of its parts."""

    attempt: AttemptNumber
    part: PartReport


@registered
class RecordingRequested(RecordingData):
    """A broadcast is to be recorded; nothing runs yet."""

    TYPE: ClassVar[str] = "recording.requested"


@registered
class RecordingStarted(RecordingData):
    """An attempt's recorder is up and asks TikTok for the stream."""

    TYPE: ClassVar[str] = "recording.started"

    attempt: AttemptNumber


@registered
class RecordingPartOpened(PartData):
    """A part's first fragment is committed: there is something to watch."""

    TYPE: ClassVar[str] = "recording.part_opened"


@registered
class RecordingProgressed(PartData):
    """More of the open part is committed."""

    TYPE: ClassVar[str] = "recording.progressed"


@registered
class RecordingPartClosed(PartData):
    """A part is a standard MP4 now and will not change."""

    TYPE: ClassVar[str] = "recording.part_closed"


@registered
class RecordingCompleted(RecordingData):
    """The live is over and what was captured is finished."""

    TYPE: ClassVar[str] = "recording.completed"

    ended_at: UtcDatetime
    parts: int = Field(ge=0)
    bytes: Bytes
    duration: Seconds


@registered
class RecordingFailed(RecordingData):
    """It will not be recorded any further; what was committed before stays."""

    TYPE: ClassVar[str] = "recording.failed"

    failed_at: UtcDatetime
    reason: str = Field(max_length=2000)


@registered
class RecordingRecovering(RecordingData):
    """It had ended and somebody wants it tried again: it is recorded, or what was left open is closed, once more."""

    TYPE: ClassVar[str] = "recording.recovering"


@registered
class RecordingRetryRequested(EventData):
    """Somebody wants a recording that ended badly to be tried again."""

    TYPE: ClassVar[str] = "recording.retry_requested"

    recording_id: Ulid
    ended_sequence: Sequence
    """Of the end that is not wanted: a wish that comes twice, or after another end, is none any more."""
    requested_by: str = Field(max_length=100)

    def subject(self) -> str:
        return self.recording_id


@registered
class RecordingStopRequested(EventData):
    """Somebody asks to finish a recording while the live goes on."""

    TYPE: ClassVar[str] = "recording.stop_requested"

    recording_id: Ulid
    requested_by: str = Field(max_length=100)

    def subject(self) -> str:
        return self.recording_id
