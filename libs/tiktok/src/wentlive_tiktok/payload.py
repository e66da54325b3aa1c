"""The shapes that TikTok answers with, checked before anything else sees them.

Strict where a decision rests on a field, lenient elsewhere: a missing or odd ornament becomes None,
a missing foundation raises UpstreamChanged with the path that failed.
"""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)
from pydantic.alias_generators import to_camel
from wentlive_common.errors import Transient
from wentlive_common.model import CreatorId

from wentlive_tiktok.text import cleaned, cleaner

_Value = TypeVar("_Value")
_Payload = TypeVar("_Payload", bound="Payload")
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
MAX_TITLE = 300
MAX_NAME = 100


class UpstreamChanged(Transient):
    """TikTok answered in a shape that is not known. An update of Wentlive may be needed."""

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(f"TikTok's answer has an unknown shape at {path}: {problem}")
        self.path = path


def _none_when_odd(value: object, check: ValidatorFunctionWrapHandler) -> object:
    try:
        return check(value)
    except ValidationError:
        return None


def _empty_when_odd(value: object, check: ValidatorFunctionWrapHandler) -> object:
    try:
        return check(value)
    except ValidationError:
        return ""


def _empty_when_none(value: object) -> object:
    return "" if value is None else value


def _moment(value: object) -> object:
    """Unix seconds; zero and what lies outside this century are no moment."""
    if isinstance(value, int) and 946_684_800 <= value < 4_102_444_800:
        return datetime.fromtimestamp(value, UTC)
    return None


Lenient = Annotated[_Value | None, WrapValidator(_none_when_odd)]
LenientText = Annotated[str, WrapValidator(_empty_when_odd)]
Title = Annotated[LenientText, AfterValidator(cleaner(MAX_TITLE))]
Name = Annotated[LenientText, AfterValidator(cleaner(MAX_NAME))]
Url = Annotated[str, StringConstraints(pattern=r"^https?://[!-~]+$", max_length=4096)]
Code = Annotated[int, Field(ge=-(2**31), lt=2**63)]
Count = Annotated[int, Field(ge=0, lt=2**63)]
Moment = Annotated[datetime | None, BeforeValidator(_moment)]
RoomReference = Annotated[str, StringConstraints(pattern=r"^[0-9]{0,24}$"), BeforeValidator(_empty_when_none)]


class Payload(BaseModel):
    """Base of all that TikTok sends: unknown fields are ignored, numbers stand for strings where ids are."""

    model_config = ConfigDict(
        frozen=True, extra="ignore", alias_generator=to_camel, populate_by_name=True, coerce_numbers_to_str=True
    )


class UserPayload(Payload):
    id: CreatorId
    unique_id: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.]{1,24}$")]
    nickname: Name = ""
    sec_uid: Lenient[Annotated[str, StringConstraints(pattern=r"^[!-~]{0,200}$")]] = None
    avatar_larger: Lenient[Url] = None
    avatar_medium: Lenient[Url] = None
    avatar_thumb: Lenient[Url] = None
    verified: Lenient[bool] = None
    secret: Lenient[bool] = None
    room_id: RoomReference = ""
    """The last room, also when offline; "0" or empty for somebody who never went live."""
    status: Code | None = None


class StatsPayload(Payload):
    follower_count: Lenient[Count] = None


class PaidEventPayload(Payload):
    paid_type: Annotated[int, Field(alias="paid_type")] = 0


class RoomStatsPayload(Payload):
    user_count: Lenient[Count] = None


class QualityPayload(Payload):
    sdk_key: Annotated[str, Field(alias="sdk_key")]
    level: Annotated[int, Field(ge=-1000, le=1000)]


class OptionsPayload(Payload):
    qualities: Lenient[list[Lenient[QualityPayload]]] = None


class PullDataPayload(Payload):
    options: Lenient[OptionsPayload] = None
    stream_data: Annotated[str, Field(alias="stream_data"), BeforeValidator(_empty_when_none)] = ""
    """JSON inside a string: a StreamsPayload."""


class LadderPayload(Payload):
    pull_data: Annotated[PullDataPayload | None, Field(alias="pull_data")] = None


class LiveRoomPayload(Payload):
    status: Code | None = None
    title: Title = ""
    start_time: Moment = None
    cover_url: Lenient[Url] = None
    square_cover_img: Lenient[Url] = None
    live_room_stats: Lenient[RoomStatsPayload] = None
    live_sub_only: Lenient[int] = None
    paid_event: Lenient[PaidEventPayload] = None
    stream_data: LadderPayload | None = None
    hevc_stream_data: LadderPayload | None = None


class DataPayload(Payload):
    user: UserPayload
    stats: Lenient[StatsPayload] = None
    live_room: LiveRoomPayload | None = None


class AnswerPayload(Payload):
    """The envelope of `api-live/user/room`."""

    status_code: Code
    message: Title = ""
    data: Lenient[Mapping[str, Any]] = None


class SdkParamsPayload(Payload):
    """The JSON inside a string inside the JSON inside a string."""

    codec: Annotated[LenientText, Field(alias="VCodec")] = ""
    resolution: LenientText = ""
    bitrate: Annotated[Lenient[Count], Field(alias="vbitrate")] = None


class SourcePayload(Payload):
    flv: LenientText = ""
    hls: LenientText = ""
    sdk_params: Annotated[LenientText, Field(alias="sdk_params")] = ""


class VariantPayload(Payload):
    main: Lenient[SourcePayload] = None
    backup: Lenient[SourcePayload] = None


class StreamsPayload(Payload):
    data: Mapping[str, Lenient[VariantPayload]]


def read(shape: type[_Payload], text: str | bytes, root: str) -> _Payload:
    """JSON text as that shape; raises UpstreamChanged with a path below `root`."""
    try:
        return shape.model_validate_json(text)
    except ValidationError as error:
        repaired = _repaired(text) if error.errors(include_url=False)[0]["type"] == "json_invalid" else None
        if repaired is None:
            raise _changed(error, root) from error
    try:
        return shape.model_validate_json(repaired)
    except ValidationError as error:
        raise _changed(error, root) from error


def check(shape: type[_Payload], value: object, root: str) -> _Payload:
    """Parsed JSON as that shape; raises UpstreamChanged with a path below `root`."""
    try:
        return shape.model_validate(value)
    except ValidationError as error:
        raise _changed(error, root) from error


def _repaired(text: str | bytes) -> str | None:
    """JSON that one bad character in somebody's title spoiled (half an emoji, a raw NUL), without it; or None."""
    try:
        decoded = text.decode("utf-8-sig", "replace") if isinstance(text, bytes) else text
        return _LONE_SURROGATE.sub("", json.dumps(json.loads(decoded, strict=False), ensure_ascii=False))
    except (ValueError, RecursionError):
        return None


def _changed(error: ValidationError, root: str) -> UpstreamChanged:
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    path = ".".join([root, *(cleaned(str(step), 40) for step in first["loc"])])
    return UpstreamChanged(path, cleaned(str(first["msg"]), 200))
