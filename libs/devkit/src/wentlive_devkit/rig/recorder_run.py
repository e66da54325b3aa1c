"""One recorder process on one creator's live."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from wentlive_common.errors import WentliveError
from wentlive_common.ids import new_ulid
from wentlive_common.job import RecordingJob
from wentlive_common.model import part_name

from wentlive_devkit.rig.report_desk import TOKEN, Receiver
from wentlive_devkit.rig.storage import Storage
from wentlive_devkit.tiktok.server import TikTokSimulator

_POLL_S = 0.05
_PARTS = range(1, 9)


class RunFault(WentliveError):
    """The recorder did not come to what was expected of it; its log is in the message."""


@dataclass
class Run:
    """A recorder that was started, and everything around it."""

    process: asyncio.subprocess.Process
    job: RecordingJob
    receiver: Receiver
    storage: Storage
    log: Path

    def stem(self, part: int = 1) -> str:
        return f"{self.job.blob_prefix}/{part_name(self.job.attempt, part)}"

    async def exit(self, timeout: float = 40) -> int:
        async with asyncio.timeout(timeout):
            return await self.process.wait()

    async def until(self, condition: Callable[[], bool], timeout: float = 40) -> None:
        """Polls until it holds; raises RunFault when it does not, or when the recorder is gone."""
        deadline = time.monotonic() + timeout
        while not condition():
            if time.monotonic() > deadline or self.process.returncode is not None:
                raise RunFault(f"It did not come to that (exit {self.process.returncode}):\n{self.log.read_text()}")
            await asyncio.sleep(_POLL_S)

    def peak_memory(self) -> float:
        """Peak resident memory in MB, while the process lives."""
        return self._status("VmHWM")

    def memory(self) -> float:
        """Resident memory in MB, while the process lives."""
        return self._status("VmRSS")

    def cpu(self) -> float:
        """CPU-seconds used so far, while the process lives."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def _status(self, name: str) -> float:
        lines = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:")) / 1024


@dataclass(frozen=True)
class Target:
    """The live that is to be recorded, and the TikTok that has it."""

    base_url: str
    handle: str
    creator_id: str
    room_id: str


def target(simulator: TikTokSimulator, handle: str) -> Target:
    """The creator's last broadcast."""
    creator = simulator.world.creators[handle]
    return Target(simulator.base_url, handle, creator.user_id, creator.broadcasts[-1].room_id)


def make_job(live: Target, storage: Storage, receiver: Receiver, **fields: Any) -> RecordingJob:
    """A job for the live; `fields` are the job's own."""
    recording_id = new_ulid()
    job: dict[str, Any] = {
        "recording_id": recording_id,
        "attempt": 1,
        "creator_id": live.creator_id,
        "room_id": live.room_id,
        "handle": live.handle,
        "blob_prefix": f"{live.creator_id}/2026/11/23/{recording_id}",
        "report_url": receiver.url,
        "report_token": TOKEN,
        **fields,
    }
    job.setdefault("grants", storage.grants(job["blob_prefix"], job["attempt"], _PARTS))
    return RecordingJob.model_validate(job)


@asynccontextmanager
async def recorder_process(
    live: Target,
    job: RecordingJob,
    storage: Storage,
    receiver: Receiver,
    log: Path,
    settings: Mapping[str, str] | None = None,
    *,
    job_in_environment: bool = False,
) -> AsyncGenerator[Run]:
    """Runs while the body does; killed at its end when it is still there. `settings` are RecorderSettings' names."""
    settings = {**(settings or {}), "tiktok_base_url": live.base_url}
    if job_in_environment:
        settings["job"] = job.to_secret_json().decode()
    with log.open("wb") as errors:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "wentlive_recorder",
            stdin=subprocess.PIPE, stdout=errors, stderr=errors,
            env={**os.environ, **{f"WENTLIVE_RECORDER_{name.upper()}": value for name, value in settings.items()}},
        )  # fmt: skip
    stdin = cast("asyncio.StreamWriter", process.stdin)
    if not job_in_environment:
        stdin.write(job.to_secret_json())
    stdin.close()
    await stdin.wait_closed()
    try:
        yield Run(process, job, receiver, storage, log)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
