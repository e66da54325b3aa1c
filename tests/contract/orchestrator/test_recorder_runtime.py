"""What every `RecorderRuntime` promises: over real processes, container groups of a simulated Azure, and the fake."""

import asyncio
import os
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from wentlive_common.events import BroadcastWentLive
from wentlive_common.ids import new_ulid
from wentlive_common.job import RecordingJob
from wentlive_orchestrator.adapters.aci_runtime import AciRuntime
from wentlive_orchestrator.adapters.process_runtime import ProcessRuntime
from wentlive_orchestrator.adapters.process_table import read_stat
from wentlive_orchestrator.adapters.recorder_logs import RecorderLogs
from wentlive_orchestrator.domain import attempt_name, open_recording
from wentlive_orchestrator.ports import (
    AttemptSpec,
    DeletionUnderWay,
    Exited,
    Gone,
    Running,
    RuntimeHandle,
    StartRefused,
)
from wentlive_orchestrator.stopping import delete_for_certain
from wentlive_orchestrator.testing import FakeRuntime, LingeringRuntime

SLEEPER = [sys.executable, str(Path(__file__).with_name("sleeper.py"))]


def new_attempt(reports: str = "http://127.0.0.1:9") -> tuple[AttemptSpec, RecordingJob]:
    recording_id = new_ulid()
    name = attempt_name(recording_id, 1)
    job = RecordingJob.model_validate(
        {
            "recording_id": recording_id, "attempt": 1, "creator_id": "7", "room_id": "42", "handle": "ann",
            "blob_prefix": "7/x", "report_url": f"{reports}/{name}", "report_token": "the-secret-token",
        }
    )  # fmt: skip
    return AttemptSpec(name=name, recording_id=recording_id, number=1), job


def process_runtime(folder: Path, mode: str = "") -> ProcessRuntime:
    given = str(folder / "given")
    return ProcessRuntime(folder, {"WENTLIVE_RECORDER_GIVEN": given, "WENTLIVE_RECORDER_MODE": mode}, command=SLEEPER)


async def until(condition, seconds=10.0):
    async with asyncio.timeout(seconds):
        while not (found := await condition()):
            await asyncio.sleep(0.01)
    return found


async def begun(folder: Path) -> None:
    async def there():
        return (folder / "given").exists()

    await until(there)


@pytest.fixture(params=["process", "aci", "fake", "lingering"])
async def runtime(request, tmp_path, azure):
    match request.param:
        case "process":
            made = process_runtime(tmp_path)
        case "aci":
            made = await azure.runtime()
        case "fake":
            made = FakeRuntime()
        case _:
            made = LingeringRuntime(looks=2)
    yield made
    for handle in await made.list():
        await deleted(made, handle)


@pytest.fixture
def attempt(runtime, azure):
    """Makes an attempt whose recorder reports to where it is answered."""
    return lambda: new_attempt(azure.report_url) if isinstance(runtime, AciRuntime) else new_attempt()


@pytest.fixture
def wait_begun(runtime, tmp_path):
    """Returns once the one recorder that was started has its job; a fake's has it at once."""

    async def wait() -> None:
        if not isinstance(runtime, FakeRuntime):
            await begun(tmp_path)

    return wait


async def deleted(runtime, handle):
    await delete_for_certain(runtime, handle, 10)


async def test_what_was_started_runs_and_is_listed_and_found_by_name(runtime, attempt, wait_begun):
    spec, job = attempt()
    handle = await runtime.start(spec, job)
    assert handle.name == spec.name
    await wait_begun()
    assert await runtime.status(handle) == Running()
    assert await runtime.list() == [handle]
    assert await runtime.find(spec.name) == handle
    assert await runtime.find("rec-other-1") is None


async def test_deleted_is_gone_and_deleting_again_is_fine(runtime, attempt):
    spec, job = attempt()
    handle = await runtime.start(spec, job)
    await deleted(runtime, handle)
    assert await runtime.status(handle) == Gone()
    assert await runtime.list() == []
    assert await runtime.find(spec.name) is None
    await deleted(runtime, handle)
    await runtime.stop(handle)


async def test_as_long_as_it_is_not_gone_a_deletion_is_not_over(runtime, attempt):
    handle = await runtime.start(*attempt())
    try:
        await runtime.delete(handle)
    except DeletionUnderWay:
        assert await runtime.status(handle) != Gone()
        await deleted(runtime, handle)
    assert await runtime.status(handle) == Gone()


async def test_there_is_room_for_a_first_one(runtime, attempt):
    seen = BroadcastWentLive(creator_id="7", room_id="1", handle="ann", sequence=1, at=datetime.now(UTC))
    recording, _ = open_recording(new_ulid(), seen)
    assert runtime.room.refusal(recording) == ""
    handle = await runtime.start(*attempt())
    assert await runtime.status(handle) == Running()


async def test_stopped_it_leaves_by_itself(runtime, attempt, wait_begun):
    handle = await runtime.start(*attempt())
    await wait_begun()
    await runtime.stop(handle)

    async def exited():
        return isinstance(await runtime.status(handle), Exited)

    await until(exited)
    status = await runtime.status(handle)
    assert isinstance(status, Exited)
    assert status.code == 0
    left = [handle] if isinstance(runtime, AciRuntime) else []
    assert await runtime.list() == left, "what has ended is listed only when it still holds something: a quota's place"
    await deleted(runtime, handle)
    assert await runtime.status(handle) == Gone()


async def test_a_handle_survives_storage_as_json(runtime, attempt):
    handle = await runtime.start(*attempt())
    again = RuntimeHandle.model_validate_json(handle.model_dump_json())
    assert await runtime.status(again) == Running()


async def test_exit_codes_are_told(tmp_path):
    runtime = process_runtime(tmp_path, "dies")
    handle = await runtime.start(*new_attempt())

    async def exited():
        status = await runtime.status(handle)
        return status if isinstance(status, Exited) else None

    assert await until(exited) == Exited(5)
    await runtime.delete(handle)


async def test_the_job_comes_by_standard_input_alone(tmp_path, monkeypatch):
    monkeypatch.setenv("WENTLIVE_ORCHESTRATOR_STORAGE_CONNECTION_STRING", "AccountKey=hidden")
    runtime = process_runtime(tmp_path)
    handle = await runtime.start(*new_attempt())
    await begun(tmp_path)
    job, *elsewhere = (tmp_path / "given").read_text().split("\0")
    assert "the-secret-token" in job
    assert "the-secret-token" not in "".join(elsewhere)
    assert "hidden" not in "".join(elsewhere)
    await runtime.delete(handle)


async def test_a_deaf_recorder_is_killed(tmp_path):
    runtime = process_runtime(tmp_path, "deaf")
    handle = await runtime.start(*new_attempt())
    await begun(tmp_path)
    await runtime.stop(handle)
    assert await runtime.status(handle) == Running()
    await runtime.delete(handle)
    assert await runtime.status(handle) == Gone()


async def test_another_runtime_over_the_same_folder_adopts_and_one_over_another_does_not(tmp_path):
    first = process_runtime(tmp_path)
    handle = await first.start(*new_attempt())
    second = process_runtime(tmp_path)
    # The kernel shows a new process's environment a moment after its parent goes on.
    await begun(tmp_path)
    assert await second.list() == [handle]
    assert await second.status(handle) == Running()
    assert await process_runtime(tmp_path / "other").list() == []
    await second.delete(handle)
    # Not its child: it stays a zombie until its parent looks, and a zombie does not run.
    assert isinstance(await second.status(handle), Exited | Gone)
    assert isinstance(await first.status(handle), Exited)


async def test_a_recycled_process_id_is_never_mistaken(tmp_path):
    runtime = process_runtime(tmp_path)
    handle = await runtime.start(*new_attempt())
    impostor = handle.model_copy(update={"state": handle.state | {"started": handle.state["started"] - 1}})
    assert await runtime.status(impostor) == Gone()
    await runtime.stop(impostor)
    await runtime.delete(impostor)
    assert await runtime.status(handle) == Running(), "nobody else's process is touched"
    await runtime.delete(handle)


async def test_it_outlives_its_starters_session(tmp_path):
    runtime = process_runtime(tmp_path)
    handle = await runtime.start(*new_attempt())
    stat = read_stat(handle.state["pid"])
    assert stat is not None
    assert stat.session == handle.state["pid"] != os.getsid(0)
    await runtime.delete(handle)


async def test_a_program_that_is_not_there_is_a_refusal(tmp_path):
    with pytest.raises(StartRefused):
        await ProcessRuntime(tmp_path, {}, command=[str(tmp_path / "nothing")]).start(*new_attempt())


async def test_its_words_are_kept_in_a_file_of_its_own(tmp_path):
    runtime = process_runtime(tmp_path)
    spec, job = new_attempt()
    handle = await runtime.start(spec, job)

    async def written():
        return "it began" in (tmp_path / "recorders" / f"{spec.recording_id}-a1.log").read_text()

    await until(written)
    os.kill(handle.state["pid"], signal.SIGKILL)
    await runtime.delete(handle)


def test_logs_are_bounded_in_size_and_number(tmp_path):
    logs = RecorderLogs(tmp_path, max_bytes=100, kept_files=2)
    fd = logs.open("x", 1)
    os.write(fd, b"a" * 150)
    logs.tidy()
    os.write(fd, b"after")
    os.close(fd)
    assert logs.path("x", 1).read_text() == "after"
    assert len(logs.path("x", 1).with_suffix(".log.1").read_text()) == 150
    for number in (2, 3, 4):
        os.close(logs.open("x", number))
        os.utime(logs.path("x", number), (number + 2e9, number + 2e9))
    logs.tidy()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x-a3.log", "x-a4.log"]
