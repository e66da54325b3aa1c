"""Takes a picture of every page, dark and light, wide and narrow: `make screenshots` writes them to docs/images."""

import argparse
import asyncio
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from playwright.async_api import Browser, Page, async_playwright
from wentlive_devkit.servers import AzuriteServer
from wentlive_devkit.showcase import Showcase, furnish, showcase

ROOT = Path(__file__).parents[3]
CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = ["--no-sandbox", "--hide-scrollbars", "--autoplay-policy=no-user-gesture-required"]
NAME, PASSWORD = "admin", "correct horse battery"
SIZES = {"wide": (1280, 860), "phone": (390, 844)}
QUALITY = 70


def places(stage: Showcase, link: str) -> dict[str, str]:
    finished, failed = stage.stories["finished"].recording_id, stage.stories["failed"].recording_id
    return {
        "live": "/", "library": "/library", "recording": f"/recordings/{finished}", "failed": f"/recordings/{failed}",
        "creators": "/creators", "creator": "/creators/night.owl", "activity": "/activity",
        "failures": "/activity?show=failed", "system": "/system", "settings": "/settings", "shared": link,
    }  # fmt: skip


async def set_up(page: Page, url: str, folder: Path | None, name: str) -> None:
    await page.goto(url + "/setup")
    if folder:
        await picture(page, folder / f"setup-{name}.jpg")
    await page.get_by_label("Name").fill(NAME)
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Set up").click()
    await page.get_by_text("Three steps").wait_for()
    if folder:
        await picture(page, folder / f"first-{name}.jpg")


async def sign_in(page: Page, url: str) -> None:
    await page.goto(url + "/login")
    await page.get_by_label("Name").fill(NAME)
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Sign in").click()
    await page.get_by_role("navigation", name="Pages").wait_for()


async def picture(page: Page, path: Path) -> None:
    """Once everything in it is there; the first two screens of a long page say enough."""
    await page.wait_for_load_state("load")
    async with asyncio.timeout(20):
        while not await page.evaluate("[...document.images].every(i => i.complete || i.loading === 'lazy')"):
            await asyncio.sleep(0.05)
    await page.evaluate("document.fonts.ready")
    height = min(int(await page.evaluate("document.documentElement.scrollHeight")), 2400)
    width = (page.viewport_size or {"width": 1280})["width"]
    await page.set_viewport_size({"width": width, "height": height})
    await page.evaluate("Promise.all([...document.images].map(i => i.decode().catch(() => 0)))")
    await page.screenshot(path=path, type="jpeg", quality=QUALITY)
    await page.set_viewport_size({"width": width, "height": next(h for w, h in SIZES.values() if w == width)})


async def link_to(page: Page, stage: Showcase) -> str:
    recording = stage.stories["finished"].recording_id
    answer = await page.request.post(
        f"{stage.app.url}/api/v1/recordings/{recording}/links", data={"lifetime_seconds": 86400}
    )
    return "/l/" + (await answer.json())["url"].rpartition("/l/")[2]


@asynccontextmanager
async def opened(browser: Browser, scheme: str, size: tuple[int, int]) -> AsyncGenerator[Page]:
    look = "dark" if scheme == "dark" else "light"
    context = await browser.new_context(
        viewport={"width": size[0], "height": size[1]}, color_scheme=look, reduced_motion="reduce"
    )
    page = await context.new_page()
    page.on("pageerror", lambda error: print(page.url, error))
    page.on("console", lambda line: print(page.url, line.text) if line.type == "error" else None)
    yield page
    await context.close()


async def take(stage: Showcase, browser: Browser, folder: Path) -> None:
    async with opened(browser, "dark", SIZES["wide"]) as page:
        await set_up(page, stage.app.url, folder, "wide-dark")
        await furnish(stage, NAME)
        link = await link_to(page, stage)
    for scheme in ("dark", "light"):
        for size, pixels in SIZES.items():
            async with opened(browser, scheme, pixels) as page:
                await page.goto(stage.app.url + "/login")
                await picture(page, folder / f"login-{size}-{scheme}.jpg")
                await sign_in(page, stage.app.url)
                for name, place in places(stage, link).items():
                    await page.goto(stage.app.url + place)
                    await picture(page, folder / f"{name}-{size}-{scheme}.jpg")
                await page.goto(stage.app.url)
                await page.get_by_role("button", name="Keyboard shortcuts").click()
                await page.screenshot(path=folder / f"keys-{size}-{scheme}.jpg", type="jpeg", quality=QUALITY)


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=ROOT / "docs" / "images")
    folder: Path = parser.parse_args().folder
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        async with (
            AzuriteServer.start(Path(scratch) / "azurite") as azurite,
            showcase(azurite, Path(scratch)) as stage,
            async_playwright() as playwright,
        ):
            browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
            await take(stage, browser, folder)
            await browser.close()


if __name__ == "__main__":
    asyncio.run(main())
