"""A simulator with one creator of each kind, and HTTP clients that talk to it over a real socket."""

from collections.abc import AsyncGenerator

import httpx
import pytest
from wentlive_devkit.tiktok import CreatorScript, MediaScript, Scenario, TikTokSimulator
from wentlive_tiktok.client import TikTokClient, tiktok_http_client

SMALL = MediaScript(width=96, height=160, fps=12, gop_s=1, loop_s=8, bitrate=60_000)


@pytest.fixture
async def simulator() -> AsyncGenerator[TikTokSimulator]:
    scenario = Scenario(
        creators=(
            CreatorScript(handle="ada", nickname="Ada", followers=7, verified=True),
            CreatorScript(handle="gated", nickname="Gated", kind="restricted_age"),
            CreatorScript(handle="hidden", nickname="Hidden", kind="private"),
            CreatorScript(handle="quiet", nickname="Quiet", kind="never_live"),
        ),
        media=SMALL,
    )
    async with TikTokSimulator.start(scenario) as running, httpx.AsyncClient() as viewer:
        # The cover comes from the clip: once it is there, a stream starts without waiting for the encoder.
        await viewer.get(f"{running.base_url}/img/ada/cover.png")
        yield running


@pytest.fixture
async def http() -> AsyncGenerator[httpx.AsyncClient]:
    async with tiktok_http_client() as client:
        yield client


@pytest.fixture
def client(simulator: TikTokSimulator, http: httpx.AsyncClient) -> TikTokClient:
    return TikTokClient(http, simulator.base_url)
