"""Filters, numbers, exports and the feed, over the API."""

import csv
import io
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree

import httpx
import pytest
from wentlive_catalog.testing import RecordingStory

from .conftest import Catalog

AT = datetime(2026, 11, 20, 20, 0, tzinfo=UTC)
TITLES = ("ramen night", "=cmd()|' /C calc'!A0", "quiet\x07 morning")


@pytest.fixture
async def filled(catalog: Catalog) -> httpx.AsyncClient:
    for number, title in enumerate(TITLES):
        at = AT + timedelta(days=number)
        story = RecordingStory("owl" if number else "fox", "7", str(number + 1), at, title=title)
        part = story.part(1, size=2**30, duration=600.0 * (number + 1), fragments=9, closed=True)
        for event in (story.requested(), story.part_closed(part), story.completed(at + timedelta(minutes=10))):
            await catalog.bus.publish(event)
    await catalog.bus.drain()
    return await catalog.sign_in()


async def test_filters_sort_and_pages(filled: httpx.AsyncClient) -> None:
    async def titles(**query: str) -> list[str]:
        answer = await filled.get("/api/v1/recordings", params=query)
        assert answer.status_code == 200, answer.text
        return [item["title"] for item in answer.json()["items"]]

    assert await titles(q="RAM nig") == [TITLES[0]]
    assert await titles(creator="@owl") == [TITLES[2], TITLES[1]]
    assert await titles(sort="shortest") == list(TITLES)
    assert await titles(min_duration="1000", max_duration="1300") == [TITLES[1]]
    assert await titles(since="2026-11-21T00:00:00Z", until="2026-11-22T00:00:00Z") == [TITLES[1]]
    assert await titles(min_bytes=str(2**30 + 1)) == []
    assert await titles(pinned="true") == []
    assert await titles(binned="true") == []
    assert await titles(following="true") == []
    first = (await filled.get("/api/v1/recordings", params={"sort": "longest", "limit": "2"})).json()
    rest = await titles(sort="longest", cursor=first["next_cursor"])
    assert rest == [TITLES[0]]
    wrong = await filled.get("/api/v1/recordings", params={"sort": "largest", "cursor": first["next_cursor"]})
    assert wrong.status_code == 422


async def test_numbers(filled: httpx.AsyncClient) -> None:
    totals = (await filled.get("/api/v1/stats/totals")).json()
    assert totals["library"] == {"recordings": 3, "bytes": 3 * 2**30, "duration": 3600.0, "cost_usd": 0.0}
    assert totals["storage"]["usd_per_month"] == pytest.approx(3 * 0.0184, abs=1e-4)
    days = (await filled.get("/api/v1/stats/days", params={"limit": "2"})).json()["items"]
    assert [day["day"] for day in days] == ["2026-11-22", "2026-11-21"]
    creators = (await filled.get("/api/v1/stats/creators")).json()["items"]
    assert [(one["handle"], one["recordings"]) for one in creators] == [("owl", 2), ("fox", 1)]
    hours = (await filled.get("/api/v1/stats/live-hours", params={"creator": "owl"})).json()
    assert hours["lives"] == 2
    assert hours["seconds"][40] == 1200
    assert len(hours["seconds"]) == 48


async def test_exports_hold_all_and_no_formula(filled: httpx.AsyncClient) -> None:
    table = await filled.get("/api/v1/exports/recordings.csv")
    assert table.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(table.text)))
    assert [row["title"] for row in rows] == [TITLES[2], "'" + TITLES[1], TITLES[0]]
    whole = (await filled.get("/api/v1/exports/recordings.json")).json()
    assert [one["title"] for one in whole] == list(reversed(TITLES))
    assert (await filled.get("/api/v1/exports/recordings.json", params={"q": "zzz"})).json() == []
    assert (await filled.get("/api/v1/exports/recordings.xml")).status_code == 422


async def test_a_feed_reader_gets_what_was_recorded_last(filled: httpx.AsyncClient) -> None:
    feed = await filled.get("/feeds/recordings.rss", params={"creator": "owl"})
    assert feed.headers["content-type"].startswith("application/rss+xml")
    items = ElementTree.fromstring(feed.content).findall("channel/item")  # noqa: S314 - our own
    assert [item.findtext("title") for item in items] == ["@owl: quiet  morning", f"@owl: {TITLES[1]}"]
    assert items[0].findtext("pubDate") == "Sun, 22 Nov 2026 20:10:00 GMT"


async def test_a_feed_takes_a_token_in_the_address_and_that_token_opens_nothing_else(filled: httpx.AsyncClient) -> None:
    made = await filled.post("/api/v1/tokens", json={"name": "reader", "scopes": ["feed"]})
    assert made.status_code == 201, made.text
    token = made.json()["token"]
    filled.cookies.clear()
    assert (await filled.get("/feeds/recordings.rss")).status_code in (303, 401)
    assert (await filled.get("/feeds/recordings.rss", params={"token": token})).status_code == 200
    assert (await filled.get("/feeds/recordings.rss", params={"token": "wrong"})).status_code in (303, 401)
    headers = {"authorization": f"Bearer {token}"}
    assert (await filled.get("/api/v1/recordings", headers=headers)).status_code == 403
