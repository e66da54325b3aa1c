"""How many recordings of 2 Mbit/s one core carries: each in a process of its own, and many in one process.

The recorders share one core; TikTok and storage have another. `--many` at once (default 10), so the answer is what that
many use, scaled up to a core that is full.
"""

import argparse
import asyncio
import sys
import time
from contextlib import AsyncExitStack
from typing import cast

from surroundings import (
    TWO_MEGABITS,
    Surroundings,
    cpu_seconds,
    hold_to_core,
    machine,
    memory_mb,
    surroundings,
    table,
)
from wentlive_common.job import RecordingJob
from wentlive_common.lifecycle import stop_on_signals
from wentlive_common.logging import configure_logging
from wentlive_devkit.rig.recorder_run import make_job, recorder_process
from wentlive_devkit.tiktok import LiveScript
from wentlive_recorder.bootstrap import bootstrap
from wentlive_recorder.settings import RecorderSettings

SETTLE_S = 20.0
THEIRS, OURS = 0, 1


async def record_all(base_url: str) -> None:
    """Many recorders in this process: a job on each line of standard input."""
    configure_logging("WARNING")
    settings = RecorderSettings(tiktok_base_url=base_url)
    jobs = [RecordingJob.model_validate_json(line) for line in sys.stdin]
    async with AsyncExitStack() as stack:
        recorders = [await stack.enter_async_context(bootstrap(settings, job)) for job in jobs]
        stop = await stack.enter_async_context(stop_on_signals())
        await asyncio.gather(*(recorder.run(stop) for recorder in recorders))


async def usage(pids: list[int], seconds: float) -> tuple[float, float]:
    """The share of a core that they use together, and their memory in MB."""
    await asyncio.sleep(SETTLE_S)
    began, before = time.monotonic(), sum(map(cpu_seconds, pids))
    await asyncio.sleep(seconds)
    share = (sum(map(cpu_seconds, pids)) - before) / (time.monotonic() - began)
    return share, sum(memory_mb(pid, "RssAnon") for pid in pids)


async def apart(around: Surroundings, handles: list[str], seconds: float) -> tuple[float, float, float]:
    """As they run in containers: usage, and the least that any of them recorded."""
    async with AsyncExitStack() as stack:
        receivers, pids = [], []
        for handle in handles:
            live, receiver = await around.target(handle), around.desk.receiver()
            job, log = make_job(live, around.storage, receiver), around.folder / f"{handle}.log"
            run = await stack.enter_async_context(recorder_process(live, job, around.storage, receiver, log))
            hold_to_core(run.process.pid, OURS)
            receivers.append(receiver)
            pids.append(run.process.pid)
        share, memory = await usage(pids, seconds)
        return share, memory, min(receiver.parts[1].duration for receiver in receivers)


async def together(around: Surroundings, handles: list[str], seconds: float) -> tuple[float, float, float]:
    receivers = [around.desk.receiver() for _ in handles]
    jobs = [
        make_job(await around.target(handle), around.storage, receiver)
        for handle, receiver in zip(handles, receivers, strict=True)
    ]
    process = await asyncio.create_subprocess_exec(
        sys.executable, __file__, "--record-all", around.base_url, stdin=asyncio.subprocess.PIPE
    )
    hold_to_core(process.pid, OURS)
    try:
        stdin = cast("asyncio.StreamWriter", process.stdin)
        stdin.write(b"".join(job.to_secret_json() + b"\n" for job in jobs))
        stdin.close()
        share, memory = await usage([process.pid], seconds)
    finally:
        process.kill()
        await process.wait()
    return share, memory, min(receiver.parts[1].duration for receiver in receivers)


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--many", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--record-all", metavar="URL", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.record_all:
        return await record_all(options.record_all)
    handles, rows = [f"ada{number}" for number in range(options.many)], []
    for name, way in (("a process each", apart), ("one process", together)):
        async with surroundings(handles, LiveScript(), TWO_MEGABITS) as around:
            for pid in around.pids:
                hold_to_core(pid, THEIRS)
            share, memory, least = await way(around, handles, options.seconds)
        each = share / options.many
        rows.append(
            [name, options.many, f"{share:.1%}", f"{each:.2%}", f"{1 / each:.0f}", f"{memory / options.many:.0f} MB",
             f"{least:.0f} s"]
        )  # fmt: skip
    print(f"\n720x1280, 2 Mbit/s, {options.seconds:.0f} s in real time; {machine()}\n")
    head = ["", "recordings", "of one core", "each", "a core carries", "own memory each", "least recorded"]
    table(head, rows)


if __name__ == "__main__":
    asyncio.run(main())
