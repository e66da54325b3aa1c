"""What the recorder's benchmarks share: a simulated TikTok and storage in processes of their own, and a meter."""

import asyncio
import os
import sys
import tempfile
from collections.abc import AsyncGenerator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import httpx
from wentlive_common.logging import configure_logging
from wentlive_devkit.rig.recorder_run import Target
from wentlive_devkit.rig.report_desk import ReportDesk
from wentlive_devkit.rig.storage import Storage
from wentlive_devkit.servers import AzuriteServer
from wentlive_devkit.tiktok import CreatorScript, LiveScript, MediaScript, Scenario
from wentlive_tiktok.client import TikTokClient
from wentlive_tiktok.status import Live
from wentlive_tiktok.streams import rank

TICKS = os.sysconf("SC_CLK_TCK")
TWO_MEGABITS = MediaScript(width=720, height=1280, fps=30, gop_s=2, loop_s=8, bitrate=2_000_000)
SMALL = MediaScript(width=180, height=320, fps=30, gop_s=2, loop_s=8, bitrate=100_000)


@dataclass
class Surroundings:
    base_url: str
    storage: Storage
    desk: ReportDesk
    folder: Path
    http: httpx.AsyncClient
    pids: list[int]
    """Those of storage and TikTok."""

    async def target(self, handle: str) -> Target:
        creator = (await self.http.get(f"{self.base_url}/_sim/state")).json()["creators"][handle]
        return Target(self.base_url, handle, creator["creator_id"], creator["broadcasts"][-1]["room_id"])

    async def stream_url(self, handle: str) -> str:
        status = await TikTokClient(self.http, self.base_url).live_status(handle)
        assert isinstance(status, Live)
        return next(stream.url for stream in rank(status.streams) if stream.protocol == "flv")

    async def sent(self, handle: str) -> float:
        """Seconds of media that the creator's viewers were sent."""
        viewings = (await self.http.get(f"{self.base_url}/_sim/creators/{handle}/sent")).json()
        return sum(viewing["seconds"] for viewing in viewings)

    async def ask(self, handle: str, what: str) -> None:
        """Has the creator's live `end`, `pause` or `resume`."""
        (await self.http.post(f"{self.base_url}/_sim/creators/{handle}/{what}")).raise_for_status()


@asynccontextmanager
async def surroundings(handles: Iterable[str], live: LiveScript, media: MediaScript) -> AsyncGenerator[Surroundings]:
    """Creators whose lives wait for whoever watches first, if `live` says so; clips are ready when this is."""
    configure_logging("WARNING")
    creators = tuple(CreatorScript(handle=handle, nickname=handle, lives=(live,)) for handle in handles)
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="wentlive-bench-")))
        azurite = await stack.enter_async_context(AzuriteServer.start(folder / "azurite"))
        storage = Storage(azurite)
        stack.callback(storage.close)
        desk = await stack.enter_async_context(ReportDesk.open())
        http = await stack.enter_async_context(httpx.AsyncClient(timeout=60, trust_env=False))
        scenario = folder / "scenario.json"
        scenario.write_text(Scenario(creators=creators, media=media).model_dump_json())
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "wentlive_devkit.tiktok", "--scenario", str(scenario), stdout=asyncio.subprocess.PIPE
        )
        stack.push_async_callback(_stopped, process)
        base_url = (await cast("asyncio.StreamReader", process.stdout).readline()).decode().strip()
        await http.get(f"{base_url}/img/{creators[0].handle}/cover.png")
        pids = [pid for pid in (azurite.pid, process.pid) if pid is not None]
        yield Surroundings(base_url, storage, desk, folder, http, pids)


async def _stopped(process: asyncio.subprocess.Process) -> None:
    with suppress(ProcessLookupError):
        process.terminate()
    await process.wait()


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def memory_mb(pid: int, what: str = "VmRSS") -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{what}:")) / 1024


def hold_to_core(pid: int, core: int) -> None:
    if len(os.sched_getaffinity(0)) > 1:
        os.sched_setaffinity(pid, {core})


def machine() -> str:
    models = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    model = models[0].partition(":")[2].strip() if models else "an unknown processor"
    return f"{os.cpu_count()} cores of {model}, Python {sys.version.split()[0]}"


def table(head: list[str], rows: Iterable[Iterable[object]]) -> None:
    print("| " + " | ".join(head) + " |")
    print("|" + "---|" * len(head))
    for row in rows:
        print("| " + " | ".join(str(cell) for cell in row) + " |")
