"""From an answer of TikTok's webcast routes to what it means: the fallbacks' part of the decision table."""

from collections.abc import Iterator

from wentlive_tiktok.decision import AGE_OR_LOGIN, ENDED, LIVE, OK, PAUSED
from wentlive_tiktok.evidence import unknown
from wentlive_tiktok.ladders import is_url, ladder_streams, with_derived
from wentlive_tiktok.payload import UpstreamChanged, check, read
from wentlive_tiktok.room_payload import AliveAnswerPayload, RoomAnswerPayload, RoomPayload, StreamUrlPayload
from wentlive_tiktok.status import (
    Blocked,
    Live,
    LiveStatus,
    Offline,
    Paused,
    Profile,
    Restricted,
    RestrictionReason,
    Room,
    Unknown,
)
from wentlive_tiktok.streams import StreamCandidate

BAD_ROOM_CODE = 10011
ROOM_FINISHED = 30003
LOGIN_CODES = frozenset({20003, 2483})

BAD_ROOM = Unknown(why="TikTok does not know this room: a wrong id, or one that is long over.")
"""Says nothing alone; with check_alive's word that the room is not on, it is over."""

_QUALITIES = {"FULL_HD1": ("uhd", 5), "HD1": ("hd", 3), "SD2": ("sd", 2), "SD1": ("ld", 1)}


def decide_room(room_id: str | None, body: bytes) -> LiveStatus:
    """What `room/info` (or, without a room id, `room/info_by_user`) says."""
    try:
        answer = read(RoomAnswerPayload, body, "room_info")
        if answer.status_code == OK:
            room = check(RoomPayload, answer.data, "room_info.data")
            return _decide_room(room) if room_id in (None, room.id_str) else unknown("TikTok told of another room.")
    except UpstreamChanged as error:
        return unknown(error.message, body)
    return _decide_code(answer.status_code, room_id, body)


def _decide_code(code: int, room_id: str | None, body: bytes) -> LiveStatus:
    if code == ROOM_FINISHED and room_id is not None:
        return Offline(last_room=Room(room_id=room_id))
    if code == BAD_ROOM_CODE:
        return BAD_ROOM
    if code == AGE_OR_LOGIN:
        return Restricted(reason="age", room_id=room_id)
    if code in LOGIN_CODES:
        return Blocked(how="login")
    return unknown(f"TikTok answered room/info with code {code}.", body)


def _decide_room(payload: RoomPayload) -> LiveStatus:
    profile, room = _profile(payload), _room(payload)
    if payload.status == ENDED:
        return Offline(profile=profile, last_room=room)
    if payload.status not in (LIVE, PAUSED):
        return unknown(f"TikTok gave room {room.room_id} the status {payload.status}.")
    reason = _restriction(payload)
    if reason:
        return Restricted(reason=reason, profile=profile, room_id=room.room_id)
    if payload.status == PAUSED:
        return Paused(room=room, profile=profile)
    streams = with_derived(_streams(payload.stream_url)) if payload.stream_url else ()
    if not streams:
        return Restricted(reason="age", profile=profile, room_id=room.room_id)
    return Live(room=room, profile=profile, streams=streams)


def _restriction(payload: RoomPayload) -> RestrictionReason | None:
    if payload.live_sub_only:
        return "subscribers"
    if payload.stream_url_filtered_info and payload.stream_url_filtered_info.is_paid_event:
        return "paid"
    return None


def _streams(payload: StreamUrlPayload) -> Iterator[StreamCandidate]:
    yield from _ladder(payload)
    # This route has no ladder of H.265, but does not say what these are either: "unknown" goes behind a known H.264.
    for key, url in (payload.flv_pull_url or {}).items():
        quality, level = _QUALITIES.get(key, ("", 0))
        if quality and is_url(url):
            yield StreamCandidate(url=url, protocol="flv", quality=quality, level=level, codec="unknown")
    if is_url(payload.rtmp_pull_url):
        yield StreamCandidate(url=payload.rtmp_pull_url, protocol="flv", quality="sd", level=2, codec="unknown")
    if is_url(payload.hls_pull_url):
        yield StreamCandidate(url=payload.hls_pull_url, protocol="hls", quality="sd", level=2, codec="unknown")


def _ladder(payload: StreamUrlPayload) -> tuple[StreamCandidate, ...]:
    """The ladder, or nothing when it cannot be read: the plain URLs beside it may be fine."""
    try:
        return tuple(ladder_streams(payload.live_core_sdk_data, "room_info.data.stream_url.live_core_sdk_data"))
    except UpstreamChanged:
        return ()


def _profile(payload: RoomPayload) -> Profile:
    owner = payload.owner
    return Profile(
        creator_id=owner.id_str,
        handle=owner.display_id.lower(),
        nickname=owner.nickname or owner.display_id,
        avatar_url=owner.avatar_medium.url if owner.avatar_medium else None,
        follower_count=owner.follow_info.follower_count if owner.follow_info else None,
        sec_uid=owner.sec_uid or None,
        complete=False,
    )


def _room(payload: RoomPayload) -> Room:
    covers = (picture.url for picture in (payload.cover, payload.square_cover_img) if picture)
    return Room(
        room_id=payload.id_str,
        title=payload.title,
        cover_url=next((url for url in covers if url), None),
        started_at=payload.create_time,
        viewer_count=payload.user_count,
    )


def decide_alive(room_id: str, body: bytes) -> LiveStatus:
    """Only "not on" says something: `check_alive` has been seen to call every room alive, even 123."""
    try:
        answer = read(AliveAnswerPayload, body, "check_alive")
    except UpstreamChanged as error:
        return unknown(error.message, body)
    rooms = {entry.room_id_str: entry.alive for entry in answer.data or () if entry}
    if answer.status_code == OK and rooms.get(room_id) is False:
        return Offline(last_room=Room(room_id=room_id))
    return unknown("TikTok does not say that the room is over.")
