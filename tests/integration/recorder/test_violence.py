"""Recorders that are hurried, or set against each other; what is in storage afterwards is what counts."""

import asyncio
import signal
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from wentlive_devkit.rig.stage import Stage
from wentlive_devkit.rig.storage_gate import StorageGate
from wentlive_devkit.servers import AzuriteServer
from wentlive_devkit.tiktok import CreatorScript, LiveScript, MediaScript, Scenario

MEDIA = MediaScript(width=180, height=320, fps=24, gop_s=2, loop_s=8, bitrate=200_000)


@pytest.fixture
async def stage(azurite: AzuriteServer, tmp_path: Path) -> AsyncGenerator[Stage]:
    creator = CreatorScript(handle="ada", nickname="Ada", lives=(LiveScript(waits_for_viewer=True),))
    async with Stage.open(azurite, Scenario(creators=(creator,), media=MEDIA), tmp_path) as stage:
        yield stage


async def test_two_recorders_of_one_attempt_leave_only_whole_files(stage: Stage) -> None:
    async with stage.run("ada") as first, stage.run("ada", job=first.job) as second:
        await first.until(lambda: stage.sent("ada") >= 12)
        stage.simulator.world.end("ada")
        assert await asyncio.gather(first.exit(), second.exit()) == [0, 0]
    blobs = [name for name in stage.storage.names(first.job.blob_prefix) if name.endswith(".mp4")]
    films = [await stage.read(blob) for blob in blobs]
    assert max(film.seconds for film in films) == pytest.approx(
        max(viewing.seconds for viewing in stage.viewings("ada")), abs=0.5
    )
    for blob in blobs:
        assert stage.storage.index(blob.replace(".mp4", ".index")).closed


async def test_sigterm_is_obeyed_while_storage_is_down(stage: Stage, azurite: AzuriteServer) -> None:
    async with (
        StorageGate.start(azurite.blob_endpoint) as gate,
        stage.run("ada", storage=stage.storage.through(gate.endpoint)) as run,
    ):
        await run.until(lambda: 1 in run.receiver.parts and run.receiver.parts[1].fragments >= 2)
        gate.shut()
        await run.until(lambda: "storage_retried" in run.log.read_text())
        run.process.send_signal(signal.SIGTERM)
        # Below five seconds where it has a core to itself; tests run side by side.
        assert await run.exit(timeout=10) == 0
    assert run.receiver.parts[1].state == "open"
    assert (await stage.read(f"{run.stem()}.mp4")).seconds >= 2
