"""What pages and the API say of the watcher's work: for each state in words, and calmly when it says nothing."""

from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from bs4 import BeautifulSoup
from wentlive_catalog.bootstrap import CatalogApp, bootstrap
from wentlive_catalog.domain.creators import Creator
from wentlive_catalog.domain.watches import EgressStatus, WatchReport, WatchStatus
from wentlive_catalog.settings import CatalogSettings
from wentlive_catalog.testing import FakeWatchStatus, opened_session
from wentlive_catalog.web import stream as stream_module
from wentlive_catalog.web import words
from wentlive_catalog.web.pages import templates
from wentlive_catalog.web.stream import HEARTBEAT, PageStream
from wentlive_catalog.web.watching import Followed, Refusal, Watched
from wentlive_common.bus.memory import InMemoryBus
from wentlive_common.events import CreatorProfileChanged, new_event

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
PASSWORD = "correct horse battery"
STORAGE = (
    "DefaultEndpointsProtocol=http;AccountName=wentlive;AccountKey=a2V5;BlobEndpoint=http://storage.test/wentlive;"
)


def watch(handle: str = "owl", state: str = "offline", **more: Any) -> WatchStatus:
    return WatchStatus.model_validate({"handle": handle, "current_handle": handle, "state": state} | more)


def egress(state: str = "open", name: str = "direct", **more: object) -> EgressStatus:
    facts = {"name": name, "state": state, "since": NOW, "why": "rate_limited", "retry_at": NOW + timedelta(minutes=5)}
    return EgressStatus.model_validate(facts | more)


class Site:
    """A catalog with a watcher that says what it is told to, and a browser that is signed in."""

    def __init__(self, app: CatalogApp, bus: InMemoryBus, client: httpx.AsyncClient, watcher: FakeWatchStatus) -> None:
        self.app, self.bus, self.client, self.watcher = app, bus, client, watcher

    async def follow(self, *handles: str) -> None:
        for handle in handles:
            await self.client.post("/api/v1/creators", json={"creator": handle})

    async def page(self) -> BeautifulSoup:
        return BeautifulSoup((await self.client.get("/")).text, "html.parser")

    async def card(self, handle: str = "owl") -> str:
        found = (await self.page()).select_one(f"#creator-{handle}")
        assert found is not None
        return " ".join(found.get_text(" ", strip=True).split())


@pytest.fixture
async def site(tmp_path: Path) -> AsyncGenerator[Site]:
    values = {
        "port": 0, "store_url": f"sqlite://{tmp_path}/catalog.db", "admin_password": PASSWORD,
        "service_token": "service-token-of-tests", "storage_connection_string": STORAGE,
    }  # fmt: skip
    bus, watcher = InMemoryBus(), FakeWatchStatus()
    async with bootstrap(CatalogSettings.model_validate(values), bus=bus, watches=watcher) as app:
        await app.projections.subscribe(bus)
        transport = httpx.ASGITransport(app.web)
        async with httpx.AsyncClient(transport=transport, base_url="http://catalog.test") as client:
            await client.post("/api/v1/session", json={"username": "admin", "password": PASSWORD})
            yield Site(app, bus, client, watcher)
    await bus.close()


def followed(told: WatchStatus | None) -> Followed:
    return Followed(Creator(handle="owl"), Watched(told=True, watch=told))


@pytest.mark.parametrize(
    ("told", "word", "notes"),
    [
        (watch(state="new"), "Checking…", ["Asking TikTok; this takes a few seconds."]),
        (watch(state="not_found"), "Checking…", ["Asking TikTok; this takes a few seconds."]),
        (watch(state="offline"), "Offline", []),
        (watch(state="live"), "Live", []),
        (watch(state="paused"), "Paused", ["The live is paused; the recording goes on when it does."]),
        (watch(state="merged", merged_into="fox"), "Merged",
         ["The same account as @fox, which is checked and recorded for both."]),
        (watch(current_handle="owl.new"), "Offline", ["Now @owl.new on TikTok."]),
        (watch(state="new", trouble="blocked: rate_limited"), "Checking…",
         ["TikTok refuses our address (too many requests)."]),
        (watch(trouble="blocked: waf"), "Offline", ["TikTok refuses our address (robot check)."]),
        (watch(trouble="blocked: forbidden"), "Offline", ["TikTok refuses our address (access denied)."]),
        (watch(trouble="blocked: login"), "Offline", ["TikTok refuses our address (sign-in wanted)."]),
        (watch(trouble="blocked: country"), "Offline", ["TikTok refuses our address (not served in our country)."]),
        (watch(trouble="blocked: by something new"), "Offline", ["TikTok refuses our address (no reason given)."]),
        (watch(trouble="unknown: TikTok answered with HTTP 500."), "Offline",
         ["The last check told nothing. TikTok answered with HTTP 500."]),
        *((watch(state="restricted", restriction={"reason": reason, "since": NOW}), "Restricted", [text])
          for reason, text in words.RESTRICTION.items() if reason != "not_found"),
        (watch(state="not_found", restriction={"reason": "not_found", "since": NOW}), "Not found",
         [words.RESTRICTION["not_found"]]),
    ],
)  # fmt: skip
def test_each_state_reads_well(told: WatchStatus, word: str, notes: list[str]) -> None:
    assert words.status_word(followed(told)) == word
    assert words.creator_notes(followed(told)) == notes


def test_moments_of_checks_read_well() -> None:
    assert [words.span(s) for s in (0, 12.4, 59.4, 59.6, 90, 3599, 5400, 86_400, 200_000)] == [
        "1 s", "12 s", "59 s", "1 min", "2 min", "60 min", "2 h", "1 day", "2 days",
    ]  # fmt: skip
    assert words.since(words.CHECKED, NOW - timedelta(seconds=12), NOW) == "checked 12 s ago"
    assert words.until(words.NEXT_TRY, NOW + timedelta(minutes=2), NOW) == "next try in 2 min"
    assert words.until(words.NEXT_CHECK, NOW - timedelta(minutes=2), NOW) == "next any moment"
    assert [words.clock(NOW, NOW), words.clock(NOW, NOW + timedelta(days=1))] == ["12:00 UTC", "23 Nov, 12:00 UTC"]


@pytest.mark.parametrize(
    ("refused", "egresses", "whom"),
    [
        ([egress()], 1, "this machine's address"),
        ([egress(name="nl-1")], 1, "the proxy nl-1"),
        ([egress(), egress(name="nl-1")], 2, "all 2 addresses that we ask from"),
        ([egress(name="nl-1")], 3, "1 of our 3 addresses (nl-1)"),
    ],
)
def test_whom_tiktok_refuses(refused: list[EgressStatus], egresses: int, whom: str) -> None:
    assert words.refused_address(Refusal(tuple(refused), egresses)) == whom


def test_the_next_check_waits_until_the_address_has_rested() -> None:
    rested, working = NOW + timedelta(minutes=5), egress("closed", "nl-1")
    assert WatchReport({}, (egress(),)).resting_until(watch()) == rested
    assert WatchReport({}, (egress(), working)).resting_until(watch()) is None
    assert WatchReport({}, (egress(), working)).resting_until(watch(egress="direct")) == rested
    assert WatchReport({}, (egress(), working)).resting_until(watch(egress="gone")) is None
    assert WatchReport().resting_until(watch()) is None


async def test_a_card_says_when(site: Site) -> None:
    await site.follow("owl", "fox")
    now = datetime.now(UTC)
    times: dict[str, Any] = {
        "last_checked_at": now - timedelta(seconds=100),
        "next_check_at": now + timedelta(seconds=200),
    }
    site.watcher.tell(watch(**times))
    assert "Offline · @owl checked 2 min ago · next in 3 min" in await site.card()
    assert "not checked yet" in await site.card("fox")
    moment = (await site.page()).select_one("#checks-owl time")
    assert moment is not None
    assert str(moment["title"]).endswith("UTC")
    site.watcher.tell(watch(trouble="blocked: waf", **times))
    assert "next try in 3 min TikTok refuses our address (robot check)." in await site.card()
    site.watcher.egresses = (egress(retry_at=now + timedelta(hours=2)),)
    assert "next try in 2 h" in await site.card()


async def test_what_was_not_understood_is_shown_as_text_for_a_day(site: Site) -> None:
    await site.follow("owl")
    hostile = '</pre><script>alert("1")</script>'
    site.watcher.tell(watch(trouble="unknown: <i>", evidence=hostile, evidence_at=datetime.now(UTC)))
    page = await site.page()
    shown = page.select_one("#creator-owl details pre")
    assert shown is not None
    assert shown.text == hostile
    assert not page.select("main script, main i")
    site.watcher.tell(watch(evidence=hostile, evidence_at=datetime.now(UTC) - timedelta(days=2)))
    assert (await site.page()).select_one("details") is None


async def test_the_page_says_once_that_tiktok_refuses(site: Site) -> None:
    await site.follow("owl")
    assert (await site.page()).select(".notice") == []
    site.watcher.egresses = (egress(),)
    notice = (await site.page()).select_one("#notice")
    assert notice is not None
    text = " ".join(notice.text.split())
    assert text.startswith("TikTok is refusing this machine's address since")
    assert "too many requests. Checks resume at" in text
    site.watcher.egresses = (egress("half_open", retry_at=None),)
    assert "One check is finding out now" in (await site.page()).text
    site.watcher.egresses = (egress(), egress("closed", "nl-1", why=None, retry_at=None))
    assert "Checks go on through the others." in " ".join((await site.page()).text.split())


async def test_a_silent_watcher_takes_nothing_else_away(site: Site) -> None:
    await site.follow("owl")
    data = CreatorProfileChanged(handle="owl", creator_id="7", nickname="Night Owl")
    await site.bus.publish(new_event(data, "watcher"))
    await site.bus.drain()
    site.watcher.answers = False
    assert "The watcher does not answer." in (await site.page()).text
    assert "Night Owl Offline · @owl last check unknown" in await site.card()
    shown = (await site.client.get("/api/v1/creators/owl")).json()
    assert (shown["status"], shown["watch"]) == ("offline", None)


async def test_without_a_watcher_set_pages_say_nothing_of_checks(catalog: Any) -> None:
    client = await catalog.sign_in()
    await client.post("/api/v1/creators", json={"creator": "owl"})
    page = BeautifulSoup((await client.get("/")).text, "html.parser")
    assert page.select(".creator-checks, .notice") == []


async def test_the_api_tells_programs(site: Site) -> None:
    await site.follow("owl", "fox")
    site.watcher.tell(
        watch(
            state="restricted", restriction={"reason": "age", "since": NOW}, last_checked_at=NOW, interval_seconds=300
        )
    )
    items = (await site.client.get("/api/v1/creators")).json()["items"]
    told = {item["handle"]: item["watch"] for item in items}
    assert told["fox"] is None
    assert told["owl"] == {
        "state": "restricted", "trouble": None, "restriction": {"reason": "age", "since": "2026-11-23T12:00:00.000Z"},
        "last_checked_at": "2026-11-23T12:00:00.000Z", "next_check_at": None, "interval_seconds": 300.0,
        "evidence_at": None,
    }  # fmt: skip
    assert (await site.client.get("/api/v1/creators/owl")).json()["watch"] == told["owl"]


async def told_next(chunks: AsyncGenerator[bytes]) -> BeautifulSoup:
    async for chunk in chunks:
        if chunk != HEARTBEAT:
            lines = [line.removeprefix("data: ") for line in chunk.decode().splitlines() if line.startswith("data: ")]
            return BeautifulSoup("\n".join(lines), "html.parser")
    raise AssertionError("the stream ended")


async def test_an_open_page_hears_only_what_is_different(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_module, "CHECKS_SECONDS", 0.01)
    monkeypatch.setattr(stream_module, "PAUSE_SECONDS", 0.0)
    await site.follow("owl", "night.fox")
    asker = await opened_session(site.app.context.store, "admin", datetime.now(UTC))
    chunks = PageStream(site.app.context, templates, asker).home()
    assert "last check" not in (await told_next(chunks)).text
    assert await anext(chunks) == HEARTBEAT

    def targets(told: BeautifulSoup) -> list[str]:
        return [str(partial["hx-target"]) for partial in told.find_all("hx-partial")]

    site.watcher.tell(watch("night.fox", last_checked_at=NOW))
    assert targets(await told_next(chunks)) == ["[id='creator-night.fox']"]
    site.watcher.tell(watch("night.fox", last_checked_at=NOW + timedelta(seconds=60)))
    assert targets(await told_next(chunks)) == ["[id='checks-night.fox']"]
    site.watcher.egresses = (egress(),)
    told = await told_next(chunks)
    assert targets(told) == ["#notice"]
    site.watcher.answers = False
    told = await told_next(chunks)
    assert set(targets(told)) == {"#notice", "[id='creator-owl']", "[id='creator-night.fox']"}
    assert cast("Any", told.find("hx-partial")).text.strip().startswith("The watcher does not answer.")
    await chunks.aclose()
