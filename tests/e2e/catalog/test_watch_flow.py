"""One evening in a browser: sign in, follow, a live appears by itself, plays while it is recorded, and after."""

import asyncio
import json
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from azure.storage.blob.aio import BlobServiceClient, ContainerClient
from playwright.async_api import Page, async_playwright
from pydantic import SecretStr
from wentlive_catalog.bootstrap import CatalogApp, bootstrap
from wentlive_catalog.domain.watches import EgressStatus, WatchStatus
from wentlive_catalog.settings import CatalogSettings
from wentlive_catalog.testing import FakeWatchStatus, RecordingStory
from wentlive_common.bus.memory import InMemoryBus
from wentlive_common.events import BroadcastWentLive, CreatorProfileChanged, EventData, new_event
from wentlive_devkit.recorded import StoredPart, make_sample
from wentlive_devkit.servers import AzuriteServer

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = ["--no-sandbox", "--autoplay-policy=no-user-gesture-required"]
PASSWORD = "correct horse battery"
SECONDS = 30.0

pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason="needs Debian's chromium: `apt-get install chromium`")


@dataclass
class Evening:
    app: CatalogApp
    bus: InMemoryBus
    container: ContainerClient
    page: Page
    watches: FakeWatchStatus
    troubles: list[str] = field(default_factory=list[str])

    async def tell(self, data: EventData) -> None:
        await self.bus.publish(new_event(data, "watcher"))


@pytest.fixture
async def evening(azurite: AzuriteServer, tmp_path: Path) -> AsyncGenerator[Evening]:
    settings = CatalogSettings(
        port=0, store_url=SecretStr(f"sqlite://{tmp_path}/catalog.db"), admin_password=SecretStr(PASSWORD),
        service_token=SecretStr("service-token"), storage_container="catalog-e2e",
        storage_connection_string=SecretStr(azurite.connection_string),
    )  # fmt: skip
    bus, stop, watches = InMemoryBus(), asyncio.Event(), FakeWatchStatus()
    async with (
        BlobServiceClient.from_connection_string(azurite.connection_string) as service,
        bootstrap(settings, bus=bus, watches=watches) as app,
        async_playwright() as playwright,
    ):
        container = service.get_container_client("catalog-e2e")
        await container.create_container()
        running = asyncio.create_task(app.run(stop))
        await app.serving.wait()
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        page = await browser.new_page(viewport={"width": 1280, "height": 860})
        found = Evening(app, bus, container, page, watches)
        page.on("pageerror", lambda error: found.troubles.append(str(error)))
        page.on("console", lambda line: found.troubles.append(line.text) if line.type == "error" else None)
        yield found
        await browser.close()
        stop.set()
        await asyncio.wait_for(running, 10)
        await container.delete_container()
    await bus.close()


async def until(page: Page, expression: str) -> Any:
    """Polls from outside: the page's content policy forbids the evaluation that the browser's own waiting needs."""
    async with asyncio.timeout(SECONDS):
        while True:
            value = await page.evaluate(expression)
            if value:
                return value
            await asyncio.sleep(0.1)


async def sign_in(evening: Evening) -> None:
    page = evening.page
    await page.goto(evening.app.url)
    await page.get_by_label("Name").fill("admin")
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Sign in").click()
    await page.get_by_text("Three steps").wait_for()


async def follow(evening: Evening) -> None:
    page = evening.page
    await page.get_by_label("Follow a TikTok creator").fill("https://www.tiktok.com/@Night.Owl/live")
    await page.get_by_role("button", name="Follow", exact=True).click()
    await page.get_by_text("You follow @night.owl now.").wait_for()
    await page.get_by_text("Checking…").wait_for()
    await evening.tell(CreatorProfileChanged(handle="night.owl", creator_id="7", nickname="Night Owl"))
    await page.locator("#creator-night\\.owl").get_by_text("Offline").wait_for()


async def test_from_sign_in_to_watching_on_after_the_end(evening: Evening) -> None:
    page = evening.page
    sample = await asyncio.to_thread(make_sample, 16)
    await sign_in(evening)
    await follow(evening)

    now = datetime.now(UTC)
    live = {"handle": "night.owl", "creator_id": "7", "room_id": "8", "sequence": 1, "at": now}
    await evening.tell(BroadcastWentLive.model_validate(live))
    story = RecordingStory("night.owl", "7", "8", now, title="late ramen")
    stored = StoredPart(evening.container, story.stem(1, 1), sample, now)

    def report(closed: bool = False):
        duration = sample.duration(stored.written)
        return story.part(1, size=stored.size, duration=duration, fragments=stored.written, closed=closed)

    await evening.bus.publish(story.requested())
    card = page.locator("#live .live-card")
    await card.get_by_text("Starting").wait_for()
    await stored.open()
    await stored.grow(3)
    await evening.bus.publish(story.part_opened(report()))
    await card.get_by_text("REC").wait_for()
    await until(page, "document.querySelector('#live .poster img')?.naturalWidth > 0")

    await card.get_by_role("link").click()
    await page.get_by_role("heading", name="Night Owl").wait_for()
    await until(page, "document.querySelector('video').currentTime > 0.5")
    # Back to the beginning, while it goes on growing.
    await page.evaluate("document.querySelector('video').currentTime = 0.2")
    await until(page, "(v => v.currentTime > 0.5 && v.currentTime < 3 && !v.seeking)(document.querySelector('video'))")
    await stored.grow(2)
    await evening.bus.publish(story.progressed(report()))
    await until(page, "document.querySelector('video').duration > 9")

    # The live ends while it is watched: nothing jumps, the same player goes on to the very end.
    await page.evaluate("document.querySelector('video').same = true")
    await stored.close()
    await evening.bus.publish(story.part_closed(report(closed=True)))
    await evening.bus.publish(story.completed(datetime.now(UTC)))
    await page.locator(".state-completed").wait_for()
    await until(page, "document.querySelector('video').duration > 15.5")
    await page.evaluate("document.querySelector('video').currentTime = 14.5")
    await until(page, "document.querySelector('video').ended")
    assert await page.evaluate("document.querySelector('video').same")

    # Loaded again it is a plain file that can be sought in.
    await page.reload()
    await until(page, "document.querySelector('video').duration > 15.5")
    await page.evaluate("(v => { v.currentTime = 10; v.play(); })(document.querySelector('video'))")
    await until(page, "document.querySelector('video').currentTime > 10.3")
    assert evening.troubles == []

    async with page.expect_download() as download:
        await page.get_by_role("link", name="Download").click()
    path = await (await download.value).path()
    assert await asyncio.to_thread(path.read_bytes) == sample.finished
    await page.goto(evening.app.url)
    await page.locator("#library").get_by_text("0:16").wait_for()


async def test_two_parts_play_without_a_seam_and_a_phone_has_room(evening: Evening) -> None:
    page = evening.page
    await page.set_viewport_size({"width": 360, "height": 740})
    sample = await asyncio.to_thread(make_sample, 4)
    story = RecordingStory("night.owl", "7", "9", datetime.now(UTC), title="a very long title " * 8)
    for number in (1, 2):
        stored = StoredPart(evening.container, story.stem(1, number), sample, datetime.now(UTC))
        await stored.open()
        await stored.close()
        size, duration = stored.size, sample.duration(stored.written)
        part = story.part(number, size=size, duration=duration, fragments=stored.written, closed=True)
        await evening.bus.publish(story.part_closed(part))
    await evening.bus.publish(story.completed(datetime.now(UTC)))
    await evening.bus.drain()
    await page.goto(evening.app.url)
    await page.get_by_label("Name").fill("admin")
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Sign in").click()
    await page.locator("#library .card").wait_for()
    assert await page.evaluate("document.documentElement.scrollWidth") <= 360
    await page.locator("#library .card a").click()
    await page.locator("video").wait_for()
    await until(page, "document.querySelector('video').duration > 7.5")
    await page.evaluate("(v => { v.muted = true; v.currentTime = 3; v.play(); })(document.querySelector('video'))")
    await until(page, "document.querySelector('video').currentTime > 4.5")
    assert await page.evaluate("document.documentElement.scrollWidth") <= 360
    assert evening.troubles == []


async def test_checks_and_troubles_show_by_themselves(evening: Evening) -> None:
    page, now = evening.page, datetime.now(UTC)
    await sign_in(evening)
    await follow(evening)
    card = page.locator("#creator-night\\.owl")
    known = WatchStatus(handle="night.owl", current_handle="night.owl", state="offline", last_checked_at=now)
    evening.watches.tell(known.model_copy(update={"next_check_at": now + timedelta(minutes=10)}))
    await card.get_by_text("next in 10 min").wait_for()
    told = await card.locator(".creator-checks").inner_text()
    # Times go on by themselves.
    await until(page, f"document.querySelector('.creator-checks').innerText !== {json.dumps(told)}")

    odd = {"trouble": "unknown: What is this?", "evidence": "<b>?</b>", "evidence_at": now}
    evening.watches.tell(known.model_copy(update=odd))
    evening.watches.egresses = (EgressStatus(name="direct", state="open", since=now, why="waf", retry_at=now),)
    await page.get_by_text("TikTok is refusing this machine's address").wait_for()
    await card.get_by_text("What TikTok answered").click()
    await card.get_by_text("<b>?</b>").wait_for()
    evening.watches.tell(known.model_copy(update=odd | {"trouble": "blocked: waf"}))
    await card.get_by_text("TikTok refuses our address (robot check).").wait_for()
    # What was opened to be read stays open.
    await card.get_by_text("<b>?</b>").wait_for()
    evening.watches.answers = False
    await page.get_by_text("The watcher does not answer.").wait_for()
    assert evening.troubles == []
