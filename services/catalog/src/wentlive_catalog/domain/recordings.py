"""What the catalog knows of a recording: the newest state, and every part ever heard of."""

from typing import get_args

from pydantic import Field
from wentlive_common.events import (
    ContainerData,
    ContainerGone,
    PartData,
    RecordingCompleted,
    RecordingData,
    RecordingFailed,
    RecordingState,
)
from wentlive_common.ids import Ulid
from wentlive_common.job import PartReport
from wentlive_common.model import (
    AttemptNumber,
    BlobName,
    CreatorId,
    Handle,
    Model,
    RoomId,
    UtcDatetime,
    blob_prefix,
    part_name,
    to_milliseconds,
)

from wentlive_catalog.domain.moments import Moment, moment, with_moment

RECORDING_STATES: tuple[RecordingState, ...] = get_args(RecordingState)
OVER: tuple[RecordingState, ...] = ("completed", "failed")
RUNNING: tuple[RecordingState, ...] = tuple(state for state in RECORDING_STATES if state not in OVER)


class Part(Model):
    """One uninterrupted MP4, as its newest report has it."""

    attempt: AttemptNumber
    report: PartReport

    @property
    def name(self) -> str:
        return part_name(self.attempt, self.report.part)

    @property
    def watchable(self) -> bool:
        return self.report.bytes > 0 and self.report.committed_at is not None


class StopRequest(Model):
    by: str
    at: UtcDatetime


class RetryRequest(Model):
    by: str
    at: UtcDatetime
    sequence: int
    """Of the end that was not wanted."""


class Bill(Model):
    """What one container took, as far as it is known: nothing of it is final before it is gone."""

    name: str
    attempt: AttemptNumber
    gone_at: UtcDatetime | None = None
    vcpu_seconds: float = 0.0
    gb_seconds: float = 0.0
    cost_usd: float = 0.0


class Recording(Model):
    """One recording. Its head is the event with the highest sequence; its parts only ever grow."""

    recording_id: Ulid
    creator_id: CreatorId
    room_id: RoomId
    handle: Handle
    title: str = ""
    live_started_at: UtcDatetime
    detected_at: UtcDatetime
    state: RecordingState
    sequence: int
    ended_at: UtcDatetime | None = None
    failure: str | None = None
    trouble: str | None = None
    """Why it is not recorded at the moment."""
    parts: tuple[Part, ...] = ()
    stop_request: StopRequest | None = None
    retry_request: RetryRequest | None = None
    """The latest wish to try it again."""
    name: str | None = None
    """What people call it, where that is not the live's title."""
    pinned: bool = False
    """Retention leaves it alone."""
    deleted_at: UtcDatetime | None = None
    """Since when it is in the bin."""
    deleted_by: str | None = None
    erased_at: UtcDatetime | None = None
    """Since when its media is gone; the entry is kept so that a late event does not bring it back."""
    leftover: BlobName | None = None
    """The folder whose blobs are still to be deleted."""
    bills: tuple[Bill, ...] = ()
    moments: tuple[Moment, ...] = ()
    """What was told of it, but for its growth."""
    version: int = Field(default=0, ge=0)
    """Grows with each save; 0 means never stored."""

    @property
    def over(self) -> bool:
        return self.state in OVER

    @property
    def left_open(self) -> bool:
        """Whether there is something to watch that was not made a standard MP4 in the end."""
        return self.over and any(part.report.state == "open" for part in self.watchable_parts)

    @property
    def retryable(self) -> bool:
        """Whether it ended badly. One that was made from storage alone has no end that anybody told of."""
        return self.sequence > 0 and (self.state == "failed" or self.left_open)

    @property
    def retrying(self) -> bool:
        """Somebody wants it tried again, and nothing came of it yet."""
        return self.over and self.retry_request is not None and self.retry_request.sequence == self.sequence

    @property
    def shown_title(self) -> str:
        return self.name or self.title

    @property
    def folder(self) -> str:
        """Where its blobs are."""
        if self.parts:
            return self.parts[0].report.blob.rpartition("/")[0]
        return blob_prefix(self.creator_id, self.recording_id, self.live_started_at)

    @property
    def touched(self) -> bool:
        """Whether people changed something of it that only they know."""
        return bool(self.name or self.pinned or self.deleted_at)

    @property
    def bytes(self) -> int:
        return sum(part.report.bytes for part in self.parts)

    @property
    def duration(self) -> float:
        return sum(part.report.duration for part in self.parts)

    @property
    def cost_usd(self) -> float:
        return sum(bill.cost_usd for bill in self.bills)

    @property
    def started_at(self) -> UtcDatetime | None:
        """Wall clock of the first frame there is."""
        return min((part.report.opened_at for part in self.parts), default=None)

    @property
    def watchable_parts(self) -> tuple[Part, ...]:
        return tuple(part for part in self.parts if part.watchable)

    @property
    def poster(self) -> str | None:
        """The blob of the first picture there is."""
        return next((part.report.poster_blob for part in self.parts if part.report.poster_blob), None)

    @property
    def preview(self) -> str | None:
        """The blob of the newest picture, as long as there will be newer ones."""
        if self.over:
            return None
        return next((part.report.preview_blob for part in self.parts if part.report.preview_blob), None)

    def part(self, name: str) -> Part | None:
        return next((part for part in self.parts if part.name == name), None)


def recorded(recording: Recording | None, data: RecordingData) -> Recording:
    """Takes in one recording event; any order and any repetition of the same events give the same recording."""
    head = _head(data)
    if recording is not None:
        if recording.erased_at:
            return recording
        head = _newer_head(recording, head)
    if isinstance(data, PartData):
        head = head.model_copy(update={"parts": _with_part(head.parts, Part(attempt=data.attempt, report=data.part))})
    return head


def remembered(recording: Recording, data: RecordingData, at: UtcDatetime) -> Recording:
    """With the moment that the event told of, for the timeline."""
    told = moment(data, at)
    if told is None or recording.erased_at:
        return recording
    return recording.model_copy(update={"moments": with_moment(recording.moments, told)})


def stop_requested(recording: Recording, by: str, now: UtcDatetime) -> Recording:
    """Notes the wish once; what is over or asked for already stays as it is."""
    if recording.over or recording.stop_request:
        return recording
    return recording.model_copy(update={"stop_request": StopRequest(by=by, at=now)})


def retry_requested(recording: Recording, by: str, now: UtcDatetime) -> Recording:
    """Notes the wish. A stop that was asked of one that failed came too late, and is none for what comes now."""
    update: dict[str, object] = {"retry_request": RetryRequest(by=by, at=now, sequence=recording.sequence)}
    if recording.state == "failed":
        update["stop_request"] = None
    return recording.model_copy(update=update)


def renamed(recording: Recording, name: str | None) -> Recording:
    return recording.model_copy(update={"name": name or None})


def with_pin(recording: Recording, *, pinned: bool) -> Recording:
    return recording.model_copy(update={"pinned": pinned})


def binned(recording: Recording, by: str, now: UtcDatetime) -> Recording:
    """Into the bin, from which it can be taken back for a while."""
    if recording.deleted_at:
        return recording
    return recording.model_copy(update={"deleted_at": to_milliseconds(now), "deleted_by": by})


def erased(recording: Recording, now: UtcDatetime) -> Recording:
    """What is left of it when its media is gone: that there was one, and what it cost."""
    return recording.model_copy(
        update={"erased_at": to_milliseconds(now), "parts": (), "leftover": recording.folder}
    )  # fmt: skip


def swept(recording: Recording) -> Recording:
    """Nothing of it is left in storage."""
    return recording.model_copy(update={"leftover": None})


def billed(recording: Recording, data: ContainerData) -> Recording:
    """Takes in what a container took; any order and any repetition give the same."""
    bills = {bill.name: bill for bill in recording.bills}
    known = bills.get(data.name)
    told = Bill(name=data.name, attempt=data.attempt)
    if isinstance(data, ContainerGone):
        told = told.model_copy(
            update={
                "gone_at": data.at,
                "vcpu_seconds": data.vcpu_seconds,
                "gb_seconds": data.gb_seconds,
                "cost_usd": data.estimated_cost_usd,
            }
        )
    bills[data.name] = max(known, told, key=_finality) if known else told
    return recording.model_copy(update={"bills": tuple(sorted(bills.values(), key=lambda bill: bill.name))})


def _finality(bill: Bill) -> tuple[bool, str]:
    return (bill.gone_at is not None, bill.model_dump_json())


def restored(recording: Recording) -> Recording:
    return recording.model_copy(update={"deleted_at": None, "deleted_by": None})


def _head(data: RecordingData) -> Recording:
    ended_at: UtcDatetime | None = None
    failure: str | None = None
    if isinstance(data, RecordingCompleted):
        ended_at = data.ended_at
    elif isinstance(data, RecordingFailed):
        ended_at, failure = data.failed_at, data.reason
    return Recording(**data.model_dump(include=_HEAD_FIELDS), ended_at=ended_at, failure=failure)


_HEAD_FIELDS = {
    "recording_id", "creator_id", "room_id", "handle", "title", "live_started_at", "detected_at", "state", "sequence",
    "trouble",
}  # fmt: skip


def _newer_head(known: Recording, told: Recording) -> Recording:
    if told.sequence <= known.sequence:
        return known
    return told.model_copy(update={field: getattr(known, field) for field in _NOT_TOLD})


_NOT_TOLD = (
    "parts", "stop_request", "retry_request", "name", "pinned", "deleted_at", "deleted_by", "erased_at", "leftover",
    "bills", "moments", "version",
)  # fmt: skip
"""What is not the orchestrator's to say."""


def _with_part(parts: tuple[Part, ...], told: Part) -> tuple[Part, ...]:
    by_name = {part.name: part for part in parts}
    known = by_name.get(told.name)
    by_name[told.name] = max(known, told, key=_progress) if known else told
    return tuple(sorted(by_name.values(), key=lambda part: (part.attempt, part.report.part)))


def _progress(part: Part) -> tuple[bool, int, int, float, int, bool, str]:
    """How far along a part is: a total order, so that the outcome does not hang on the order of delivery."""
    report = part.report
    return (
        report.state == "closed", report.bytes, report.fragments, report.duration,
        _pictures(report), report.committed_at is not None, report.model_dump_json(),
    )  # fmt: skip


def _pictures(report: PartReport) -> int:
    """How many kinds of pictures there are: they never become fewer."""
    kinds = (report.poster_blob, report.storyboard_blob, report.storyboard_track_blob, report.preview_blob)
    return sum(blob is not None for blob in kinds)
