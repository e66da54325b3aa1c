"""Library, Creators, Activity, System and Settings as a browser without scripts uses them."""

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from bs4 import BeautifulSoup
from wentlive_catalog.domain.library import DayTotals, LiveSpan
from wentlive_catalog.testing import RecordingStory
from wentlive_catalog.web.charts import bars, heat_map
from wentlive_catalog.web.sought import Sought

AT = datetime(2026, 11, 20, 20, 0, tzinfo=UTC)


def parsed(answer: Any) -> BeautifulSoup:
    assert answer.status_code == 200, answer.text
    return BeautifulSoup(answer.text, "html.parser")


async def finished(catalog: Any, handle: str = "owl", **more: Any) -> RecordingStory:
    story = RecordingStory(handle, "7", "8", AT, **more)
    await catalog.bus.publish(story.part_closed(story.part(1, size=10**6, duration=700, fragments=9, closed=True)))
    await catalog.bus.publish(story.completed(AT + timedelta(seconds=700)))
    await catalog.bus.drain()
    return story


async def shown(client: Any, path: str) -> list[str]:
    return [str(card["id"]).removeprefix("rec-") for card in parsed(await client.get(path)).select(".card")]


async def test_the_library_finds_by_words_and_filters(catalog: Any) -> None:
    client = await catalog.sign_in()
    ramen, soup = await finished(catalog, title="late ramen"), await finished(catalog, handle="fox", title="soup")
    assert await shown(client, "/library") == [soup.recording_id, ramen.recording_id]
    assert await shown(client, "/library?order=oldest&q=&state=&when=&length=&only=") == [
        ramen.recording_id, soup.recording_id
    ]  # fmt: skip
    assert await shown(client, "/library?q=ram&length=medium&state=completed") == [ramen.recording_id]
    assert await shown(client, "/library?creator=@fox") == [soup.recording_id]
    for nothing in ("q=nobody", "length=long", "state=failed", "only=pinned", "only=following", "only=bin"):
        assert await shown(client, f"/library?{nothing}") == []


async def test_what_is_deleted_by_form_can_be_undone(catalog: Any) -> None:
    client = await catalog.sign_in()
    one, other = await finished(catalog), await finished(catalog)
    form = {"action": "delete", "recording_id": [one.recording_id, other.recording_id], "back": "/library?q=owl"}
    told = await client.post("/library", data=form)
    assert told.status_code == 303
    page = parsed(await client.get(told.headers["location"]))
    assert "Deleted 2 recordings." in page.select_one("#toasts").text  # type: ignore[union-attr]
    assert not page.select(".card")
    fields = page.select("#toasts input[name=recording_id]")
    undo = {
        "action": "restore",
        "recording_id": [str(field["value"]) for field in fields],
        "back": told.headers["location"],
    }
    undone = await client.post("/library", data=undo)
    assert parse_qs(urlsplit(undone.headers["location"]).query)["done"] == ["restore"]
    assert len(await shown(client, undone.headers["location"])) == 2


async def test_what_may_not_be_deleted_is_told(catalog: Any) -> None:
    client = await catalog.sign_in()
    story = RecordingStory("owl", "7", "8", AT)
    await catalog.bus.publish(story.requested())
    await catalog.bus.drain()
    told = await client.post(
        "/library", data={"action": "delete", "recording_id": story.recording_id, "back": "//evil"}
    )
    assert told.headers["location"] == "/?done=delete&refused=1"
    page = parsed(await client.get("/library?done=delete&refused=1"))
    assert "1 recording refused" in page.select_one("#toasts .bad").text  # type: ignore[union-attr]


async def test_a_recording_can_be_named(catalog: Any) -> None:
    client = await catalog.sign_in()
    story = await finished(catalog, title="untitled")
    await client.post(f"/recordings/{story.recording_id}/name", data={"name": "The ramen\nnight"})
    assert "The ramennight" in (await client.get("/library?q=ramennight")).text


async def test_a_creator_is_settled_and_their_hours_are_drawn(catalog: Any) -> None:
    client = await catalog.sign_in()
    await client.post("/creators", data={"creator": "owl", "back": "/creators"})
    await finished(catalog)
    page = parsed(await client.get("/creators/owl"))
    assert len(page.select(".heat rect")) == 7 * 24
    assert page.select(".heat .heat-4")
    form = {"quality": "720", "interval": "eager", "max_age_days": "30", "max_count": ""}
    assert (await client.post("/creators/owl/settings", data=form)).status_code == 303
    preferred = {"paused": "true", "own": "true", "notice": ["went_live"]}
    assert (await client.post("/creators/owl/follow", data=preferred)).status_code == 303
    page = parsed(await client.get("/creators/owl"))
    assert [str(one["value"]) for one in page.select("option[selected]")] == ["720", "eager"]
    assert page.select_one("[name=max_age_days]")["value"] == "30"  # type: ignore[index]
    assert [str(one["value"]) for one in page.select("[name=notice][checked]")] == ["went_live"]
    wrong = await client.post("/creators/owl/settings", data=form | {"max_count": "many"})
    assert wrong.status_code == 422


async def test_a_whole_list_is_followed(catalog: Any) -> None:
    client = await catalog.sign_in()
    page = parsed(await client.post("/creators/import", data={"text": "@owl\n!!\nUsername: fox"}))
    assert {str(one["id"]) for one in page.select(".creator")} == {"creator-owl", "creator-fox"}
    assert len(page.select(".bad-text")) == 1


async def test_failures_are_listed_with_a_way_to_try_again(catalog: Any) -> None:
    client = await catalog.sign_in()
    await client.post("/creators", data={"creator": "owl"})
    story = RecordingStory("owl", "7", "8", AT)
    await catalog.bus.publish(story.started())
    await catalog.bus.publish(story.recovering("The stream was dropped."))
    await catalog.bus.publish(story.failed(AT, "TikTok sent a page, no video."))
    await catalog.bus.drain()
    page = parsed(await client.get("/activity?show=failed"))
    job = page.select_one(f"#job-{story.recording_id}")
    assert job is not None
    assert "2 attempts" in job.text
    assert "The stream was dropped." in job.select_one(".moments").text  # type: ignore[union-attr]
    form = job.select_one("form")
    assert form is not None
    again = await client.post(str(form["action"]), data={"back": "/activity"})
    assert again.headers["location"] == "/activity"
    assert not parsed(await client.get("/activity")).select(".job")


async def test_the_system_page_says_how_everything_is(catalog: Any) -> None:
    client = await catalog.sign_in()
    await finished(catalog)
    page = parsed(await client.get("/system"))
    assert "Database works" in page.select_one(".service").get_text(" ", strip=True)  # type: ignore[union-attr]
    assert "1.0 MB" in page.select_one(".tiles").text  # type: ignore[union-attr]
    assert len(page.select(".bars")) == 2


async def test_tokens_are_made_shown_once_and_revoked(catalog: Any) -> None:
    client = await catalog.sign_in()
    made = parsed(await client.post("/settings/tokens", data={"name": "x", "scopes": ["read"], "lifetime_days": "3"}))
    text = made.select_one(".notice pre").text  # type: ignore[union-attr]
    assert text.startswith("wl_")
    page = parsed(await client.get("/settings"))
    assert text not in page.text
    await client.post(str(page.select_one("#tokens form[action$=revoke]")["action"]))  # type: ignore[index]
    assert "You have none." in (await client.get("/settings")).text
    wrong = await client.post("/settings/tokens", data={"name": "x", "lifetime_days": "3"})
    assert (wrong.status_code, "Scopes:" in wrong.text) == (422, True)


async def test_people_are_let_in_changed_and_let_go(catalog: Any) -> None:
    client = await catalog.sign_in()
    form = {"username": "Ann", "password": "long enough", "role": "viewer"}
    assert "ann can sign in now." in (await client.post("/settings/users", data=form)).text
    assert (await client.post("/settings/users", data=form)).status_code == 409
    await client.post("/settings/users/ann", data={"role": "member", "disabled": "true"})
    assert "locked out" in (await client.get("/settings")).text
    assert (await client.post("/settings/users/ann/delete")).headers["location"] == "/settings#users"
    refused = await client.post("/settings/users/admin/delete")
    assert (refused.status_code, 'role="alert"' in refused.text) == (409, True)


async def test_retention_is_set_and_what_it_would_take_is_told(catalog: Any) -> None:
    client = await catalog.sign_in()
    await finished(catalog)
    form = {"max_age_days": "1", "max_gb": "5", "bin_days": "0"}
    assert (await client.post("/settings/retention", data=form)).status_code == 303
    page = parsed(await client.get("/settings"))
    assert page.select_one("[name=max_gb]")["value"] == "5"  # type: ignore[index]
    wrong = await client.post("/settings/retention", data=form | {"bin_days": "1000"})
    assert wrong.status_code == 422


async def test_a_viewer_sees_neither_people_nor_what_changes_recordings(catalog: Any) -> None:
    await finished(catalog)
    viewer = await catalog.person("vic", "viewer")
    async with viewer:
        settings = parsed(await viewer.get("/settings"))
        assert settings.select_one("#users") is None
        library = parsed(await viewer.get("/library"))
        assert library.select_one("#batch") is None
        assert not library.select(".choose")
        assert (await viewer.post("/settings/users", data={"username": "x"})).status_code == 403


def test_hours_and_days_become_shapes() -> None:
    span = LiveSpan(started_at=AT, ended_at=AT + timedelta(minutes=90))
    row = heat_map([span], AT)[AT.weekday()]
    assert [(cell.hour, cell.minutes, cell.level) for cell in row if cell.level] == [(20, 60, 4), (21, 30, 3)]
    assert {cell.level for row in heat_map([], AT) for cell in row} == {0}
    drawn = bars([DayTotals(day="2026-11-20", bytes=10), DayTotals(day="2026-11-19", bytes=5)], "bytes", AT.date())
    assert [bar.height for bar in drawn[-3:]] == [0, 50, 100]


@pytest.mark.parametrize(
    ("found", "query"), [(Sought(), ""), (Sought(q="a&b", order="oldest"), "?q=a%26b&order=oldest")]
)
def test_a_search_is_an_address(found: Sought, query: str) -> None:
    assert found.query() == query
