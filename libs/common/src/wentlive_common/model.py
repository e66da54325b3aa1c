"""The domain's words as types: what every service means by creator, broadcast, recording and part."""

from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    StringConstraints,
    WithJsonSchema,
)

from wentlive_common.ids import Ulid


class Model(BaseModel):
    """A frozen value. Unknown fields are ignored, so that a newer sender does not break an older reader."""

    model_config = ConfigDict(frozen=True, extra="ignore")


def to_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("lies outside the years 1 to 9999 in UTC") from error


def to_rfc3339(moment: datetime) -> str:
    """UTC with milliseconds and a `Z`: one fixed width, so that strings sort as the moments do."""
    here = moment if moment.tzinfo is UTC else moment.astimezone(UTC)
    return here.isoformat(timespec="milliseconds")[: -len("+00:00")] + "Z"


def to_milliseconds(moment: datetime) -> datetime:
    """Drops microseconds: what every store and the wire can keep."""
    if moment.microsecond % 1000 == 0:
        return moment
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


UtcDatetime = Annotated[
    AwareDatetime,
    AfterValidator(to_utc),
    AfterValidator(to_milliseconds),
    PlainSerializer(to_rfc3339, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
"""An aware moment in UTC to the millisecond, RFC 3339 on the wire."""

CreatorId = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,24}$")]
"""TikTok's `user.id`: the identity that survives a change of handle."""

RoomId = Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]{0,23}$")]
"""TikTok's id of one live."""

Handle = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_.]{1,24}$")]
"""TikTok's `unique_id` in lower case. It can change: use it to show and to ask, not to identify."""

MOST = 2**63
"""What databases and other languages count to; a larger number is somebody's mistake, and breaks arithmetic."""

Seconds = Annotated[float, Field(ge=0, lt=1e12, allow_inf_nan=False)]
Bytes = Annotated[int, Field(ge=0, lt=MOST)]
Sequence = Annotated[int, Field(ge=1, lt=MOST)]
"""Grows with every change of one thing; of two, the higher one is the newer."""
AttemptNumber = Annotated[int, Field(ge=1, le=9999)]
PartNumber = Annotated[int, Field(ge=1, le=99999)]
BlobName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._/-]{1,512}$")]

RestrictionReason = Literal["age", "private", "subscribers", "paid", "country", "not_found"]


class BroadcastKey(Model):
    """One live: exactly one recording belongs to it."""

    creator_id: CreatorId
    room_id: RoomId

    def __str__(self) -> str:
        return f"{self.creator_id}/{self.room_id}"


class PartKey(Model):
    """One uninterrupted MP4 of a recording."""

    recording_id: Ulid
    attempt: AttemptNumber
    part: PartNumber

    def __str__(self) -> str:
        return f"{self.recording_id}/{part_name(self.attempt, self.part)}"


def part_name(attempt: int, part: int) -> str:
    """The stem of a part's blobs: `a1-p1`, to which `.mp4`, `.index` and `.jpg` are added."""
    return f"a{attempt}-p{part}"


def blob_prefix(creator_id: str, recording_id: str, started_at: datetime) -> str:
    """The folder of a recording's blobs, without a slash at the end."""
    return f"{creator_id}/{started_at.astimezone(UTC):%Y/%m/%d}/{recording_id}"
