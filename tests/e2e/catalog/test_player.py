"""The player in a browser: pictures while seeking, keys, moments, clips, and where one left off."""

import asyncio
import re
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from azure.storage.blob import ContentSettings
from azure.storage.blob.aio import BlobServiceClient, ContainerClient
from playwright.async_api import Page, async_playwright
from pydantic import SecretStr
from wentlive_catalog.bootstrap import CatalogApp, bootstrap
from wentlive_catalog.settings import CatalogSettings
from wentlive_catalog.testing import RecordingStory
from wentlive_common.bus.memory import InMemoryBus
from wentlive_devkit.media_check import decode_fully
from wentlive_devkit.recorded import RATE, Sample, StoredPart, make_sample
from wentlive_devkit.servers import AzuriteServer

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = ["--no-sandbox", "--autoplay-policy=no-user-gesture-required"]
PASSWORD = "correct horse battery"
SECONDS = 30.0
CONTAINER = "catalog-player"

pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason="needs Debian's chromium: `apt-get install chromium`")


@dataclass
class Theatre:
    app: CatalogApp
    bus: InMemoryBus
    container: ContainerClient
    page: Page
    troubles: list[str] = field(default_factory=list[str])

    async def stored(self, story: RecordingStory, samples: list[Sample], gap: timedelta, *, pictures: bool) -> str:
        """A finished recording of these parts, with `gap` between them; returns its page."""
        at = datetime.now(UTC) - timedelta(hours=1)
        for number, sample in enumerate(samples, 1):
            stored = StoredPart(self.container, story.stem(1, number), sample, at)
            await stored.open()
            await stored.close()
            if pictures:
                await self._storyboard(story.stem(1, number), sample)
            report = story.part(
                number, size=stored.size, duration=sample.duration(stored.written), fragments=stored.written,
                closed=True, opened_at=at, all_pictures=pictures,
            )  # fmt: skip
            await self.bus.publish(story.part_closed(report))
            at += timedelta(seconds=sample.duration(stored.written)) + gap
        await self.bus.publish(story.completed(at))
        await self.bus.drain()
        return f"{self.app.url}/recordings/{story.recording_id}"

    async def _storyboard(self, stem: str, sample: Sample) -> None:
        cue = "00:00:00.000 --> 00:01:00.000\nboard.jpg#xywh=0,0,90,160\n"
        texts = {
            "storyboard.jpg": (sample.poster, "image/jpeg"),
            "storyboard.vtt": (f"WEBVTT\n\n{cue}".encode(), "text/vtt"),
        }
        for name, (data, kind) in texts.items():
            await self.container.upload_blob(
                f"{stem}.{name}", data, content_settings=ContentSettings(content_type=kind)
            )  # fmt: skip

    async def open(self, address: str) -> None:
        await self.page.goto(address)
        if "/login" in self.page.url:
            await self.page.get_by_label("Name").fill("admin")
            await self.page.get_by_label("Password").fill(PASSWORD)
            await self.page.get_by_role("button", name="Sign in").click()
            await self.page.wait_for_load_state()
            await self.page.goto(address)

    async def until(self, expression: str) -> Any:
        """Polls from outside: the page's content policy forbids the evaluation that the browser's own waiting needs."""
        async with asyncio.timeout(SECONDS):
            while not (value := await self.page.evaluate(f"(v => {expression})(document.querySelector('video'))")):
                await asyncio.sleep(0.1)
            return value


@pytest.fixture
async def theatre(azurite: AzuriteServer, tmp_path: Path) -> AsyncGenerator[Theatre]:
    settings = CatalogSettings(
        port=0, store_url=SecretStr(f"sqlite://{tmp_path}/catalog.db"), admin_password=SecretStr(PASSWORD),
        service_token=SecretStr("service-token"), storage_container=CONTAINER,
        storage_connection_string=SecretStr(azurite.connection_string),
    )  # fmt: skip
    bus, stop = InMemoryBus(), asyncio.Event()
    async with (
        BlobServiceClient.from_connection_string(azurite.connection_string) as service,
        bootstrap(settings, bus=bus) as app,
        async_playwright() as playwright,
    ):
        container = service.get_container_client(CONTAINER)
        await container.create_container()
        running = asyncio.create_task(app.run(stop))
        await app.serving.wait()
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        page = await browser.new_page(viewport={"width": 1280, "height": 860})
        found = Theatre(app, bus, container, page)
        page.on("pageerror", lambda error: found.troubles.append(str(error)))
        page.on("console", lambda line: found.troubles.append(line.text) if line.type == "error" else None)
        yield found
        await browser.close()
        stop.set()
        await asyncio.wait_for(running, 10)
        await container.delete_container()
    await bus.close()


async def test_two_parts_with_a_gap_are_sought_by_pictures_and_keys_and_cut(theatre: Theatre, tmp_path: Path) -> None:
    page = theatre.page
    sample = await asyncio.to_thread(make_sample, 8)
    story = RecordingStory("night.owl", "7", "9", datetime.now(UTC), title="late ramen")
    address = await theatre.stored(story, [sample, sample], timedelta(seconds=40), pictures=True)
    await theatre.open(f"{address}#t=9")
    await theatre.until("v.duration > 15.5 && v.currentTime >= 9 && v.currentTime < 9.9")
    assert await page.locator(".timeline .stretch").count() == 2
    await page.get_by_text("1 gap, 0:40 in all").wait_for()

    # A picture where the pointer is, of the part that plays there.
    box = await page.locator(".pc-slider").bounding_box()
    assert box is not None
    async with asyncio.timeout(SECONDS):
        while not await page.locator(".pc-picture").is_visible():
            await page.mouse.move(box["x"] + box["width"] * 0.75, box["y"] + box["height"] / 2)
            await page.mouse.move(box["x"] + box["width"] * 0.76, box["y"] + box["height"] / 2)
    shown = await page.locator(".pc-picture").evaluate("e => e.style.backgroundImage")
    assert "/parts/a1-p2/storyboard.jpg" in shown

    await page.keyboard.press("ArrowLeft")
    await theatre.until("v.currentTime >= 4 && v.currentTime < 5")
    await page.keyboard.press("5")
    await theatre.until("v.currentTime > 7.5 && v.currentTime < 8.5")
    await page.keyboard.press(">")
    assert await page.evaluate("document.querySelector('video').playbackRate") == 1.25
    await page.keyboard.press("t")
    assert await page.locator(".watch.theatre").count() == 1
    await page.keyboard.press("t")

    # From the first part into the second: two files, cut at whole pictures.
    await page.keyboard.press("0")
    await theatre.until("v.currentTime < 0.5 && !v.seeking")
    await page.keyboard.press("c")
    await page.keyboard.press("ArrowRight")
    await theatre.until("v.currentTime > 4.5 && !v.seeking")
    await page.get_by_role("button", name="Begin here").click()
    await page.keyboard.press("8")
    await theatre.until("v.currentTime > 12 && !v.seeking")
    await page.get_by_role("button", name="End here").click()
    links = page.locator(".pc-clip-links a")
    assert await links.count() == 2
    pictures = 0
    for number in range(2):
        async with page.expect_download() as download:
            await links.nth(number).click()
        path = await (await download.value).path()
        pictures += decode_fully(await asyncio.to_thread(path.read_bytes)).video_frames
    # From 4 to 8 of the first, and from 0 to 6 of the second.
    assert pictures == 10 * RATE
    assert theatre.troubles == []


async def test_one_goes_on_where_one_left_off_and_a_moment_can_be_linked(theatre: Theatre) -> None:
    page = theatre.page
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    sample = await asyncio.to_thread(make_sample, 30)
    story = RecordingStory("night.owl", "7", "9", datetime.now(UTC), title="late ramen")
    address = await theatre.stored(story, [sample], timedelta(), pictures=False)
    await theatre.open(address)
    await theatre.until("v.duration > 29")
    await page.evaluate("(v => { v.muted = true; v.currentTime = 14; })(document.querySelector('video'))")
    await theatre.until(
        "Number(localStorage.getItem('at:' + document.querySelector('live-player').getAttribute('playlist'))) >= 14"
    )
    await page.reload()
    await theatre.until("v.currentTime >= 13.9 && v.currentTime < 16")
    await page.get_by_role("button", name="Copy a link to this moment").click()
    await theatre.until("document.querySelector('.player-note').textContent.includes('copied')")
    copied = await page.evaluate("navigator.clipboard.readText()")
    assert re.fullmatch(re.escape(address) + r"#t=1[345]", copied)
    # A link within the page, as the timeline has them, moves the player.
    await page.evaluate("location.hash = '#t=3'")
    await theatre.until("v.currentTime >= 3 && v.currentTime < 4.5")
    assert theatre.troubles == []


async def test_a_phone_and_a_guest_have_the_same_player(theatre: Theatre) -> None:
    page = theatre.page
    sample = await asyncio.to_thread(make_sample, 4)
    story = RecordingStory("night.owl", "7", "9", datetime.now(UTC), title="late ramen")
    address = await theatre.stored(story, [sample, sample], timedelta(seconds=5), pictures=False)
    await theatre.open(address)
    url = await page.evaluate(
        "fetch('/api/v1/recordings/' + location.pathname.split('/').pop() + '/links', {method: 'POST', body: '{}',"
        " headers: {'content-type': 'application/json'}}).then(a => a.json()).then(a => a.url)"
    )
    await page.goto("about:blank")  # or the page that is left may ask once more, as nobody
    await page.context.clear_cookies()
    await page.set_viewport_size({"width": 360, "height": 740})
    await page.goto(url)
    await theatre.until("v.duration > 7.5")
    assert await page.evaluate("document.documentElement.scrollWidth") <= 360
    row = await page.locator(".pc-row").evaluate("e => e.scrollWidth <= e.clientWidth")
    assert row
    assert await page.get_by_role("button", name="Cut a clip").count() == 0
    await page.get_by_role("button", name="Mute").click()
    await page.get_by_role("button", name="Play", exact=True).click()
    await theatre.until("v.currentTime > 4.2")
    assert theatre.troubles == []
