"""From an answer of `api-live/user/room` to what it means for a creator: the decision table, and nothing else."""

from wentlive_tiktok.evidence import unknown
from wentlive_tiktok.ladders import has_ladder, streams_of
from wentlive_tiktok.payload import AnswerPayload, DataPayload, LiveRoomPayload, UpstreamChanged, check, read
from wentlive_tiktok.status import (
    Live,
    LiveStatus,
    NotFound,
    Offline,
    Paused,
    Profile,
    Restricted,
    RestrictionReason,
    Room,
)

OK = 0
PARAMS_ERROR = 19881005
USER_NOT_FOUND = 19881007
AGE_OR_LOGIN = 4003110

NEVER_LIVE = 0
LIVE = 2
PAUSED = 3
ENDED = 4


def decide(handle: str, body: bytes) -> LiveStatus:
    """What the JSON body says about the creator; a shape that is not known is Unknown, never offline."""
    try:
        answer = read(AnswerPayload, body, "answer")
        if answer.status_code == OK:
            return decide_data(answer.data, "data")
    except UpstreamChanged as error:
        return unknown(error.message, body)
    if answer.status_code == USER_NOT_FOUND:
        return NotFound(handle=handle)
    if answer.status_code == AGE_OR_LOGIN:
        return Restricted(reason="age")
    if answer.status_code == PARAMS_ERROR:
        return unknown("TikTok did not accept the question (params_error).", body)
    return unknown(f"TikTok answered with code {answer.status_code} ({answer.message[:80]}).", body)


def decide_data(value: object, path: str) -> LiveStatus:
    """What TikTok's `{user, stats, liveRoom}` says, wherever it stands; raises UpstreamChanged."""
    data = check(DataPayload, value, path)
    profile, room, status = _profile(data), _room(data), _status(data)
    if data.user.secret:
        return Restricted(reason="private", profile=profile, room_id=room.room_id if room else None)
    if status in (LIVE, PAUSED):
        return _decide_broadcast(data.live_room, room, profile, paused=status == PAUSED)
    if status == ENDED or (status == NEVER_LIVE and room is None):
        return Offline(profile=profile, last_room=room)
    raise UpstreamChanged(f"{path}.liveRoom.status", f"{room.room_id if room else 'no room'} has the status {status}")


def _decide_broadcast(
    payload: LiveRoomPayload | None, room: Room | None, profile: Profile, *, paused: bool
) -> LiveStatus:
    reason = _restriction(payload)
    if reason:
        return Restricted(reason=reason, profile=profile, room_id=room.room_id if room else None)
    if room is None:
        raise UpstreamChanged("data.user.roomId", "live without naming a room")
    if paused:
        return Paused(room=room, profile=profile)
    if payload is None or not has_ladder(payload):
        return Restricted(reason="age", profile=profile, room_id=room.room_id)
    streams = streams_of(payload)
    if not streams:
        raise UpstreamChanged("data.liveRoom.streamData", f"room {room.room_id} is live but has no stream")
    return Live(room=room, profile=profile, streams=streams)


def _restriction(room: LiveRoomPayload | None) -> RestrictionReason | None:
    if room is None:
        return None
    if room.live_sub_only:
        return "subscribers"
    if room.paid_event and room.paid_event.paid_type > 0:
        return "paid"
    return None


def _status(data: DataPayload) -> int | None:
    """The room's own status; the user's where the room has none."""
    if data.live_room is not None and data.live_room.status is not None:
        return data.live_room.status
    return data.user.status


def _profile(data: DataPayload) -> Profile:
    user = data.user
    return Profile(
        creator_id=user.id,
        handle=user.unique_id.lower(),
        nickname=user.nickname or user.unique_id,
        avatar_url=user.avatar_medium or user.avatar_larger or user.avatar_thumb,
        verified=bool(user.verified),
        follower_count=data.stats.follower_count if data.stats else None,
        sec_uid=user.sec_uid or None,
    )


def _room(data: DataPayload) -> Room | None:
    """The room that the answer is about; None for somebody who never went live."""
    room_id = data.user.room_id.lstrip("0")
    if not room_id:
        return None
    payload = data.live_room or LiveRoomPayload()
    return Room(
        room_id=room_id,
        title=payload.title,
        cover_url=payload.cover_url or payload.square_cover_img,
        started_at=payload.start_time,
        viewer_count=payload.live_room_stats.user_count if payload.live_room_stats else None,
    )
