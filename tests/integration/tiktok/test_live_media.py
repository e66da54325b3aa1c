import asyncio
import sys
import time
from io import BytesIO
from itertools import pairwise

import av
import httpx
import pytest
from wentlive_devkit.tiktok import LiveScript, TikTokSimulator
from wentlive_tiktok.client import TikTokClient
from wentlive_tiktok.status import Live
from wentlive_tiktok.streams import StreamCandidate, rank


async def streams_of(client: TikTokClient) -> tuple[StreamCandidate, ...]:
    status = await client.live_status("ada")
    assert isinstance(status, Live)
    return rank(status.streams)


async def best_url(client: TikTokClient) -> str:
    return (await streams_of(client))[0].url


async def received(http: httpx.AsyncClient, url: str, seconds: float) -> bytes:
    """What a viewer gets within that time."""
    deadline = time.monotonic() + seconds
    body = bytearray()
    async with http.stream("GET", url) as response:
        assert response.status_code == 200
        assert response.headers["content-type"] == "video/x-flv"
        async for chunk in response.aiter_raw():
            body += chunk
            if time.monotonic() > deadline:
                break
    return bytes(body)


async def received_until_broken(http: httpx.AsyncClient, url: str) -> bytes:
    body = bytearray()
    try:
        async with http.stream("GET", url) as response:
            async for chunk in response.aiter_raw():
                body += chunk
    except httpx.RemoteProtocolError:
        return bytes(body)
    return pytest.fail("the connection was not broken off")


def packets(flv: bytes) -> list[tuple[str, int, bool]]:
    with av.open(BytesIO(flv), "r") as source:
        return [(p.stream.type, p.dts, p.is_keyframe) for p in source.demux() if p.dts is not None]


def ends_on_a_tag(flv: bytes) -> bool:
    at = 13
    while at < len(flv):
        at += 11 + int.from_bytes(flv[at + 1 : at + 4], "big") + 4
    return at == len(flv)


async def test_the_stream_plays_in_real_time(simulator: TikTokSimulator, client: TikTokClient, http: httpx.AsyncClient):
    broadcast = simulator.world.go_live("ada")
    began = time.monotonic()
    flv = await received(http, await best_url(client), 5)
    lasted_ms = (time.monotonic() - began) * 1000
    seen = packets(flv)
    video = [stamp for kind, stamp, _ in seen if kind == "video"]
    assert (seen[0][0], (seen[0][1] - broadcast.base_ms) % 1000, seen[0][2]) == ("video", 0, True)
    assert all(earlier <= later for (_, earlier, _), (_, later, _) in pairwise(seen))
    assert video[-1] - video[0] == pytest.approx(lasted_ms, abs=700)
    with av.open(BytesIO(flv), "r") as source:
        pictures = [frame for frame in source.decode(video=0)]
    assert len(pictures) >= 5 * 12 - 10
    assert (pictures[0].width, pictures[0].height) == (96, 160)


async def test_two_viewers_see_the_same(simulator: TikTokSimulator, client: TikTokClient, http: httpx.AsyncClient):
    simulator.world.go_live("ada")
    origin, *_, hd = (stream.url for stream in await streams_of(client) if stream.protocol == "flv")
    assert "_hd.flv" in hd
    first, second = await asyncio.gather(received(http, origin, 2), received(http, hd, 2))
    stamps = [{stamp for kind, stamp, _ in packets(flv) if kind == "video"} for flv in (first, second)]
    assert len(stamps[0] & stamps[1]) > 12


async def test_a_dropped_connection_breaks_off_and_a_new_one_goes_on(
    simulator: TikTokSimulator, client: TikTokClient, http: httpx.AsyncClient
):
    broadcast = simulator.world.go_live("ada", LiveScript(cut_after_s=(3,)))
    url = await best_url(client)
    first = await received_until_broken(http, url)
    assert not ends_on_a_tag(first)
    again = await streams_of(client)
    assert again[0].url == url
    second = await received(http, url, 1.5)
    assert packets(second)[0][1] >= broadcast.base_ms + 2000
    assert packets(second)[0][2]


async def test_drop_by_hand_cuts_every_viewer(
    simulator: TikTokSimulator, client: TikTokClient, http: httpx.AsyncClient
):
    simulator.world.go_live("ada")
    url = await best_url(client)
    async with asyncio.TaskGroup() as viewers:
        broken = [viewers.create_task(received_until_broken(http, url)) for _ in range(2)]
        viewers.create_task(_drop_after(simulator, 1000))
    assert all(len(task.result()) > 1000 for task in broken)


async def _drop_after(simulator: TikTokSimulator, position_ms: int) -> None:
    await _reached(simulator, position_ms)
    simulator.world.drop("ada")


async def _reached(simulator: TikTokSimulator, position_ms: int) -> None:
    """Returns once the live has come that far."""
    broadcast = simulator.world.creator("ada").broadcasts[-1]
    async with asyncio.timeout(10):
        while True:
            if broadcast.position_ms(simulator.world.now()) >= position_ms:
                return
            await asyncio.sleep(0.02)


async def test_the_end_of_the_live_is_the_end_of_the_stream(
    simulator: TikTokSimulator, client: TikTokClient, http: httpx.AsyncClient
):
    simulator.world.go_live("ada", LiveScript(duration_s=2.5))
    url = await best_url(client)
    flv = (await http.get(url)).content
    assert ends_on_a_tag(flv)
    video = [stamp for kind, stamp, _ in packets(flv) if kind == "video"]
    assert video[-1] - video[0] == pytest.approx(2500, abs=100)
    assert (await http.get(url)).status_code == 404
    assert not isinstance(await client.live_status("ada"), Live)


async def test_a_pause_leaves_a_gap_and_goes_on_at_a_keyframe(
    simulator: TikTokSimulator, client: TikTokClient, http: httpx.AsyncClient
):
    broadcast = simulator.world.go_live("ada", LiveScript(duration_s=5))
    url = await best_url(client)
    viewer = asyncio.create_task(_whole_body(http, url))
    for position_ms, act in ((1000, simulator.world.pause), (3400, simulator.world.resume)):
        await _reached(simulator, position_ms)
        act("ada")
    video = [(stamp, key) for kind, stamp, key in packets(await viewer) if kind == "video"]
    gaps = [(later, key) for (earlier, _), (later, key) in pairwise(video) if later - earlier > 500]
    assert [(stamp - broadcast.base_ms, key) for stamp, key in gaps] == [(3000, True)]


async def _whole_body(http: httpx.AsyncClient, url: str) -> bytes:
    return (await http.get(url)).content


async def test_streams_that_are_none(simulator: TikTokSimulator, client: TikTokClient, http: httpx.AsyncClient):
    simulator.world.go_live("ada", LiveScript(stream="web_page"))
    page = await http.get(await best_url(client))
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    simulator.world.end("ada")
    simulator.world.go_live("ada", LiveScript(stream="missing"))
    assert (await http.get(await best_url(client))).status_code == 404


async def test_a_url_that_was_not_given_out(simulator: TikTokSimulator, client: TikTokClient, http: httpx.AsyncClient):
    simulator.world.go_live("ada")
    url = await best_url(client)
    assert (await http.get(url.replace("sign=", "sign=0"))).status_code == 403
    assert (await http.get(url.split("?")[0])).status_code == 403
    assert (await http.get(f"{simulator.base_url}/stream/stream-1.flv?expire=1&sign=1")).status_code == 404


async def test_hls_of_the_same_live(simulator: TikTokSimulator, client: TikTokClient, http: httpx.AsyncClient):
    # It began a little while ago, as far as its viewers can tell.
    broadcast = simulator.world.go_live("ada")
    broadcast.started -= 10
    url = next(stream.url for stream in await streams_of(client) if stream.protocol == "hls")
    playlist = (await http.get(url)).text
    name = [line for line in playlist.splitlines() if line.endswith(url.split("?")[1])][-1]
    segment = await http.get(str(httpx.URL(url).join(name)))
    assert segment.headers["content-type"] == "video/mp2t"
    with av.open(BytesIO(segment.content), "r", format="mpegts") as source:
        assert len(list(source.decode(video=0))) == 4 * 12


async def test_the_demo_runs_as_a_process_and_stops_quietly_with_viewers_connected(http: httpx.AsyncClient):
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "wentlive_devkit.tiktok", "--port", "0",
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        assert process.stdout
        base_url = (await asyncio.wait_for(process.stdout.readline(), 30)).decode().strip()
        state = (await http.get(f"{base_url}/_sim/state")).json()
        assert sorted(state["creators"]) == ["ada.paints", "night_market", "slowtrains"]
        url = rank(await _live_streams(TikTokClient(http, base_url), "ada.paints"))[0].url
        async with http.stream("GET", url, timeout=60) as response:
            chunks = response.aiter_raw()
            seen = 0
            while seen < 5000:
                seen += len(await anext(chunks))
            process.terminate()
            with pytest.raises(httpx.RemoteProtocolError):
                [chunk async for chunk in chunks]
        _, complaints = await asyncio.wait_for(process.communicate(), 30)
        assert (process.returncode, complaints) == (0, b"")
    finally:
        await _gone(process)


async def test_it_stops_while_it_is_still_encoding():
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "wentlive_devkit.tiktok", stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout
        await asyncio.wait_for(process.stdout.readline(), 30)
        process.terminate()
        _, complaints = await asyncio.wait_for(process.communicate(), 30)
        assert (process.returncode, complaints) == (0, b"")
    finally:
        await _gone(process)


async def _gone(process: asyncio.subprocess.Process) -> None:
    """Leaves no process and no open pipe behind, however the test ended."""
    if process.returncode is None:
        process.kill()
        await process.communicate()


async def _live_streams(client: TikTokClient, handle: str) -> tuple[StreamCandidate, ...]:
    """Waits for the scenario to bring the creator on."""
    async with asyncio.timeout(30):
        while True:
            status = await client.live_status(handle)
            if isinstance(status, Live):
                return status.streams
            await asyncio.sleep(0.1)


async def test_a_scenario_that_is_not_there_is_one_line_and_no_traceback():
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "wentlive_devkit.tiktok", "--scenario", "nowhere.toml", stderr=asyncio.subprocess.PIPE
    )
    _, complaint = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode == 2
    assert complaint.startswith(b"There is no scenario nowhere.toml")
    assert complaint.count(b"\n") == 1
