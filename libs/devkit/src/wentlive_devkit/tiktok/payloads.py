"""The simulated world in TikTok's own shapes, JSON inside JSON strings included."""

import hashlib
import json
from datetime import datetime
from typing import Any

from wentlive_devkit.tiktok.scenario import CreatorScript, LiveScript, MediaScript
from wentlive_devkit.tiktok.traps import TrapScript
from wentlive_devkit.tiktok.world import ENDED, PAUSED, Broadcast, Creator, World

USER_NOT_FOUND = 19881007
PARAMS_ERROR = 19881005
ROOM_FINISHED = 30003
AGE_OR_LOGIN = 4003110
BAD_ROOM = 10011

_SIGNED_FOR_S = 14 * 86_400
_LEVELS = {"origin": (10, "Original", 6), "hd": (3, "720p", 3)}
Json = dict[str, Any]


def signature(stream_id: str, expire: int) -> str:
    """What the simulator puts in a stream's URL and wants to see again."""
    return hashlib.sha256(f"{stream_id} until {expire}".encode()).hexdigest()[:32]


class Payloads:
    """Answers of a world that is reachable under `base_url`."""

    def __init__(self, world: World, base_url: str) -> None:
        self._world = world
        self._base_url = base_url

    def user_room(self, creator: Creator | None, *, session: bool = False) -> Json:
        """`api-live/user/room`; people who never went live are "not found", as they are at TikTok.

        `session`: the one who asks is signed in.
        """
        broadcast = creator.latest(self._world.now()) if creator else None
        if creator is None or broadcast is None or self._traps(creator).user_not_found:
            return self._envelope(None, "user_not_found", USER_NOT_FOUND)
        gated = self._gated(creator, session)
        info = self._user_info(creator, broadcast, gated=gated)
        return self._envelope(_changed(info) if self._traps(creator).changed_shape else info, "", 0)

    def of_the_crowd(self) -> tuple[Json, Json]:
        """Answers about one of a crowd, offline and live, with words in the places of what differs."""
        script = CreatorScript(handle="crowd_template", nickname="One of the crowd")
        creator = Creator(script, handle="crowd-handle", user_id="crowd-id", sec_uid="MS4wLjABAAAAcrowd-id")
        now = self._world.now()
        wall, media = self._world.wall(), self._world.scenario.media
        over = Broadcast("1", "1", LiveScript(), now - 7200, wall, now - 3600, 0, [], media)
        on = Broadcast("1", "1", LiveScript(title="One of many"), now, wall, None, 0, [], media)
        answers: list[Json] = []
        for broadcast in (over, on):
            info = self._user_info(creator, broadcast, gated=False)
            info["user"] |= {"roomId": "crowd-room", "uniqueId": "crowd-handle"}
            answers.append(self._envelope(info, "", 0))
        return answers[0], answers[1]

    def _traps(self, creator: Creator) -> TrapScript:
        return self._world.traps.of(creator.handle)

    def _gated(self, creator: Creator, session: bool) -> bool:
        if session:
            return False
        return creator.script.kind == "restricted_age" or self._traps(creator).age_gate is not None

    def params_error(self) -> Json:
        return self._envelope(None, "params_error", PARAMS_ERROR)

    def check_alive(self, room_ids: list[str]) -> Json:
        return {
            "data": [
                {"alive": self._is_alive(room_id), "room_id": int(room_id), "room_id_str": room_id}
                for room_id in room_ids
            ],
            "extra": {"now": self._now_ms()},
            "status_code": 0,
        }

    def room_info(self, found: tuple[Creator, Broadcast | None] | None, *, session: bool = False) -> Json:
        """`webcast/room/info` about the room that was found, `room/info_by_user` about somebody's last."""
        creator, broadcast = found or (None, None)
        if creator is None or broadcast is None:
            return self._webcast({"message": "Request params error", "prompts": "Request params error"}, BAD_ROOM)
        if self._gated(creator, session):
            return self._webcast({"prompts": ""}, AGE_OR_LOGIN)
        if broadcast.status(self._world.now()) == ENDED:
            return self._webcast(
                {"message": "room has finished", "prompts": "This LIVE video has ended"}, ROOM_FINISHED
            )
        return self._webcast(self._room(creator, broadcast), 0)

    def live_page(self, creator: Creator, *, session: bool = False) -> str:
        """`/@name/live`."""
        broadcast = creator.latest(self._world.now())
        gated = self._gated(creator, session) and self._traps(creator).age_gate != "page_open"
        state: Json = {
            "LiveRoom": {
                "liveRoomStatus": 0,
                "needLogin": gated,
                "isAgeGateRoom": gated,
                "showLiveGate": gated,
                "liveRoomUserInfo": self._user_info(creator, broadcast, gated=gated) if broadcast else None,
            },
            "CurrentRoom": {"roomInfo": None},
        }
        # As every careful page does, so that no title can end the script element.
        text = json.dumps(state, ensure_ascii=False).replace("<", "\\u003c")
        return (
            "<!DOCTYPE html><html><head><title>TikTok LIVE</title></head><body>"
            f'<script id="SIGI_STATE" type="application/json">{text}</script></body></html>'
        )

    def _envelope(self, data: Json | None, message: str, code: int) -> Json:
        stamp = self._world.wall().strftime("%Y%m%d%H%M%S")
        return {"data": data, "message": message, "extra": {"id": f"{stamp}SIMULATED"}, "statusCode": code}

    def _webcast(self, data: Json, code: int) -> Json:
        return {"data": data, "extra": {"now": self._now_ms()}, "status_code": code}

    def _user_info(self, creator: Creator, broadcast: Broadcast, *, gated: bool) -> Json:
        script = creator.script
        return {
            "user": {
                "avatarLarger": self._avatar(creator),
                "avatarMedium": self._avatar(creator),
                "avatarThumb": self._avatar(creator),
                "id": creator.user_id,
                "nickname": script.nickname,
                "secUid": creator.sec_uid,
                "secret": script.kind == "private",
                "uniqueId": creator.handle,
                "verified": script.verified,
                "roomId": broadcast.room_id,
                "signature": f"{script.nickname}, simulated",
                "status": broadcast.status(self._world.now()),
                "followStatus": 0,
            },
            "stats": {"followingCount": 12, "followerCount": script.followers},
            "liveRoom": self._live_room(creator, broadcast, gated=gated),
        }

    def _live_room(self, creator: Creator, broadcast: Broadcast, *, gated: bool) -> Json:
        live = broadcast.script
        status = broadcast.status(self._world.now())
        room: Json = {
            "coverUrl": self._cover(creator),
            "squareCoverImg": self._cover(creator),
            "title": live.title,
            "startTime": int(broadcast.started_at.timestamp()),
            "status": status,
            "paidEvent": {"event_id": 0, "paid_type": 0},
            "liveSubOnly": 0,
            "liveRoomMode": 1,
            "hashTagId": 42,
            "gameTagId": 0,
            "liveRoomStats": {"enterCount": live.viewers * 9, "userCount": 1 if status == ENDED else live.viewers},
            "streamId": broadcast.stream_id,
            "multiStreamScene": 0,
            "multiStreamSource": 0,
        }
        # A guest is not shown the streams of an age-gated live; the stale ones of an ended live are shown to all.
        if gated and status != ENDED:
            return room
        room["streamData"] = self._ladder(broadcast, ("hd", "ao"))
        room["hevcStreamData"] = self._ladder(broadcast, ("origin", "ao"))
        return room

    def _ladder(self, broadcast: Broadcast, keys: tuple[str, ...]) -> Json:
        qualities = [_quality(key) for key in keys if key in _LEVELS]
        streams = {
            "common": {
                "session_id": f"173-{broadcast.room_id}",
                "room_id": int(broadcast.room_id),
                "rule_ids": json.dumps(
                    {"ab_version_trace": None, "sched": json.dumps({"result": {"cdn_name": "sim"}})}
                ),
                "peer_anchor_level": 20,
                "default_audio_track": "en",
            },
            "data": {key: self._variant(broadcast, key) for key in keys},
        }
        return {
            "pull_data": {
                "options": {
                    "default_preview_quality": _quality(None),
                    "default_quality": qualities[0],
                    "forced_low_latency": False,
                    "qualities": qualities,
                    "show_quality_button": False,
                    "support_low_latency": False,
                },
                "stream_data": json.dumps(streams, separators=(",", ":")),
            },
            "push_data": {"push_stream_level": 0, "resolution_params": {}, "stream_data": ""},
        }

    def _variant(self, broadcast: Broadcast, key: str) -> Json:
        main = {"main": self._source(broadcast, key)}
        return main | {"backup": self._source(broadcast, key, "&backup=1")} if broadcast.script.backup else main

    def _source(self, broadcast: Broadcast, key: str, mark: str = "") -> Json:
        flv = self._stream_url(broadcast, key, ".flv") + ("&only_audio=1" if key == "ao" else "") + mark
        return {
            "flv": "" if broadcast.script.stream in ("hls", "hls_fmp4") else flv,
            "hls": "" if key == "ao" else self._stream_url(broadcast, key, "/index.m3u8") + mark,
            "cmaf": "",
            "dash": "",
            "lls": "",
            "tsl": "",
            "tile": "",
            "rtc": "",
            "sdk_params": _sdk_params(broadcast.media, key),
        }

    def _stream_url(self, broadcast: Broadcast, key: str, ending: str) -> str:
        expire = int(broadcast.started_at.timestamp()) + _SIGNED_FOR_S
        suffix = "" if key in ("origin", "ao") else f"_{key}"
        sign = signature(broadcast.stream_id, expire)
        return f"{self._base_url}/stream/stream-{broadcast.stream_id}{suffix}{ending}?expire={expire}&sign={sign}"

    def _room(self, creator: Creator, broadcast: Broadcast) -> Json:
        """The part of `webcast/room/info` that says who and what; its ladder is the one without hevc."""
        started = int(broadcast.started_at.timestamp())
        script = creator.script
        hd = self._stream_url(broadcast, "hd", ".flv")
        return {
            "id_str": broadcast.room_id,
            "status": broadcast.status(self._world.now()),
            "title": broadcast.script.title,
            "create_time": started,
            "finish_time": started,
            "owner": {
                "id_str": creator.user_id,
                "display_id": creator.handle,
                "nickname": script.nickname,
                "sec_uid": creator.sec_uid,
                "follow_info": {"follower_count": script.followers},
            },
            "cover": {"url_list": [self._cover(creator)]},
            "user_count": broadcast.script.viewers,
            "live_sub_only": 0,
            "stream_id_str": broadcast.stream_id,
            "stream_url": {
                "flv_pull_url": {"HD1": hd},
                "hls_pull_url": self._stream_url(broadcast, "hd", "/index.m3u8"),
                "rtmp_pull_url": hd,
                "default_resolution": "HD1",
                "live_core_sdk_data": self._ladder(broadcast, ("hd", "ao")),
            },
        }

    def _avatar(self, creator: Creator) -> str:
        return f"{self._base_url}/img/{creator.handle}/avatar.png?x-expires={self._image_expiry()}"

    def _cover(self, creator: Creator) -> str:
        return f"{self._base_url}/img/{creator.handle}/cover.png?x-expires={self._image_expiry()}"

    def _image_expiry(self) -> int:
        """Midnight after next, so that an image keeps its URL for a day, as at TikTok."""
        return (int(self._world.wall().timestamp()) // 86_400 + 2) * 86_400

    def _is_alive(self, room_id: str) -> bool:
        if self._world.traps.of(None).all_alive:
            return True
        found = self._world.find_room(room_id)
        return found is not None and found[1].status(self._world.now()) != ENDED

    def _now_ms(self) -> int:
        return int(self._world.wall().timestamp() * 1000)


def describe(world: World) -> Json:
    """The whole world for the control API: what is, not what TikTok would tell."""
    return {
        "now_s": round(world.now(), 3),
        "creators": {handle: _describe_creator(creator, world.now()) for handle, creator in world.creators.items()},
    }


def describe_broadcast(broadcast: Broadcast, now: float) -> Json:
    state = "ended" if broadcast.status(now) == ENDED else "paused" if broadcast.status(now) == PAUSED else "live"
    return {
        "room_id": broadcast.room_id,
        "title": broadcast.script.title,
        "state": "upcoming" if broadcast.started > now else state,
        "started_at": _rfc3339(broadcast.started_at),
        "starts_s": round(broadcast.started, 3),
        "ends_s": None if broadcast.ends is None else round(broadcast.ends, 3),
    }


def _describe_creator(creator: Creator, now: float) -> Json:
    return {
        "creator_id": creator.user_id,
        "nickname": creator.script.nickname,
        "kind": creator.script.kind,
        "broadcasts": [describe_broadcast(broadcast, now) for broadcast in creator.broadcasts],
    }


def _rfc3339(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _changed(info: Json) -> Json:
    """A shape of some future day: what was a number is an object."""
    status = {"code": info["user"]["status"]}
    return info | {"user": info["user"] | {"status": status}, "liveRoom": info["liveRoom"] | {"status": status}}


def _quality(key: str | None) -> Json:
    level, name, icon = _LEVELS[key] if key else (0, "", 0)
    return {"icon_type": icon, "level": level, "name": name, "resolution": "", "sdk_key": key or "", "v_codec": ""}


def _sdk_params(media: MediaScript, key: str) -> str:
    audio = key == "ao"
    return json.dumps(
        {
            "Auto": {"Enable": 1, "Demotion": {"StallCount": 4}},
            "VCodec": "h264" if media.codec == "h264" else "h265",
            "stream_suffix": "" if key == "origin" else key,
            "resolution": "" if audio else f"{media.width}x{media.height}",
            "vbitrate": 0 if audio else media.bitrate,
            "gop": media.gop_s,
            "cdn_name": "sim",
        },
        separators=(",", ":"),
    )
