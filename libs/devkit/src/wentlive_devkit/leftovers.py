"""Finds and ends what a run left behind: processes that carry the run's mark in their environment."""

import asyncio
import os
import signal
from contextlib import suppress
from pathlib import Path

RUN_MARK = "WENTLIVE_RUN"
GRACE_SECONDS = 8.0
POLL_SECONDS = 0.05


def marked_processes(run: str) -> list[int]:
    """The living processes (no zombies, not ourselves) that were started with `WENTLIVE_RUN=<run>`."""
    needle = f"{RUN_MARK}={run}".encode()
    return [
        pid
        for pid in (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())
        if pid != os.getpid() and needle in _environment(pid) and not _zombie(pid)
    ]


async def end_marked_processes(run: str) -> int:
    """SIGTERM to all of a run's processes, SIGKILL after 8 s to those that stay; returns how many there were."""
    found = marked_processes(run)
    _signal(found, signal.SIGTERM)
    deadline = asyncio.get_running_loop().time() + GRACE_SECONDS
    # There is no event for the end of a process that is not our child.
    while (left := marked_processes(run)) and asyncio.get_running_loop().time() < deadline:  # noqa: ASYNC110
        await asyncio.sleep(POLL_SECONDS)
    _signal(left, signal.SIGKILL)
    return len(found)


def _signal(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def _environment(pid: int) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return []


def _zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True
