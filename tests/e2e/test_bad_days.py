"""One live in which everything dies once: the system comes back by itself, and nothing committed is lost."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import pytest
from wentlive_devkit.catalog_client import CatalogClient, Recording
from wentlive_devkit.configuration import ADMIN
from wentlive_devkit.media_check import decode_fully
from wentlive_devkit.simulator_client import SimulatorClient
from wentlive_devkit.stack import Stack, StackOptions
from wentlive_devkit.story import fetch

pytestmark = [pytest.mark.timeout(300), pytest.mark.usefixtures("servers_installed")]

SCENARIO = """
[[creators]]
handle = "ada.paints"
nickname = "Ada paints"

[[creators.lives]]
starts_after_s = 1
duration_s = 50
title = "Through thick and thin"
"""


async def eventually(look: Callable[[], Awaitable[bool]], within: float = 60) -> None:
    async with asyncio.timeout(within):
        while not await look():
            await asyncio.sleep(0.2)


async def test_each_service_is_killed_during_a_live(tmp_path: Path) -> None:
    scenario = tmp_path / "scenario.toml"
    scenario.write_text(SCENARIO)
    options = StackOptions(folder=tmp_path / "data", scenario=str(scenario), fresh=True)
    async with Stack.start(options) as stack, CatalogClient(stack.addresses.catalog_url) as catalog:
        await catalog.sign_in(ADMIN, stack.password)
        await catalog.follow("ada.paints")
        simulator = SimulatorClient(str(stack.addresses.tiktok_url))
        await simulator.begin()

        async def recordings() -> list[Recording]:
            return await catalog.recordings()

        async def watchable() -> bool:
            return any(part.watchable for recording in await recordings() for part in recording.parts)

        await eventually(watchable)
        for name in ("watcher", "orchestrator", "catalog"):
            service = stack.services[name]
            await service.kill()
            await eventually(service.ready)
            assert service.restarts == 1

        async def finished() -> bool:
            return all(recording.state == "completed" for recording in await recordings())

        await eventually(finished, within=120)
        (recording,) = await recordings()
        assert len(recording.parts) == 1, "the recorder outlives a killed orchestrator and is adopted"
        link = await catalog.link(recording.recording_id, recording.parts[0].name, 60)
        report = decode_fully(await fetch(link.url))
        (live,) = [live for live in await simulator.ended_lives() if live.room_id == recording.room_id]
        recorded_to = recording.parts[0].opened_at + timedelta(seconds=report.duration)
        assert live.started_at + timedelta(seconds=live.seconds) - recorded_to < timedelta(seconds=2), "to the end"
