"""Answers in TikTok's shapes, written for these tests."""

import json
from collections.abc import Callable
from typing import Any

import pytest

Json = dict[str, Any]
CDN = "https://pull-f1-xx01.example-cdn.com/game/stream-3512345678901234567"


def source(suffix: str, codec: str, size: str = "", bitrate: int = 0, *, hls: bool = True, audio: bool = False) -> Json:
    return {
        "flv": f"{CDN}{suffix}.flv?expire=1791749747&sign=0f1e2d3c" + ("&only_audio=1" if audio else ""),
        "hls": f"{CDN}{suffix}/index.m3u8?expire=1791749747&sign=9a8b7c6d" if hls else "",
        "cmaf": "",
        "dash": "",
        "sdk_params": json.dumps({"VCodec": codec, "resolution": size, "vbitrate": bitrate, "gop": 4}),
    }


def ladder(levels: dict[str, int], data: Json) -> Json:
    qualities = [{"icon_type": 3, "level": level, "name": key, "sdk_key": key} for key, level in levels.items()]
    return {
        "pull_data": {
            "options": {"default_quality": {"level": 0, "sdk_key": "hd"}, "qualities": qualities},
            "stream_data": json.dumps({"common": {"room_id": 7611111111111111111}, "data": data}),
        },
        "push_data": {"push_stream_level": 0, "resolution_params": {}, "stream_data": ""},
    }


def avc_ladder() -> Json:
    return ladder(
        {"hd": 3},
        {
            "hd": {"main": source("_hd", "h264", "720x1280", 1_800_000)},
            "ao": {"main": source("", "h264", hls=False, audio=True)},
        },
    )


def hevc_ladder() -> Json:
    return ladder(
        {"origin": 10, "uhd_60": 6, "ld": 1},
        {
            "ld": {"main": source("_ld5", "h265", "360x640", 600_000)},
            "origin": {"main": source("", "h264", "1080x1920", 5_476_000)},
            "uhd_60": {
                "main": source("_uhd560", "bytevc1", "1080x1920", 4_000_000),
                "backup": source("_uhd560b", "bytevc1", "1080x1920", 4_000_000, hls=False),
            },
            "ao": {"main": source("", "h264", hls=False, audio=True)},
        },
    )


def make_answer() -> Json:
    """A live one, complete; tests change what they are about."""
    return {
        "data": {
            "user": {
                "avatarLarger": "https://p16.example-cdn.com/a~1080.webp?x-expires=1790712000",
                "avatarMedium": "https://p16.example-cdn.com/a~720.webp?x-expires=1790712000",
                "avatarThumb": "https://p16.example-cdn.com/a~100.webp?x-expires=1790712000",
                "id": "6700000000000000001",
                "nickname": "Tea & 茶",
                "secUid": "MS4wLjABAAAAabcdef",
                "secret": False,
                "uniqueId": "Tea.House_1",
                "verified": True,
                "roomId": "7611111111111111111",
                "signature": "Please wait... the kettle is on",
                "status": 2,
                "followStatus": 0,
            },
            "stats": {"followingCount": 4, "followerCount": 1597439},
            "liveRoom": {
                "coverUrl": "https://p16.example-cdn.com/cover.webp",
                "squareCoverImg": "",
                "title": "Oolong evening ",
                "startTime": 1790532724,
                "status": 2,
                "paidEvent": {"event_id": 0, "paid_type": 0},
                "liveSubOnly": 0,
                "liveRoomStats": {"enterCount": 9492, "userCount": 203},
                "streamId": "3512345678901234567",
                "streamData": avc_ladder(),
                "hevcStreamData": hevc_ladder(),
            },
        },
        "message": "",
        "extra": {"id": "20260927201547B3BDB20F2C1378F4EDDE"},
        "statusCode": 0,
    }


def make_room_info() -> Json:
    """`webcast/room/info` of the same live: no H.265, the picture at 720p."""
    flv = f"{CDN}_hd.flv?expire=1791749747&sign=0f1e2d3c"
    return {
        "data": {
            "id_str": "7611111111111111111",
            "status": 2,
            "title": "Oolong evening",
            "create_time": 1790532724,
            "finish_time": 1790532724,
            "owner": {
                "id_str": "6700000000000000001",
                "display_id": "Tea.House_1",
                "nickname": "Tea & 茶",
                "sec_uid": "MS4wLjABAAAAabcdef",
                "avatar_medium": {"url_list": ["https://p16.example-cdn.com/a~720.webp?x-expires=1790712000"]},
                "follow_info": {"follower_count": 1597439},
            },
            "cover": {"url_list": ["", "https://p16.example-cdn.com/cover.webp"]},
            "user_count": 203,
            "age_restricted": {"restricted": False},
            "live_sub_only": 0,
            "stream_url_filtered_info": {"is_gated_room": False, "is_paid_event": False},
            "stream_url": {
                "flv_pull_url": {"HD1": flv, "SD1": f"{CDN}_ld.flv?expire=1791749747&sign=0f1e2d3c", "NEW9": flv},
                "hls_pull_url": f"{CDN}_hd/index.m3u8?expire=1791749747&sign=9a8b7c6d",
                "rtmp_pull_url": flv,
                "live_core_sdk_data": avc_ladder(),
            },
        },
        "extra": {"now": 1790536000000},
        "status_code": 0,
    }


def make_page(info: Json | None) -> bytes:
    """The live page around what it says about one creator, with other people's lives beside it."""
    state = {
        "LiveRoom": {"liveRoomStatus": 0, "needLogin": False, "liveRoomUserInfo": info},
        "LiveDiscover": {"recommended": [{"user": {"uniqueId": "somebody.else", "roomId": "7699999999999999999"}}]},
    }
    text = json.dumps(state, ensure_ascii=False).replace("<", "\\u003c")
    return (
        '<!DOCTYPE html><html><head></head><body><script id="SIGI_STATE" type="application/json">'
        f"{text}</script><script>var SlardarWAF;</script></body></html>"
    ).encode()


@pytest.fixture
def answer() -> Json:
    return make_answer()


@pytest.fixture
def room_info() -> Json:
    return make_room_info()


@pytest.fixture
def page_of() -> Callable[[Json | None], bytes]:
    return make_page


@pytest.fixture
def room_ladders() -> tuple[Json, Json]:
    return avc_ladder(), hevc_ladder()


@pytest.fixture
def stream_source() -> Callable[..., Json]:
    return source


@pytest.fixture
def make_ladder() -> Callable[[dict[str, int], Json], Json]:
    return ladder
