"""Links that are given away: what they show, how often, to whom, and that taking them back works."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from wentlive_catalog.domain.links import LINKS
from wentlive_catalog.testing import RecordingStory

AT = datetime(2026, 11, 20, 20, 0, tzinfo=UTC)


@pytest.fixture
async def story(catalog: Any) -> RecordingStory:
    story = RecordingStory("owl", "7", "8", AT, title="<b>ramen</b>")
    events = [story.requested(), story.started()]
    for number in (1, 2):
        part = story.part(number, size=5000, duration=8, fragments=2, closed=True)
        events += [story.part_opened(part), story.part_closed(part)]
    for event in [*events, story.completed(AT + timedelta(minutes=5))]:
        await catalog.bus.publish(event)
    await catalog.bus.drain()
    return story


async def share(client: Any, story: RecordingStory, **body: Any) -> tuple[str, dict[str, Any]]:
    """The path of the link's page, and what the API says of it."""
    answer = await client.post(f"/api/v1/recordings/{story.recording_id}/links", json=body)
    assert answer.status_code == 201
    return urlsplit(answer.json()["url"]).path, answer.json()


async def status(client: Any, path: str) -> int:
    return (await client.get(path)).status_code


async def test_a_link_shows_its_recording_and_nothing_else(catalog: Any, story: RecordingStory) -> None:
    path, made = await share(await catalog.person("ann"), story)
    assert made["url"].startswith("http://catalog.test/l/")
    guest = catalog.browser({})
    page = await guest.get(path)
    assert page.status_code == 200
    assert "&lt;b&gt;ramen&lt;/b&gt;" in page.text
    assert f'playlist="{path}/playlist.m3u8"' in page.text
    assert page.headers["referrer-policy"] == "no-referrer"
    assert "/recordings/" not in page.text.replace("/static/", "")
    for elsewhere in ("/api/v1/recordings", f"/api/v1/recordings/{story.recording_id}", "/", "/api/v1/links"):
        assert await status(guest, elsewhere) in (303, 401)


async def test_what_it_leads_to_is_signed_for_minutes(catalog: Any, story: RecordingStory) -> None:
    path, _ = await share(await catalog.person("ann"), story, lifetime_seconds=86_400)
    guest = catalog.browser({})
    for ending in ("parts/a1-p1/video.mp4", "parts/a1-p2/download", "poster.jpg"):
        moved = await guest.get(f"{path}/{ending}")
        assert moved.status_code == 302
        query = parse_qs(urlsplit(moved.headers["location"]).query)
        assert (query["sp"], query["sr"]) == (["r"], ["b"])
    moved = await guest.get(f"{path}/parts/a1-p1/video.mp4")
    ends = datetime.fromisoformat(parse_qs(urlsplit(moved.headers["location"]).query)["se"][0])
    assert ends - datetime.now(UTC) <= timedelta(minutes=10, seconds=1)


async def test_a_link_to_one_part_without_downloads(catalog: Any, story: RecordingStory) -> None:
    path, _ = await share(await catalog.person("ann"), story, part="a1-p2", download=False)
    guest = catalog.browser({})
    assert await status(guest, f"{path}/parts/a1-p2/video.mp4") == 302
    assert await status(guest, f"{path}/parts/a1-p1/video.mp4") == 404
    assert await status(guest, f"{path}/parts/a1-p1/init.mp4") == 404
    assert await status(guest, f"{path}/parts/a1-p2/download") == 404
    assert "download" not in (await guest.get(path)).text


async def test_a_link_lets_in_so_many_and_each_of_them_again(catalog: Any, story: RecordingStory) -> None:
    ann = await catalog.person("ann")
    path, made = await share(ann, story, max_uses=2)
    first, second, third = (catalog.browser({}) for _ in range(3))
    assert [await status(client, path) for client in (first, first, second, third)] == [200, 200, 200, 404]
    assert await status(first, f"{path}/parts/a1-p1/video.mp4") == 302
    listed = (await ann.get("/api/v1/links")).json()["items"][0]
    assert (listed["uses"], listed["works"], listed["link_id"]) == (2, False, made["link_id"])
    assert listed["used_at"] is not None
    assert "url" not in listed
    forged = {"cookie": f"wentlive_visit={int(datetime.now(UTC).timestamp()) + 999}.{'0' * 64}"}
    for cookie in (forged, {"cookie": "wentlive_visit=."}, {"cookie": "wentlive_visit=x.y"}):
        assert await status(catalog.browser(cookie), path) == 404


async def test_a_pass_of_one_link_opens_no_other(catalog: Any, story: RecordingStory) -> None:
    ann = await catalog.person("ann")
    one, _ = await share(ann, story, max_uses=1)
    other, _ = await share(ann, story, max_uses=1)
    guest, stranger = catalog.browser({}), catalog.browser({})
    assert [await status(guest, one), await status(stranger, other)] == [200, 200]
    shown = {"cookie": f"wentlive_visit={guest.cookies['wentlive_visit']}"}
    assert await status(catalog.browser(shown), one) == 200
    assert await status(catalog.browser(shown), other) == 404


async def test_taking_a_link_back_works_for_who_is_inside_too(catalog: Any, story: RecordingStory) -> None:
    admin, ann, bob = await catalog.sign_in(), await catalog.person("ann"), await catalog.person("bob")
    path, made = await share(ann, story)
    guest = catalog.browser({})
    assert await status(guest, path) == 200
    assert (await bob.delete(f"/api/v1/links/{made['link_id']}")).status_code == 404
    assert (await bob.get("/api/v1/links")).json()["items"] == []
    assert (await bob.get("/api/v1/links", params={"everyones": True})).status_code == 403
    assert len((await admin.get("/api/v1/links", params={"everyones": True})).json()["items"]) == 1
    assert (await ann.delete(f"/api/v1/links/{made['link_id']}")).status_code == 204
    for ending in ("", "/playlist.m3u8", "/parts/a1-p1/video.mp4", "/parts/a1-p1/init.mp4", "/poster.jpg"):
        assert await status(guest, path + ending) == 404
    assert (await ann.get("/api/v1/links")).json()["items"][0]["revoked_at"] is not None


async def test_links_end_by_themselves_with_the_recording_and_with_their_maker(
    catalog: Any, story: RecordingStory
) -> None:
    admin, ann = await catalog.sign_in(), await catalog.person("ann")
    path, made = await share(ann, story)
    links = catalog.app.context.store.documents(LINKS)
    known = await links.get(made["link_id"])
    ended = await links.save(known.model_copy(update={"expires_at": AT}))
    assert await status(catalog.browser({}), path) == 404
    await links.save(ended.model_copy(update={"expires_at": known.expires_at}))
    await admin.delete(f"/api/v1/recordings/{story.recording_id}")
    assert await status(catalog.browser({}), path) == 404
    refused = await ann.post(f"/api/v1/recordings/{story.recording_id}/links", json={})
    assert refused.status_code == 404
    await admin.post(f"/api/v1/recordings/{story.recording_id}/restore")
    assert await status(catalog.browser({}), path) == 200
    await admin.delete("/api/v1/users/ann")
    assert await status(catalog.browser({}), path) == 404


@pytest.mark.parametrize("token", ["x", "x" * 32, "..", "%2e%2e%2f", "' OR 1=1 --", "x" * 5000])
async def test_what_is_no_link_shows_nothing(catalog: Any, token: str) -> None:
    answer = await catalog.browser({}).get(f"/l/{token}")
    assert answer.status_code in (303, 404, 422)


async def test_the_store_holds_no_link(catalog: Any, story: RecordingStory, tmp_path: Path) -> None:
    path, _ = await share(await catalog.person("ann"), story)
    token = path.rpartition("/")[2].encode()
    assert not any(token in file.read_bytes() for file in tmp_path.glob("catalog.db*"))  # noqa: ASYNC240


@pytest.mark.parametrize(
    "body", [{"lifetime_seconds": 1}, {"max_uses": 0}, {"part": "../x"}, {"note": "x" * 201}, {"lifetime_seconds": 1e9}]
)
async def test_odd_links_are_not_made(catalog: Any, story: RecordingStory, body: dict[str, Any]) -> None:
    ann = await catalog.person("ann")
    url = f"/api/v1/recordings/{story.recording_id}/links"
    assert (await ann.post(url, json=body)).status_code == 422
    assert (await ann.post(url, json={"part": "a9-p9"})).status_code == 404
