"""CPU and peak memory of recording one live beside `ffmpeg -c copy`, streamlink and yt-dlp: one stream, one run.

Real time, 720x1280 at 2 Mbit/s, sent frame by frame as a live is. We write to storage over HTTP and make pictures; the
others write one local file. `--seconds` is how long everybody is measured after a minute to settle.
Peers that are not there are left out.
"""

import argparse
import asyncio
import shutil
import sys
import time
from contextlib import AsyncExitStack, suppress
from pathlib import Path

from surroundings import (
    TWO_MEGABITS,
    Surroundings,
    cpu_seconds,
    machine,
    memory_mb,
    surroundings,
    table,
)
from wentlive_devkit.rig.recorder_run import make_job, recorder_process
from wentlive_devkit.tiktok import LiveScript

SETTLE_S = 60
HANDLE = "ada"


def program(name: str) -> str | None:
    """Beside this Python, where the `peers` group is installed, or anywhere on the machine."""
    return shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name)


def peers(url: str, folder: Path) -> dict[str, list[str]]:
    """The commands of those that this machine has."""
    streamlink, yt_dlp = map(program, ("streamlink", "yt-dlp"))
    found: dict[str, list[str]] = {}
    if shutil.which("ffmpeg"):
        flags = ["-c", "copy", "-movflags", "frag_keyframe+empty_moov"]
        found["ffmpeg -c copy"] = ["ffmpeg", "-v", "error", "-nostdin", "-i", url, *flags, str(folder / "ffmpeg.mp4")]
    if streamlink:
        found["streamlink"] = [
            streamlink,
            "--quiet",
            f"httpstream://{url}",
            "best",
            "-o",
            str(folder / "streamlink.flv"),
        ]
    if yt_dlp:
        found["yt-dlp"] = [yt_dlp, "--quiet", "--no-warnings", "--no-part", "-o", str(folder / "yt-dlp.flv"), url]
    for name in sorted({"ffmpeg -c copy", "streamlink", "yt-dlp"} - set(found)):
        print(f"{name} is not here: left out (`make bench` installs streamlink and yt-dlp, `make test` ffmpeg)")
    return found


async def watched(name: str, pid: int, seconds: float) -> list[str]:
    """A row: CPU to start and settle, CPU a minute from then on, and peak memory."""
    await asyncio.sleep(SETTLE_S)
    began, settled = time.monotonic(), cpu_seconds(pid)
    await asyncio.sleep(seconds)
    steady = (cpu_seconds(pid) - settled) / (time.monotonic() - began) * 60
    return [name, f"{settled:.2f} s", f"{steady:.2f} s", f"{steady / 0.6:.2f} %", f"{memory_mb(pid, 'VmHWM'):.0f} MB"]


async def ours(around: Surroundings, seconds: float) -> list[str]:
    live, receiver = await around.target(HANDLE), around.desk.receiver()
    job = make_job(live, around.storage, receiver)
    async with recorder_process(live, job, around.storage, receiver, around.folder / "recorder.log") as run:
        row = await watched("**wentlive**", run.process.pid, seconds)
        assert receiver.parts[1].duration > seconds, run.log.read_text()
    return row


async def theirs(name: str, command: list[str], seconds: float) -> list[str]:
    process = await asyncio.create_subprocess_exec(*command)
    try:
        return await watched(name, process.pid, seconds)
    except FileNotFoundError:
        return [name, "it went too early", "", "", ""]
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    seconds = parser.parse_args().seconds
    async with AsyncExitStack() as stack:
        around = await stack.enter_async_context(surroundings([HANDLE], LiveScript(piece_s=1 / 30), TWO_MEGABITS))
        commands = peers(await around.stream_url(HANDLE), around.folder)
        rows = await asyncio.gather(
            ours(around, seconds), *(theirs(name, command, seconds) for name, command in commands.items())
        )
        print(f"\n720x1280, 2 Mbit/s, {seconds:.0f} s after {SETTLE_S} s, all at once; {machine()}\n")
        table(["", f"CPU, first {SETTLE_S} s", "CPU a minute then", "of one core", "peak memory"], rows)


if __name__ == "__main__":
    asyncio.run(main())
