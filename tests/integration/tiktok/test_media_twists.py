"""Accidents on the way to a viewer, and the ledger that says what was really sent."""

import asyncio

import httpx
import pytest
from wentlive_devkit.tiktok import Accident, CreatorScript, LiveScript, MediaScript, Scenario, TikTokSimulator
from wentlive_devkit.tiktok.ledger import Viewing
from wentlive_tiktok.client import TikTokClient
from wentlive_tiktok.status import Live
from wentlive_tiktok.streams import StreamCandidate

MEDIA = MediaScript(width=96, height=160, fps=12, gop_s=1, loop_s=8, bitrate=60_000)


async def streams(simulator: TikTokSimulator, http: httpx.AsyncClient) -> tuple[StreamCandidate, ...]:
    status = await TikTokClient(http, simulator.base_url).live_status("ada")
    assert isinstance(status, Live)
    return status.streams


async def watched(http: httpx.AsyncClient, live: LiveScript, patience: float = 10) -> tuple[bytes, list[Viewing]]:
    """What one viewer gets of the live until it ends, breaks off, or patience does."""
    creator = CreatorScript(handle="ada", nickname="Ada", lives=(live,))
    body = bytearray()
    async with TikTokSimulator.start(Scenario(creators=(creator,), media=MEDIA)) as simulator:
        url = next(stream.url for stream in await streams(simulator, http) if stream.protocol == "flv")
        try:
            async with asyncio.timeout(patience), http.stream("GET", url) as response:
                async for chunk in response.aiter_raw():
                    body += chunk
        except (TimeoutError, httpx.RemoteProtocolError):
            pass
        return bytes(body), simulator.world.creator("ada").broadcasts[-1].viewings


def frames(flv: bytes) -> int:
    """Video tags that are frames, up to where the tags no longer add up."""
    at, found = 13, 0
    while at + 16 < len(flv) and flv[at] in (8, 9, 18):
        size = int.from_bytes(flv[at + 1 : at + 4], "big")
        found += flv[at] == 9 and flv[at + 12] == 1 and at + size + 15 <= len(flv)
        at += size + 15
    return found


async def test_the_ledger_counts_what_was_sent(http: httpx.AsyncClient) -> None:
    flv, (viewing,) = await watched(http, LiveScript(duration_s=2.5, waits_for_viewer=True))
    assert (frames(flv), viewing.seconds, viewing.over) == (30, 2.5, "ended")
    described = viewing.describe()
    assert described["passages"][0]["video_frames"] == 30


async def test_a_drop_in_mid_tag_is_not_counted(http: httpx.AsyncClient) -> None:
    flv, (viewing,) = await watched(http, LiveScript(cut_after_s=(1.55,), pace=2, waits_for_viewer=True))
    assert (frames(flv), viewing.seconds, viewing.over) == (19, 19 / 12, "cut")


@pytest.mark.parametrize("how", ["garbage", "second_header", "truncated", "duplicate"])
async def test_accidents_are_the_same_each_time(how: str, http: httpx.AsyncClient) -> None:
    live = LiveScript(
        duration_s=2,
        pace=8,
        waits_for_viewer=True,
        first_stamp_ms=1000,
        accidents=(Accident(at_s=1.2, how=how),),  # type: ignore[arg-type]
    )
    first, (viewing,) = await watched(http, live)
    again, _ = await watched(http, live)
    whole, _ = await watched(http, live.model_copy(update={"accidents": ()}))
    assert first == again
    assert [passage.after for passage in viewing.passages] == ["joined", how]
    damaged = len(first) - len(whole)
    assert damaged == 100 if how == "garbage" else damaged != 0
    assert viewing.seconds == pytest.approx(2, abs=0.1)


async def test_silence_ends_or_does_not(http: httpx.AsyncClient) -> None:
    waits = {"duration_s": 2, "pace": 4, "waits_for_viewer": True}
    short = LiveScript(**waits, accidents=(Accident(at_s=0.5, how="stall", for_s=1),))
    flv, (viewing,) = await watched(http, short)
    assert (frames(flv), viewing.over) == (24, "ended")
    flv, (viewing,) = await watched(http, LiveScript(**waits, accidents=(Accident(at_s=0.5, how="stall"),)), 1)
    assert frames(flv) == 6
    dripping, _ = await watched(http, LiveScript(**waits, accidents=(Accident(at_s=0.5, how="drip"),)), 1)
    assert frames(dripping) == 6
    assert 0 < len(dripping) - len(flv) < 10


async def test_an_end_that_is_none(http: httpx.AsyncClient) -> None:
    live = LiveScript(waits_for_viewer=True, accidents=(Accident(at_s=1, how="eof"),))
    flv, (viewing,) = await watched(http, live)
    assert (frames(flv), viewing.over) == (12, "eof")


async def test_a_hurried_live_comes_as_fast_as_it_is_taken(http: httpx.AsyncClient) -> None:
    flv, (viewing,) = await watched(http, LiveScript(duration_s=120, pace=10_000, waits_for_viewer=True))
    assert frames(flv) == 120 * 12
    assert viewing.seconds == 120


async def test_only_the_backup_is_there(http: httpx.AsyncClient) -> None:
    live = LiveScript(stream="main_missing", backup=True)
    creator = CreatorScript(handle="ada", nickname="Ada", lives=(live,))
    async with TikTokSimulator.start(Scenario(creators=(creator,), media=MEDIA)) as simulator:
        found = [stream for stream in await streams(simulator, http) if stream.protocol == "flv"]
        assert {stream.role for stream in found} == {"main", "backup"}
        for stream in found:
            async with http.stream("GET", stream.url) as response:
                assert response.status_code == (200 if stream.role == "backup" else 404)


@pytest.mark.parametrize(("stream", "ending"), [("hls", ".ts?"), ("hls_fmp4", ".m4s?")])
async def test_hls_alone_can_be_fetched_to_its_end(stream: str, ending: str, http: httpx.AsyncClient) -> None:
    live = LiveScript(stream=stream, waits_for_viewer=True, lead_s=9, duration_s=9.5)  # type: ignore[arg-type]
    creator = CreatorScript(handle="ada", nickname="Ada", lives=(live,))
    async with TikTokSimulator.start(Scenario(creators=(creator,), media=MEDIA)) as simulator:
        found = await streams(simulator, http)
        assert {stream.protocol for stream in found} == {"hls"}
        url = httpx.URL(found[0].url)
        async with asyncio.timeout(10):
            while "#EXT-X-ENDLIST" not in (text := (await http.get(url)).text):
                await asyncio.sleep(0.1)
        names = [line for line in text.splitlines() if ending in line]
        for name in names:
            (await http.get(url.join(name))).raise_for_status()
        if stream == "hls_fmp4":
            assert (await http.get(url.join("init.mp4?" + url.query.decode()))).content[4:8] == b"ftyp"
        (viewing,) = simulator.world.creator("ada").broadcasts[-1].viewings
        sent = (await http.get(f"{simulator.base_url}/_sim/creators/ada/sent")).json()
    assert len(names) == 3
    assert viewing.seconds == sent[0]["seconds"] == 9.5
