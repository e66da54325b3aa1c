"""The product as a newcomer starts it: the `wentlive` command, its story, and what it leaves behind."""

import asyncio
import json
import re
import signal
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from wentlive_devkit.leftovers import RUN_MARK, marked_processes

SHORT = Path(__file__).parent / "scenarios" / "short.toml"

pytestmark = [pytest.mark.timeout(300), pytest.mark.usefixtures("servers_installed")]


@asynccontextmanager
async def wentlive(*arguments: str) -> AsyncGenerator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "wentlive_devkit.cli", *arguments, stdout=asyncio.subprocess.PIPE
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGINT)
            await process.communicate()


async def told(process: asyncio.subprocess.Process, what: str) -> str:
    """Reads the command's output up to the first line that has `what` in it."""
    assert process.stdout is not None
    async with asyncio.timeout(90):
        while line := (await process.stdout.readline()).decode():
            if what in line:
                return line
    raise AssertionError(f"it ended without saying {what!r}")


def processes_in(folder: Path) -> list[int]:
    """Living processes that name `folder` on their command line."""
    found: list[int] = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and str(folder).encode() in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
        except OSError:
            continue
    return found


async def story(folder: Path, *flags: str) -> dict[str, Any]:
    arguments = ["demo", "--once", "--json", "--scenario", str(SHORT), "--data", str(folder), *flags]
    async with wentlive(*arguments) as process:
        output, _ = await process.communicate()
    result: dict[str, Any] = json.loads(output)
    assert process.returncode == 0, json.dumps(result, indent=2)
    return result


@pytest.mark.parametrize("flags", [(), ("--solo",)], ids=["rabbitmq", "solo"])
async def test_every_live_becomes_a_video(tmp_path: Path, flags: tuple[str, ...]) -> None:
    folder = tmp_path / "data"
    result = await story(folder, *flags)
    assert result["ok"]
    recordings = result["recordings"]
    assert sorted(recording["creator"] for recording in recordings) == ["ada.paints", "ada.paints", "slowtrains"]
    assert len({recording["room_id"] for recording in recordings}) == 3
    assert all(r["state"] == "completed" and r["played_while_recorded"] for r in recordings)
    assert all(recording["expired_link_refused"] for recording in recordings)
    cut = next(recording for recording in recordings if recording["creator"] == "slowtrains")
    assert len(cut["parts"]) == 2
    assert all(part["frames"] > 0 for recording in recordings for part in recording["parts"])
    assert not folder.exists()
    assert processes_in(folder) == []


async def test_every_live_becomes_a_video_in_azure(tmp_path: Path) -> None:
    """Recorders in container groups of a simulated Azure; the story itself looks that none is left."""
    folder = tmp_path / "data"
    result = await story(folder, "--runtime", "aci")
    assert result["ok"]
    assert result["servers"]["containers"] == "simulated Azure Container Instances"
    assert all(r["state"] == "completed" and r["played_while_recorded"] for r in result["recordings"])
    assert not folder.exists()
    assert processes_in(folder) == []


@pytest.mark.parametrize("runtime", ["process", pytest.param("aci", marks=pytest.mark.thorough)])
async def test_ctrl_c_leaves_nothing_behind_but_finished_data(tmp_path: Path, runtime: str) -> None:
    """Stopped in the middle of lives: what was recorded so far is finished, and no process stays."""
    folder = tmp_path / "data"
    flags = ["--solo", "--runtime", runtime, "--scenario", str(SHORT), "--data", str(folder)]
    async with wentlive("demo", *flags) as process:
        url = re.search(r"http://\S+", await told(process, "Wentlive  "))
        assert url is not None
        await told(process, "slowtrains recording")
        async with httpx.AsyncClient(trust_env=False) as http:
            assert (await http.get(f"{url[0]}/readyz")).is_success
        run = run_of(folder)
        assert len(marked_processes(run)) >= 2, "the services and at least one recorder"
        process.send_signal(signal.SIGINT)
        await told(process, "Nothing is left running")
        assert await process.wait() == 0
    assert marked_processes(run) == []
    assert processes_in(folder) == []
    assert not folder.exists()


async def test_a_second_run_in_the_same_folder_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    async with wentlive("demo", "--solo", "--data", str(folder)) as first:
        await told(first, "Wentlive  ")
        async with wentlive("demo", "--solo", "--data", str(folder)) as second:
            await second.communicate()
            assert second.returncode == 1
        assert folder.exists()


def run_of(folder: Path) -> str:
    """The mark of the run whose data lies in `folder`, from the environment of one of its processes."""
    for entry in Path("/proc").iterdir():
        try:
            variables = (entry / "environ").read_bytes().decode().split("\0") if entry.name.isdigit() else []
        except OSError:
            continue
        environment = dict(variable.split("=", 1) for variable in variables if "=" in variable)
        if RUN_MARK in environment and str(folder) in environment.get("WENTLIVE_SECRETS_DIR", ""):
            return environment[RUN_MARK]
    raise AssertionError("no process of the run was found")
