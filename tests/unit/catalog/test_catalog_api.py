"""The REST API over ASGI: what it takes, tells, and refuses."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from wentlive_catalog.openapi import document_text
from wentlive_catalog.testing import RecordingStory
from wentlive_common.events import CreatorFollowed, CreatorProfileChanged, RecordingStopRequested, new_event

AT = datetime(2026, 11, 20, 20, 0, tzinfo=UTC)
SHARED = "Check out Owl's LIVE! https://vm.tiktok.com/ZM123/"
UNKNOWN = "01arz3ndektsv4rrffq69g5fav"
OPENAPI = Path(__file__).parents[3] / "docs" / "openapi.json"


async def tell(catalog: Any, *events: Any) -> None:
    for event in events:
        await catalog.bus.publish(event)
    await catalog.bus.drain()


async def live_recording(catalog: Any, handle: str = "owl", room: str = "8") -> RecordingStory:
    story = RecordingStory(handle, "7", room, AT, title="ramen")
    part = story.part(1, size=5000, duration=8, fragments=2)
    await tell(catalog, story.requested(), story.started(), story.part_opened(part))
    return story


async def events_of(catalog: Any) -> list[Any]:
    return [event.data for event in await catalog.app.context.store.pending(100)]


async def test_following_by_link_and_handle(catalog: Any) -> None:
    client = await catalog.sign_in()
    first = await client.post("/api/v1/creators", json={"creator": "https://www.tiktok.com/@Night.Owl/live"})
    again = await client.post("/api/v1/creators", json={"creator": "@night.owl"})
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json()["status"] == "checking"
    profile = CreatorProfileChanged(handle="night.owl", creator_id="7", nickname="Owl", follower_count=3)
    await tell(catalog, new_event(profile, "watcher"))
    shown = (await client.get("/api/v1/creators/night.owl")).json()
    assert (shown["nickname"], shown["status"], shown["creator_id"]) == ("Owl", "offline", "7")
    assert [event.handle for event in await events_of(catalog) if isinstance(event, CreatorFollowed)] == ["night.owl"]


async def test_what_the_app_shares_is_looked_up(catalog: Any) -> None:
    client = await catalog.sign_in()
    catalog.links.links[SHARED] = "owl"
    shared = await client.post("/api/v1/creators", json={"creator": SHARED})
    assert (shared.status_code, shared.json()["handle"]) == (201, "owl")
    later = await client.post("/api/v1/creators", json={"creator": "https://vt.tiktok.com/ZM9/"})
    assert later.status_code == 503
    assert "Paste the name" in later.json()["detail"]
    form = await client.post("/creators", data={"creator": "https://vt.tiktok.com/ZM9/"})
    assert form.status_code == 503
    assert "Paste the name" in form.text
    elsewhere = await client.post("/api/v1/creators", json={"creator": "https://elsewhere.example/@owl"})
    assert elsewhere.status_code == 422


async def test_unfollowing_and_checking_tell_the_watcher(catalog: Any) -> None:
    client = await catalog.sign_in()
    await client.post("/api/v1/creators", json={"creator": "owl"})
    assert (await client.post("/api/v1/creators/owl/check")).status_code == 202
    assert (await client.delete("/api/v1/creators/owl")).status_code == 204
    assert (await client.delete("/api/v1/creators/owl")).status_code == 404
    assert (await client.post("/api/v1/creators/owl/check")).status_code == 404
    assert [event.TYPE for event in await events_of(catalog)] == [
        "creator.followed",
        "creator.check_requested",
        "creator.unfollowed",
    ]


@pytest.mark.parametrize("text", ["", "no such name!", "https://example.com/@owl", "a" * 25])
async def test_a_name_that_cannot_be_one_is_explained(catalog: Any, text: str) -> None:
    client = await catalog.sign_in()
    answer = await client.post("/api/v1/creators", json={"creator": text})
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert "TikTok" in answer.json()["detail"]
    assert (await client.get("/api/v1/creators")).json() == {"items": []}


async def test_a_recording_with_its_parts(catalog: Any) -> None:
    client = await catalog.sign_in()
    story = await live_recording(catalog)
    shown = (await client.get(f"/api/v1/recordings/{story.recording_id}")).json()
    assert (shown["state"], shown["bytes"], shown["duration"], shown["title"]) == ("recording", 5000, 8.0, "ramen")
    assert shown["parts"][0]["name"] == "a1-p1"
    assert shown["first_committed_at"] == "2026-11-20T20:00:00.000Z"


async def test_pages_of_recordings_are_newest_first_and_complete(catalog: Any) -> None:
    client = await catalog.sign_in()
    stories = [RecordingStory("owl" if n % 2 else "fox", str(n % 2), str(n + 1), AT) for n in range(7)]
    await tell(catalog, *(story.requested() for story in stories))
    seen: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = (await client.get("/api/v1/recordings", params={"limit": 3, **cursor})).json()
        seen += [item["recording_id"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert seen == sorted((story.recording_id for story in stories), reverse=True)
    owls = (await client.get("/api/v1/recordings", params={"creator": "@owl"})).json()["items"]
    assert len(owls) == 3
    none = await client.get("/api/v1/recordings", params={"state": ["completed", "failed"]})
    assert none.json()["items"] == []


@pytest.mark.parametrize(
    "query", [{"cursor": "!!"}, {"cursor": "AAAA"}, {"limit": "0"}, {"state": "gone"}, {"creator": "no/one"}]
)
async def test_odd_queries_are_refused(catalog: Any, query: dict[str, str]) -> None:
    client = await catalog.sign_in()
    assert (await client.get("/api/v1/recordings", params=query)).status_code == 422


async def test_stopping_asks_once_and_never_what_is_over(catalog: Any) -> None:
    client = await catalog.sign_in()
    story = await live_recording(catalog)
    url = f"/api/v1/recordings/{story.recording_id}/stop"
    assert (await client.post(url)).json()["stop_requested"] is True
    assert (await client.post(url)).status_code == 202
    assert sum(isinstance(event, RecordingStopRequested) for event in await events_of(catalog)) == 1
    await tell(catalog, story.completed(AT + timedelta(minutes=1)))
    assert (await client.post(url)).status_code == 409


async def test_a_link_is_for_one_blob_reads_only_and_expires(catalog: Any) -> None:
    client = await catalog.sign_in()
    story = await live_recording(catalog)
    url = f"/api/v1/recordings/{story.recording_id}/parts/a1-p1/links"
    answer = await client.post(url, json={"lifetime_seconds": 60, "download": True})
    assert answer.status_code == 201
    link = urlsplit(answer.json()["url"])
    query = parse_qs(link.query)
    assert link.path == f"/wentlive/recordings/{story.stem(1, 1)}.mp4"
    assert (query["sp"], query["sr"]) == (["r"], ["b"])
    assert query["rscd"] == ['attachment; filename="owl_2026-11-20_20-00_a1-p1.mp4"']
    expires = datetime.fromisoformat(answer.json()["expires_at"])
    assert timedelta(seconds=50) < expires - datetime.now(UTC) <= timedelta(seconds=61)
    assert expires.microsecond == 0
    poster = await client.post(url, json={"of": "poster"})
    assert urlsplit(poster.json()["url"]).path.endswith("a1-p1.jpg")
    for bad in ({"lifetime_seconds": 0}, {"lifetime_seconds": 86_401}, {"of": "index"}):
        assert (await client.post(url, json=bad)).status_code == 422
    assert (await client.post(url.replace("a1-p1", "a9-p1"), json={})).status_code == 404


async def test_preview_and_storyboard_are_led_to_while_there_are_any(catalog: Any) -> None:
    client = await catalog.sign_in()
    story = await live_recording(catalog)
    url = f"/api/v1/recordings/{story.recording_id}"
    paths = ("preview.jpg", "parts/a1-p1/storyboard.jpg", "parts/a1-p1/storyboard.vtt")
    assert [(await client.get(f"{url}/{path}")).status_code for path in paths] == [404] * 3
    part = story.part(1, size=200_000, duration=8.0, fragments=9, all_pictures=True)
    await tell(catalog, story.progressed(part))
    for path, blob in zip(paths, (part.preview_blob, part.storyboard_blob, part.storyboard_track_blob), strict=True):
        moved = await client.get(f"{url}/{path}")
        assert moved.status_code == 302
        assert urlsplit(moved.headers["location"]).path == f"/wentlive/recordings/{blob}"
        assert moved.headers["cache-control"] == "private, max-age=20"
    shown = (await client.get(url)).json()
    assert (shown["has_preview"], shown["parts"][0]["has_storyboard"]) == (True, True)
    page = (await client.get(f"/recordings/{story.recording_id}")).text
    assert f'poster="{url}/preview.jpg?at=0"' in page
    links = f"{url}/parts/a1-p1/links"
    for kind, ending in (("storyboard", ".storyboard.jpg"), ("storyboard_track", ".storyboard.vtt")):
        link = (await client.post(links, json={"of": kind, "download": True})).json()["url"]
        assert urlsplit(link).path.endswith(f"a1-p1{ending}")
        assert parse_qs(urlsplit(link).query)["rscd"][0].endswith(f'a1-p1{ending}"')
    await tell(catalog, story.completed(AT + timedelta(minutes=1)))
    assert (await client.get(f"{url}/preview.jpg")).status_code == 404
    assert f'poster="{url}/poster.jpg"' in (await client.get(f"/recordings/{story.recording_id}")).text


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/v1/nothing", 404),
        ("PUT", "/api/v1/creators", 405),
        ("GET", f"/api/v1/recordings/{UNKNOWN}", 404),
        ("GET", "/api/v1/recordings/not-an-id", 422),
        ("GET", f"/api/v1/recordings/{UNKNOWN}/playlist.m3u8", 404),
        ("POST", f"/api/v1/recordings/{UNKNOWN}/stop", 404),
    ],
)
async def test_every_error_is_a_problem(catalog: Any, method: str, path: str, status: int) -> None:
    client = await catalog.sign_in()
    answer = await client.request(method, path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == status


async def test_a_bug_is_a_problem_that_tells_nothing(catalog: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    client = await catalog.sign_in()

    async def broken(*_: object) -> None:
        raise RuntimeError("secret inside")

    monkeypatch.setattr(type(catalog.app.context.store), "followed_creators", broken)
    answer = await client.get("/api/v1/creators")
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert "secret" not in answer.text


def test_the_committed_openapi_document_is_current() -> None:
    assert OPENAPI.read_text() == document_text(), "run: python -m wentlive_catalog.openapi > docs/openapi.json"


def test_every_operation_says_what_it_may_answer() -> None:
    paths = json.loads(document_text())["paths"]
    operations = [operation for path in paths.values() for operation in path.values()]
    names = [operation["operationId"] for operation in operations]
    assert len(set(names)) == len(names) >= 14
    assert all({"401", "403"} <= operation["responses"].keys() for operation in operations)
