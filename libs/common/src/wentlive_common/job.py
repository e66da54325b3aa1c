"""The contract between orchestrator and recorder: one job in, reports out, an answer to each.

A recorder holds no account key and no broker password: the job gives it a token for its own reports and
one grant for each blob it may create. Reports carry state, not deltas, so losing or repeating one
is harmless.
"""

from typing import Literal

from pydantic import Field, HttpUrl

from wentlive_common.capture import Quality
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


class SalvagePart(Model):
    """A part that an earlier attempt may have left open: to be made a standard MP4 of what was committed."""

    attempt: AttemptNumber
    part: PartNumber
    blob: BlobName
    index_blob: BlobName
    known: "PartReport | None" = None
    """What was reported of it; None when it is only possible that there is such a part."""


class RecordingJob(Model):
    """All that a recorder is told. It reaches it by a private channel (standard input, or a secure variable)."""

    recording_id: Ulid
    attempt: AttemptNumber
    creator_id: CreatorId
    room_id: RoomId
    handle: Handle
    title: str = Field(default="", max_length=500)
    """The live's, when the recording was asked for; this and the next two are for the manifest only."""
    live_started_at: UtcDatetime | None = None
    detected_at: UtcDatetime | None = None
    blob_prefix: BlobName
    report_url: HttpUrl
    report_token: Secret
    grants: tuple[BlobGrant, ...] = ()
    task: Literal["record", "salvage"] = "record"
    """`salvage`: the live is over, and nothing but `salvage` is to be done."""
    salvage: tuple[SalvagePart, ...] = ()
    """The grants include theirs."""
    quality: Quality | None = None
    """Which of the broadcast's streams to record; None leaves it to the recorder's settings."""

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
    storyboard_blob: BlobName | None = None
    """One JPEG of many small pictures; it grows with the part."""
    storyboard_track_blob: BlobName | None = None
    """WebVTT: which of them belongs to which time of the part."""
    preview_blob: BlobName | None = None
    """The recording's newest picture, the same blob for all parts."""
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


class Salvaged(Model):
    """What became of a part that an earlier attempt left open."""

    attempt: AttemptNumber
    part: PartNumber
    report: PartReport | None = None
    """The part as it is now, closed; None when it stays as it is."""
    problem: str | None = Field(default=None, max_length=500)
    """Why it will never be a standard MP4. With neither of both, there is nothing of it in storage."""


Outcome = Literal["ended", "stopped", "fenced", "failed"]
"""Why an attempt is over: the live ended, it was told to finish, another attempt took over, or it could not go on."""


class Report(Model):
    """The recorder's whole state. Parts that the last answer acknowledged unchanged may be left out."""

    sequence: Sequence
    """Grows with each report of an attempt, also over a restart; an older one is ignored."""
    at: UtcDatetime
    state: Literal["connecting", "recording", "finishing", "done"]
    outcome: Outcome | None = None
    """Set when, and only when, the state is `done`."""
    reason: str | None = Field(default=None, max_length=2000)
    """What a person should read when it failed, or why it is still connecting."""
    parts: tuple[PartReport, ...] = ()
    salvaged: tuple[Salvaged, ...] = ()
    """All that this attempt has salvaged so far."""
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
