"""A recording in several parts is one film to a player: hls.js in Chromium plays it from end to end."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
import wentlive_catalog
from playwright.async_api import async_playwright
from starlette.applications import Starlette
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from wentlive_catalog.domain.playlist import PlaylistPart, render_playlist
from wentlive_common.health import serve_http
from wentlive_devkit.rig.recorder_run import Run
from wentlive_devkit.tiktok import CreatorScript, FormatTurn, LiveScript, MediaScript, Scenario, TikTokSimulator

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = ["--no-sandbox", "--autoplay-policy=no-user-gesture-required"]
HLS_JS = Path(wentlive_catalog.__file__).parent / "static" / "vendor" / "hls-1.7.4" / "hls.light.min.js"
PAGE = """<!DOCTYPE html><video id="film" muted></video><script src="/hls.js"></script><script>
const film = document.getElementById("film"), player = new Hls(), troubles = [];
player.on(Hls.Events.ERROR, (_, data) => troubles.push(data.details + " " + (data.error || "")));
player.on(Hls.Events.MANIFEST_PARSED, () => { film.playbackRate = 4; film.play(); });
player.loadSource("/film/list.m3u8"); player.attachMedia(film);
</script>"""

pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason="needs Debian's chromium: `apt-get install chromium`")


def lay_out(run: Run, folder: Path) -> float:
    """The recording as the catalog would show it, in files; its seconds."""
    folder.mkdir()
    parts: list[PlaylistPart] = []
    for number, part in sorted(run.receiver.parts.items()):
        index = run.storage.index(part.index_blob)
        (folder / f"{number}.init").write_bytes(index.header.init_segment)
        (folder / f"{number}.mp4").write_bytes(run.storage.read(part.blob))
        parts.append(
            PlaylistPart(
                media_url=f"{number}.mp4", init_url=f"{number}.init", opened_at=part.opened_at,
                fragments=index.fragments,
            )
        )  # fmt: skip
    (folder / "list.m3u8").write_text(render_playlist(parts, over=True))
    return sum(part.duration for part in run.receiver.parts.values())


async def watched(folder: Path) -> dict[str, Any]:
    """What the player says of itself when the film is over, or when it does not go on."""

    async def page(_request: Any) -> Response:
        return HTMLResponse(PAGE)

    async def script(_request: Any) -> Response:
        return FileResponse(HLS_JS)

    site = Starlette(routes=[Route("/", page), Route("/hls.js", script), Mount("/film", StaticFiles(directory=folder))])
    async with serve_http(site, "127.0.0.1", 0, drain_seconds=1) as port, async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        tab = await browser.new_page()
        await tab.goto(f"http://127.0.0.1:{port}/")
        try:
            async with asyncio.timeout(30):
                while not await tab.evaluate("film.ended"):
                    await asyncio.sleep(0.1)
        except TimeoutError:
            pass
        told = await tab.evaluate(
            "({ended: film.ended, seconds: film.duration, troubles, size: [film.videoWidth, film.videoHeight]})"
        )
        await browser.close()
        return told


async def test_parts_play_through(recorder, tmp_path: Path) -> None:
    live = LiveScript(
        waits_for_viewer=True, duration_s=10, cut_after_s=(7.3,), turns=(FormatTurn(at_s=4, width=320, height=180),)
    )
    creator = CreatorScript(handle="ada.paints", nickname="Ada", lives=(live,))
    media = MediaScript(width=180, height=320, gop_s=2, loop_s=8, bitrate=200_000)
    async with (
        TikTokSimulator.start(Scenario(creators=(creator,), media=media)) as simulator,
        recorder(simulator) as run,
    ):
        assert await run.exit() == 0
    assert len(run.receiver.parts) == 3
    seconds = lay_out(run, tmp_path / "film")
    told = await watched(tmp_path / "film")
    assert told["troubles"] == []
    assert told["ended"]
    assert told["seconds"] == pytest.approx(seconds, abs=0.5)
    assert told["size"] == [320, 180]
