"""Examples for the API's document: by the name of a shape, and of what stands in an address. Tests hold them right."""

from typing import Any

ULID = "01kamz8t4q2v6w0x5y9za3b7cd"
MOMENT = "2026-11-20T20:00:00.000Z"
ENDED = "2026-11-20T21:30:00.000Z"
PASSWORD = "correct horse battery staple"  # noqa: S105 - nobody's

PART: dict[str, Any] = {
    "name": "a1-p1", "state": "closed", "opened_at": MOMENT, "bytes": 812_345_678, "duration": 5391.2,
    "fragments": 1348, "width": 720, "height": 1280, "video_codec": "avc1.64001f", "audio_codec": "mp4a.40.2",
    "finish_ms": 41.5, "watchable": True, "has_poster": True, "has_storyboard": True,
}  # fmt: skip
SETTINGS: dict[str, Any] = {
    "quality": {"prefer": "best", "max_height": 720, "codecs": ["h264", "h265"], "audio_only": False},
    "interval": "eager", "retention": {"max_age_days": 90, "max_count": None, "max_bytes": None},
}  # fmt: skip

PARAMETERS: dict[str, Any] = {
    "recording_id": ULID, "token_id": ULID, "link_id": ULID, "target_id": ULID, "handle": "nightowl.cooks",
    "part": "a1-p1", "username": "ann", "session_id": "0f1e2d3c4b5a6978", "form": "csv",
}  # fmt: skip

SHAPES: dict[str, Any] = {
    "SetupIn": {"username": "admin", "password": PASSWORD, "code": ""},
    "SignIn": {"username": "admin", "password": PASSWORD},
    "PasswordIn": {"current": "what it was", "wanted": PASSWORD},
    "TokenIn": {"name": "backup script", "scopes": ["read"], "lifetime_days": 90},
    "UserIn": {"username": "ann", "password": PASSWORD, "role": "member"},
    "UserChange": {"role": "viewer"},
    "FollowIn": {"creator": "@nightowl.cooks"},
    "ImportIn": {"creators": ["@nightowl.cooks", "https://www.tiktok.com/@nora.live"]},
    "FollowSettingsIn": {"paused": True},
    "CreatorSettingsIn": {"quality": {"max_height": 720}, "interval": "eager", "retention": {"max_age_days": 90}},
    "Batch": {"action": "pin", "recording_ids": [ULID]},
    "RecordingChange": {"name": "The ramen night", "pinned": True},
    "LinkIn": {"lifetime_seconds": 900, "of": "video", "download": True},
    "SharedLinkIn": {"lifetime_seconds": 604_800, "max_uses": 5, "note": "for Nora"},
    "RetentionIn": {"rule": {"max_age_days": 365, "max_bytes": 2_000_000_000_000}, "bin_days": 7},
    "NewTarget": {"kind": "apprise", "url": "ntfy://ntfy.sh/my-topic", "label": "My phone", "topics": ["went_live"]},
    "TargetIn": {"label": "My phone", "topics": ["went_live", "recording_finished"], "enabled": True},
    "SessionOut": {"username": "admin", "role": "admin", "scopes": None, "expires_at": MOMENT},
    "CreatorSettingsOut": SETTINGS,
    "CreatorOut": {
        "handle": "nightowl.cooks", "creator_id": "6812345678901234567", "nickname": "Night Owl Cooks",
        "avatar_url": None, "verified": False, "follower_count": 12_345, "status": "live", "restriction": None,
        "followed_at": MOMENT, "follow": {"paused": False, "notices": None}, "followers": None, "settings": SETTINGS,
        "watch": None,
    },
    "PartOut": PART,
    "RecordingOut": {
        "recording_id": ULID, "creator_id": "6812345678901234567", "handle": "nightowl.cooks",
        "room_id": "7301234567890123456", "title": "ramen at midnight", "name": None, "state": "completed",
        "failure": None, "live_started_at": MOMENT, "detected_at": MOMENT, "started_at": MOMENT,
        "first_committed_at": MOMENT, "ended_at": ENDED, "stop_requested": False, "can_retry": False, "pinned": False,
        "deleted_at": None, "cost_usd": 0.04, "bytes": 812_345_678, "duration": 5391.2, "has_preview": False,
        "parts": [PART],
    },
    "Problem": {
        "type": "urn:wentlive:problem:no-such-recording", "title": "Not Found", "status": 404,
        "detail": "There is no such recording.",
    },
}  # fmt: skip
