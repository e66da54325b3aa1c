"""The whole web app in a browser: first run, the library's manners, a link given away and taken back, and axe on it."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.async_api import Page, async_playwright
from wentlive_common.events import BroadcastWentLive, CreatorRestricted, new_event
from wentlive_devkit.servers import AzuriteServer
from wentlive_devkit.showcase import Showcase, furnish, showcase

CHROMIUM = Path("/usr/bin/chromium")
AXE = Path(__file__).parent / "vendor" / "axe-4.14.1" / "axe.min.js"
PASSWORD = "correct horse battery"

pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason="needs Debian's chromium: `apt-get install chromium`")


@dataclass
class Visit:
    stage: Showcase
    page: Page
    troubles: list[str] = field(default_factory=list[str])

    async def go(self, place: str) -> None:
        await self.page.goto(self.stage.app.url + place)


@pytest.fixture
async def visit(azurite: AzuriteServer, tmp_path: Path) -> AsyncGenerator[Visit]:
    async with showcase(azurite, tmp_path) as stage, async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = await browser.new_page(viewport={"width": 1280, "height": 860})
        found = Visit(stage, page)
        page.on("pageerror", lambda error: found.troubles.append(f"{page.url} {error}"))
        page.on("console", lambda line: found.troubles.append(line.text) if line.type == "error" else None)
        await found.go("/")
        await page.get_by_label("Name").fill("ada")
        await page.get_by_label("Password").fill(PASSWORD)
        await page.get_by_role("button", name="Set up").click()
        await page.get_by_text("Three steps").wait_for()
        yield found
        await browser.close()


async def serious(page: Page, *rules: str) -> list[str]:
    """What axe finds that keeps people from using the page, by WCAG 2.2 AA or by these rules alone."""
    if not await page.evaluate("'axe' in window"):
        await page.evaluate(await asyncio.to_thread(AXE.read_text))
    tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
    found = await page.evaluate("only => axe.run({ runOnly: only, resultTypes: ['violations'] })", list(rules) or tags)
    return [
        f"{page.url} {problem['id']}: {node['html'][:200]} {node['failureSummary'][:300]}"
        for problem in found["violations"]
        if problem["impact"] in ("serious", "critical")
        for node in problem["nodes"][:3]
    ]


async def test_first_run_then_follow_and_see_a_live_appear(visit: Visit) -> None:
    page, now = visit.page, datetime.now(UTC)
    await page.get_by_label("Follow a TikTok creator").fill("@night.owl")
    await page.get_by_role("button", name="Follow", exact=True).click()
    await page.get_by_text("Waiting for the first live").wait_for()
    live = {"handle": "night.owl", "creator_id": "7", "room_id": "8", "sequence": 1, "at": now}
    await visit.stage.tell(new_event(BroadcastWentLive.model_validate(live), "watcher"))
    await page.locator("#creator-night\\.owl").get_by_text("Live").wait_for()
    # Whom TikTok does not show is told of, wherever one looks.
    await page.get_by_role("navigation", name="Pages").get_by_role("link", name="Creators").click()
    await page.get_by_role("link", name="night.owl").click()
    await page.get_by_role("heading", name="night.owl").wait_for()
    later = new_event(CreatorRestricted(handle="night.owl", reason="age", since=now), "watcher")
    await visit.stage.tell(later)
    await page.get_by_text("signed-in adults only").wait_for()
    assert visit.troubles == []


async def test_the_library_is_put_in_order_and_a_link_is_given_and_taken(visit: Visit) -> None:
    page, stage = visit.page, visit.stage
    await furnish(stage, "ada")
    await visit.go("/library")
    cards = page.locator("#fresh .card")
    all_of_them = await cards.count()
    await page.get_by_label("Search recordings").press_sequentially("chopin")
    await page.keyboard.press("Enter")
    await page.get_by_role("link", name="Show everything").wait_for()
    assert 0 < await cards.count() < all_of_them

    # Two are thrown away, after a question; Undo brings them back.
    chosen = page.locator(".choose input")
    await chosen.nth(0).check()
    before = await cards.count()
    await page.locator("#batch").get_by_text("1 selected").wait_for()
    await page.locator("#batch").get_by_role("button", name="Delete").click()
    await page.get_by_role("button", name="Cancel").click()
    await page.locator("#batch").get_by_role("button", name="Delete").click()
    await page.get_by_role("button", name="Go on").click()
    await page.get_by_text("Deleted 1 recording.").wait_for()
    assert await cards.count() == before - 1
    await page.get_by_role("button", name="Undo").click()
    await page.get_by_text("Took back 1 recording.").wait_for()
    assert await cards.count() == before
    assert "done=" not in page.url

    # Keys: where one can go, and going there.
    await page.locator("h1").click()
    await page.keyboard.press("?")
    await page.get_by_role("heading", name="Keys").wait_for()
    await page.get_by_role("button", name="Close").click()
    await page.get_by_role("heading", name="Keys").wait_for(state="hidden")
    await page.get_by_role("navigation", name="Pages").get_by_role("link", name="Activity").click()
    await page.get_by_role("link", name="Failed", exact=True).click()
    await page.locator(".job-why").get_by_text("TikTok sent a page instead of video").wait_for()
    await page.get_by_role("button", name="Look again").click()
    await page.get_by_role("link", name="Running").wait_for()

    # A link: opened by somebody who is nobody here, then taken back.
    recording = stage.stories["finished"].recording_id
    answer = await page.request.post(
        f"{stage.app.url}/api/v1/recordings/{recording}/links", data={"lifetime_seconds": 3600}
    )
    link = (await answer.json())["url"]
    browser = page.context.browser
    assert browser is not None
    stranger = await browser.new_page()
    await stranger.goto(link)
    await stranger.locator("video").wait_for()
    assert await stranger.get_by_role("navigation", name="Pages").count() == 0
    assert await serious(stranger) == []
    await visit.go("/settings")
    await page.get_by_role("button", name="Take back").click()
    await page.get_by_text("None is open.").wait_for()
    refused = await stranger.reload()
    assert refused is not None
    assert refused.status == 404
    assert visit.troubles == []


async def test_nothing_keeps_people_from_using_any_page(visit: Visit) -> None:
    page, stage = visit.page, visit.stage
    await furnish(stage, "ada")
    finished = stage.stories["finished"].recording_id
    places = [
        "/", "/library", "/creators", "/creators/night.owl", "/activity", "/activity?show=failed", "/system",
        "/settings", f"/recordings/{finished}", f"/recordings/{stage.stories['failed'].recording_id}", "/login",
    ]  # fmt: skip
    found: list[str] = []
    for place in places:
        await page.set_viewport_size({"width": 360, "height": 740})
        await page.emulate_media(color_scheme="dark", reduced_motion="reduce")
        await visit.go(place)
        assert await page.evaluate("document.documentElement.scrollWidth") <= 360, place
        await page.set_viewport_size({"width": 1280, "height": 860})
        found += await serious(page)
        await page.emulate_media(color_scheme="light", reduced_motion="reduce")
        found += await serious(page, "color-contrast")
    assert not found, "\n".join(found)
