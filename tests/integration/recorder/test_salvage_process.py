"""Recorders that are killed, and what the next one makes of what they left; and how a process tells what came of it."""

import asyncio
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from wentlive_common.job import RecordingJob, SalvagePart
from wentlive_devkit.rig.film import judge, watch
from wentlive_devkit.rig.recorder_run import Run, make_job, recorder_process, target
from wentlive_devkit.rig.report_desk import ReportDesk
from wentlive_devkit.rig.storage import Storage
from wentlive_devkit.rig.storage_gate import StorageGate
from wentlive_devkit.servers import AzuriteServer
from wentlive_devkit.tiktok import CreatorScript, LiveScript, MediaScript, Scenario, TikTokSimulator

HANDLE = "ada.paints"
MEDIA = MediaScript(width=360, height=640, fps=24, gop_s=2, loop_s=8, bitrate=2_000_000)


def scenario() -> Scenario:
    return Scenario(creators=(CreatorScript(handle=HANDLE, nickname="Ada", lives=(LiveScript(),)),), media=MEDIA)


async def kill(run: Run, fragments: int) -> None:
    await run.until(lambda: 1 in run.receiver.parts and run.receiver.parts[1].fragments >= fragments)
    run.process.send_signal(signal.SIGKILL)
    await run.exit()


async def is_standard(storage: Storage, run: Run, path: Path) -> float:
    """Fully decoded by an independent reader, and indexed to its end; seconds of it."""
    media, index = storage.read(f"{run.stem()}.mp4"), storage.index(f"{run.stem()}.index")
    await asyncio.to_thread(path.write_bytes, media)
    await judge(path)
    film = watch(media)
    assert index.closing is not None
    assert index.closing.bytes == len(media)
    assert film.seconds == pytest.approx(index.duration, abs=0.2)
    return film.seconds


def salvage_job(job: RecordingJob, storage: Storage, known: object) -> dict[str, object]:
    stem = f"{job.blob_prefix}/a1-p1"
    part = SalvagePart.model_validate(
        {"attempt": 1, "part": 1, "blob": f"{stem}.mp4", "index_blob": f"{stem}.index", "known": known}
    )
    grants = storage.grants(job.blob_prefix, 1, range(1, 2)) + storage.grants(job.blob_prefix, 2, range(1, 4))
    return {
        "recording_id": job.recording_id, "blob_prefix": job.blob_prefix, "attempt": 2, "salvage": (part,),
        "grants": grants,
    }  # fmt: skip


@pytest.mark.parametrize("task", ["salvage", "record"])
async def test_what_a_killed_recorder_left_becomes_a_standard_mp4_without_its_media_being_fetched(
    azurite: AzuriteServer, tmp_path: Path, task: str
) -> None:
    storage = Storage(azurite)
    async with TikTokSimulator.start(scenario()) as simulator, ReportDesk.open() as desk:
        live, receiver = target(simulator, HANDLE), desk.receiver()
        job = make_job(live, storage, receiver)
        async with recorder_process(live, job, storage, receiver, tmp_path / "first.log") as first:
            await kill(first, 5)
        left = len(storage.read(f"{first.stem()}.mp4"))
        async with StorageGate.start(azurite.blob_endpoint) as gate:
            second_desk = desk.receiver()
            fields = salvage_job(job, storage.through(gate.endpoint), receiver.parts[1])
            second_job = make_job(live, storage, second_desk, task=task, **fields)
            log = tmp_path / "second.log"
            async with recorder_process(live, second_job, storage, second_desk, log) as second:
                await second.until(lambda: bool(second_desk.reports) and bool(second_desk.last.salvaged), 20)
                given = gate.given
                simulator.world.end(HANDLE)
                assert await second.exit() == 0
    [salvaged] = second_desk.last.salvaged
    assert salvaged.report is not None
    assert (salvaged.attempt, salvaged.report.state, salvaged.report.fragments >= 5) == (1, "closed", True)
    assert await is_standard(storage, first, tmp_path / "part.mp4") > 9.9
    assert given < left / 4, "only where the fragments lie was read"
    assert second_desk.last.outcome == "ended"
    assert bool(second_desk.parts) == (task == "record")
    storage.close()


async def test_a_recorder_started_again_for_the_same_attempt_records_on_and_closes_its_own_part(
    azurite: AzuriteServer, tmp_path: Path
) -> None:
    storage = Storage(azurite)
    async with TikTokSimulator.start(scenario()) as simulator, ReportDesk.open() as desk:
        live, receiver = target(simulator, HANDLE), desk.receiver()
        job = make_job(live, storage, receiver)
        async with recorder_process(live, job, storage, receiver, tmp_path / "first.log") as first:
            await kill(first, 3)
        before = receiver.last.sequence
        settings = {"quiet_before_salvage": "2"}
        async with recorder_process(live, job, storage, receiver, tmp_path / "again.log", settings) as again:
            await again.until(lambda: receiver.parts[1].state == "closed" and 2 in receiver.parts)
            simulator.world.end(HANDLE)
            assert await again.exit() == 0
    assert receiver.last.sequence > before
    assert {number: part.state for number, part in receiver.parts.items()} == {1: "closed", 2: "closed"}
    assert await is_standard(storage, first, tmp_path / "part.mp4") > 5.9
    storage.close()


@pytest.mark.parametrize(
    ("settings", "job", "code", "told"),
    [({"BUFFER_BYTES": "much"}, b"", 2, b"BUFFER_BYTES"), ({}, b"no job", 64, b"job_unreadable")],
)
def test_what_keeps_it_from_beginning_is_told_by_its_exit_code(
    settings: dict[str, str], job: bytes, code: int, told: bytes
) -> None:
    environment = {f"WENTLIVE_RECORDER_{name}": value for name, value in settings.items()}
    result = subprocess.run(
        [sys.executable, "-m", "wentlive_recorder"], input=job, capture_output=True, check=False, env=environment
    )
    assert result.returncode == code
    assert told in result.stderr
