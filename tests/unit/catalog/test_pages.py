"""The pages as a browser without scripts uses them."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from bs4 import BeautifulSoup
from wentlive_catalog.testing import RecordingStory
from wentlive_catalog.web import words
from wentlive_catalog.web.assets import STATIC
from wentlive_common.events import BroadcastWentLive, CreatorRestricted, new_event
from wentlive_common.model import RestrictionReason

AT = datetime(2026, 11, 20, 20, 0, tzinfo=UTC)
HTML = {"accept": "text/html"}


def parsed(answer: Any) -> BeautifulSoup:
    return BeautifulSoup(answer.text, "html.parser")


async def test_signing_in_by_form_leads_back(catalog: Any) -> None:
    client = catalog.client
    wanted = await client.get("/recordings/01arz3ndektsv4rrffq69g5fav", headers=HTML)
    assert wanted.headers["location"] == "/login?next=/recordings/01arz3ndektsv4rrffq69g5fav"
    form = {"username": "admin", "password": "correct horse battery", "next": "/?before=x"}
    assert "do not go together" in (await client.post("/login", data=form | {"password": "no"})).text
    done = await client.post("/login", data=form)
    assert (done.status_code, done.headers["location"]) == (303, "/?before=x")
    assert (await client.post("/logout")).headers["location"] == "/login"
    assert (await client.get("/")).status_code == 303


async def test_following_and_unfollowing_by_form(catalog: Any) -> None:
    client = await catalog.sign_in()
    assert "Three steps" in (await client.get("/")).text
    assert (await client.post("/creators", data={"creator": "@Owl"})).headers["location"] == "/"
    page = parsed(await client.get("/"))
    assert page.select_one("#creator-owl .status-word").text == "Checking…"  # type: ignore[union-attr]
    assert "Waiting for the first live" in page.text
    assert (await client.post("/creators/owl/unfollow")).headers["location"] == "/"
    assert "Three steps" in (await client.get("/")).text


async def test_a_wrong_name_is_explained_where_it_was_typed(catalog: Any) -> None:
    client = await catalog.sign_in()
    page = await client.post("/creators", data={"creator": '"><script>'})
    field = parsed(page).select_one("#follow-name")
    assert page.status_code == 422
    assert field is not None
    assert field["value"] == '"><script>'
    assert field["aria-invalid"] == "true"
    fragment = await client.post("/creators", data={"creator": "!"}, headers={"hx-request": "true"})
    assert fragment.status_code == 422
    assert parsed(fragment).select_one("#follow-error") is not None
    assert "<html" not in fragment.text


async def test_why_a_creator_cannot_be_seen_is_said_in_words(catalog: Any) -> None:
    client = await catalog.sign_in()
    restrictions: dict[str, RestrictionReason] = {"owl": "not_found", "fox": "age"}
    for handle, reason in restrictions.items():
        await client.post("/api/v1/creators", json={"creator": handle})
        await catalog.bus.publish(new_event(CreatorRestricted(handle=handle, reason=reason, since=AT), "watcher"))
    await catalog.bus.drain()
    page = (await client.get("/")).text
    assert words.RESTRICTION["not_found"] in page
    assert words.RESTRICTION["age"] in page


async def test_a_recording_that_never_began_is_not_called_safe(catalog: Any) -> None:
    client = await catalog.sign_in()
    story = RecordingStory("owl", "7", "8", AT)
    await catalog.bus.publish(story.requested())
    await catalog.bus.publish(story.recovering("The stream is <b>not</b> FLV."))
    await catalog.bus.drain()
    page = await client.get(f"/recordings/{story.recording_id}")
    assert "Nothing could be recorded yet" in page.text
    assert "Last reason: The stream is &lt;b&gt;not&lt;/b&gt; FLV." in page.text
    assert "is safe" not in page.text
    await catalog.bus.publish(story.part_opened(story.part(1, size=5_000_000, duration=8, fragments=2)))
    await catalog.bus.publish(story.recovering("The stream was dropped."))
    await catalog.bus.drain()
    page = await client.get(f"/recordings/{story.recording_id}")
    assert "What was recorded is safe" in page.text
    assert "The stream was dropped." in page.text


async def test_who_is_followed_again_is_not_live_by_what_was_known_long_ago(catalog: Any) -> None:
    client = await catalog.sign_in()
    await client.post("/creators", data={"creator": "owl"})
    live = BroadcastWentLive(creator_id="7", room_id="8", handle="owl", sequence=1, at=AT)
    await catalog.bus.publish(new_event(live, "watcher"))
    await catalog.bus.drain()
    assert "Live" in parsed(await client.get("/")).select_one("#creator-owl .status-word").text  # type: ignore[union-attr]
    await client.post("/creators/owl/unfollow")
    await client.post("/creators", data={"creator": "owl"})
    assert parsed(await client.get("/")).select_one("#creator-owl .status-word").text == "Checking…"  # type: ignore[union-attr]


async def test_a_failed_recording_shows_its_reason(catalog: Any) -> None:
    client = await catalog.sign_in()
    story = RecordingStory("owl", "7", "8", AT)
    await catalog.bus.publish(story.failed(AT, "TikTok sent a page, no video."))
    await catalog.bus.drain()
    assert "TikTok sent a page, no video." in (await client.get("/")).text
    page = parsed(await client.get(f"/recordings/{story.recording_id}"))
    failure = page.select_one(".failure")
    assert failure is not None
    assert "TikTok sent a page, no video." in failure.text
    assert "Nothing was recorded." in page.text


async def test_one_finished_part_plays_without_scripts_and_more_are_listed(catalog: Any) -> None:
    client = await catalog.sign_in()
    story = RecordingStory("owl", "7", "8", AT)
    await catalog.bus.publish(story.part_closed(story.part(1, size=10, duration=2, fragments=1, closed=True)))
    await catalog.bus.publish(story.completed(AT + timedelta(seconds=5)))
    await catalog.bus.drain()
    url = f"/recordings/{story.recording_id}"
    page = parsed(await client.get(url))
    assert page.select_one("video")["src"] == f"{url}/parts/a1-p1/video.mp4"  # type: ignore[index]
    assert not page.select("script[src*=hls]")
    for leaf in ("video.mp4", "download"):
        moved = await client.get(f"{url}/parts/a1-p1/{leaf}")
        assert moved.status_code == 302
        assert moved.headers["location"].startswith("http://storage.test/wentlive/recordings/7/2026/11/20/")
    await catalog.bus.publish(story.part_closed(story.part(2, size=10, duration=2, fragments=1, closed=True)))
    await catalog.bus.drain()
    page = parsed(await client.get(url))
    assert page.select("script[src*=hls]")
    assert len(page.select(".parts a[download]")) == 2


async def test_older_recordings_are_a_link_away(catalog: Any) -> None:
    client = await catalog.sign_in()
    for n in range(70):
        await catalog.bus.publish(RecordingStory("owl", "7", str(n + 1), AT).failed(AT, "no"))
    await catalog.bus.drain()
    assert parsed(await client.get("/")).select_one("a[href='/library']") is not None
    first = parsed(await client.get("/library"))
    older = parsed(await client.get(str(first.select_one("a[rel=next]")["href"])))  # type: ignore[index]
    seen = [str(card["id"]) for page in (first, older) for card in page.select(".card")]
    assert len(seen) == len(set(seen)) == 70


@pytest.mark.parametrize(
    "path", ["/nothing", "/recordings/01arz3ndektsv4rrffq69g5fav", "/recordings/x", "/library?after=!"]
)
async def test_errors_are_pages_for_people(catalog: Any, path: str) -> None:
    client = await catalog.sign_in()
    answer = await client.get(path, headers=HTML)
    assert answer.status_code in (404, 422)
    assert parsed(answer).select_one("main h1") is not None


async def test_no_page_holds_inline_script_or_style(catalog: Any) -> None:
    client = await catalog.sign_in()
    story = RecordingStory("owl", "7", "8", AT)
    await client.post("/api/v1/creators", json={"creator": "owl"})
    await catalog.bus.publish(story.part_opened(story.part(1, size=10, duration=2, fragments=1)))
    await catalog.bus.drain()
    places = ["/library", "/creators", "/creators/owl", "/activity", "/system", "/settings", "/login", "/nothing"]
    for path in ("/", f"/recordings/{story.recording_id}", *places):
        page = parsed(await client.get(path, headers=HTML))
        assert not [script for script in page.select("script") if not script.get("src")]
        assert not page.select("style, [style]")
        assert not [name for tag in page.find_all(True) for name in tag.attrs if re.match(r"on[a-z]|hx-on", name)]


async def test_assets_may_be_kept_because_their_address_says_which_they_are(catalog: Any) -> None:
    page = (await catalog.client.get("/login")).text
    for address in re.findall(r'"(/static/[^"]+)"', page):
        answer = await catalog.client.get(address)
        assert answer.status_code == 200
        assert "immutable" in answer.headers["cache-control"]
    assert (await catalog.client.get("/static/../settings.py")).status_code in (303, 404)


def test_no_script_names_a_source_map_that_is_not_there() -> None:
    assert not [file for file in Path(STATIC).rglob("*.js") if b"sourceMappingURL" in file.read_bytes()]


def test_sizes_lengths_and_moments_read_well() -> None:
    assert [words.size(n) for n in (0, 999, 12_345, 9_940_000, 123_400_000, 1_250_000_000, 2 * 10**12)] == [
        "0 B", "999 B", "12 kB", "9.9 MB", "123 MB", "1.25 GB", "2.00 TB",
    ]  # fmt: skip
    assert [words.duration(s) for s in (7.9, 754, 3723)] == ["0:07", "12:34", "1:02:03"]
    ages = [5, 300, 7200, 90_000, 4 * 86_400, 40 * 86_400]
    assert [words.ago(AT - timedelta(seconds=s), AT) for s in ages] == [
        "just now", "5 min ago", "2 h ago", "yesterday", "4 days ago", "11 Oct 2026",
    ]  # fmt: skip
