"""The shapes of TikTok's webcast routes: `room/info`, `room/info_by_user` and `room/check_alive`."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import ConfigDict, Field, StringConstraints
from wentlive_common.model import CreatorId, RoomId

from wentlive_tiktok.payload import Code, Count, LadderPayload, Lenient, LenientText, Moment, Name, Payload, Title, Url


class WebcastPayload(Payload):
    """Base of what these routes send: they write snake_case."""

    model_config = ConfigDict(alias_generator=None)


class PicturePayload(WebcastPayload):
    url_list: Lenient[list[Lenient[Url]]] = None

    @property
    def url(self) -> str | None:
        return next((url for url in self.url_list or () if url), None)


class FollowPayload(WebcastPayload):
    follower_count: Lenient[Count] = None


class OwnerPayload(WebcastPayload):
    id_str: CreatorId
    display_id: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.]{1,24}$")]
    nickname: Name = ""
    sec_uid: Lenient[Annotated[str, StringConstraints(pattern=r"^[!-~]{0,200}$")]] = None
    avatar_medium: Lenient[PicturePayload] = None
    follow_info: Lenient[FollowPayload] = None


class AgePayload(WebcastPayload):
    restricted: Lenient[bool] = None


class FilteredPayload(WebcastPayload):
    is_paid_event: Lenient[bool] = None


class StreamUrlPayload(WebcastPayload):
    flv_pull_url: Lenient[Mapping[str, LenientText]] = None
    hls_pull_url: LenientText = ""
    rtmp_pull_url: LenientText = ""
    """An FLV over https, whatever its name says."""
    live_core_sdk_data: Lenient[LadderPayload] = None


class RoomPayload(WebcastPayload):
    id_str: RoomId
    status: Code | None = None
    title: Title = ""
    create_time: Moment = None
    owner: OwnerPayload
    cover: Lenient[PicturePayload] = None
    square_cover_img: Lenient[PicturePayload] = None
    user_count: Lenient[Count] = None
    age_restricted: Lenient[AgePayload] = None
    live_sub_only: Lenient[int] = None
    stream_url_filtered_info: Lenient[FilteredPayload] = None
    stream_url: Lenient[StreamUrlPayload] = None


class RoomAnswerPayload(WebcastPayload):
    status_code: Code
    data: Lenient[Mapping[str, Any]] = None


class AlivePayload(WebcastPayload):
    alive: Annotated[bool, Field(strict=True)]
    room_id_str: str


class AliveAnswerPayload(WebcastPayload):
    status_code: Code
    data: Lenient[list[Lenient[AlivePayload]]] = None
