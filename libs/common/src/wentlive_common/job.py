"""The contract between orchestrator and recorder: one job in, reports out, an answer to each.

A recorder holds no account key and no broker password: the job gives it a token for its own reports and
one grant for each blob it may create. Reports carry state, not deltas, so losing or repeating one
is harmless.
"""

from typing import Literal

from pydantic import Field, HttpUrl

from wentlive_common.ids import Ulid
from wentlive_common.model import (
    AttemptNumber,
    BlobName,
    Bytes,
    CreatorId,
    Handle,
    Model,
    PartNumber,
    RoomId,
    Seconds,
    Sequence,
    UtcDatetime,
)
from wentlive_common.secret import REVEALED, Secret


class BlobGrant(Model):
    """The right to create and write one blob for a while."""

    blob: BlobName
    url: Secret
    """The blob's URL with its SAS."""
    expires_at: UtcDatetime


class RecordingJob(Model):
    """All that a recorder is told. It reaches it by a private channel (standard input, or a secure variable)."""

    recording_id: Ulid
    attempt: AttemptNumber
    creator_id: CreatorId
    room_id: RoomId
    handle: Handle
    blob_prefix: BlobName
    report_url: HttpUrl
    report_token: Secret
    grants: tuple[BlobGrant, ...] = ()

    def to_secret_json(self) -> bytes:
        """The job with its secrets in clear, for the private channel only."""
        return self.model_dump_json(context=REVEALED).encode()


class PartReport(Model):
    """The state of one part, as far as it is committed to storage."""

    part: PartNumber
    state: Literal["open", "closed"]
    blob: BlobName
    index_blob: BlobName
    poster_blob: BlobName | None = None
    opened_at: UtcDatetime
    """Wall clock of the first frame."""
    committed_at: UtcDatetime | None = None
    """When the first fragment was committed: from then on there is something to watch."""
    video_codec: str | None = None
    """RFC 6381, such as `avc1.64001f`."""
    audio_codec: str | None = None
    width: int = Field(default=0, ge=0)
    height: int = Field(default=0, ge=0)
    bytes: Bytes = 0
    duration: Seconds = 0.0
    fragments: int = Field(default=0, ge=0)
    finish_ms: float | None = Field(default=None, ge=0)
    """From the last media byte to the committed standard MP4."""


Outcome = Literal["ended", "stopped", "fenced", "failed"]
"""Why an attempt is over: the live ended, it was told to finish, another attempt took over, or it could not go on."""


class Report(Model):
    """The recorder's whole state. Parts that the last answer acknowledged unchanged may be left out."""

    sequence: Sequence
    """Grows by one with each report of an attempt; an older one is ignored."""
    at: UtcDatetime
    state: Literal["connecting", "recording", "finishing", "done"]
    outcome: Outcome | None = None
    """Set when, and only when, the state is `done`."""
    reason: str | None = Field(default=None, max_length=2000)
    """What a person should read when it failed, or why it is still connecting."""
    parts: tuple[PartReport, ...] = ()
    granted_through_part: int = Field(default=0, ge=0)
    """The highest part number that the recorder holds usable grants for."""
    grants_expire_at: UtcDatetime | None = None
    """When the first of its grants runs out."""


class ReportAnswer(Model):
    """What the orchestrator wants: go on, finish what you have and leave, or leave at once (you were replaced)."""

    command: Literal["continue", "finish", "abandon"] = "continue"
    grants: tuple[BlobGrant, ...] = ()

    def to_secret_json(self) -> bytes:
        """The answer with its grants in clear, for the report channel only."""
        return self.model_dump_json(context=REVEALED).encode()
