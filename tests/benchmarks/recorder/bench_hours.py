"""Does a recording grow with its length? One live, hurried through a real recorder: memory on the way, finish time.

`--hours` is the longer one (default 1; the table in docs/recorder.md is made with 6); the shorter one has ten minutes.
The picture is small, because what could grow are the tables about it: 30 frames and 47 sounds a second.
"""

import argparse
import asyncio
import time

from surroundings import SMALL, Surroundings, machine, memory_mb, surroundings, table
from wentlive_devkit.rig.recorder_run import Run, make_job, recorder_process
from wentlive_devkit.tiktok import LiveScript

PACE = 1000
POLL_S = 0.2
ALL_ARRIVED_S = 10
MARKS_MIN = (1, 10, 30, 60, 120, 180, 240, 300, 360)


async def recorded(around: Surroundings, handle: str, seconds: float) -> tuple[Run, dict[int, float], float]:
    """The run when it is over, its memory at the marks, and how long it took.

    What is still on its way when a hurried live ends is many minutes, so it is given the time to arrive before.
    """
    live, receiver = await around.target(handle), around.desk.receiver()
    job = make_job(live, around.storage, receiver)
    began, memory = time.monotonic(), {}
    log, settings = around.folder / f"{handle}.log", {"longest_part": "86400", "read_timeout": "60"}
    async with recorder_process(live, job, around.storage, receiver, log, settings) as run:
        reached = 0.0
        while reached < seconds:
            await asyncio.sleep(POLL_S)
            reached = receiver.parts[1].duration if 1 in receiver.parts else 0.0
            for mark in MARKS_MIN:
                if reached >= mark * 60 - 5:
                    memory.setdefault(mark, memory_mb(run.process.pid))
        await around.ask(handle, "pause")
        before = 0.0
        while receiver.parts[1].duration > before:
            before = receiver.parts[1].duration
            await asyncio.sleep(ALL_ARRIVED_S)
        await around.ask(handle, "end")
        await run.exit()
    return run, memory, time.monotonic() - began


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=float, default=1)
    hours = parser.parse_args().hours
    rows = []
    for seconds in (600, hours * 3600):
        script = LiveScript(pace=PACE, waits_for_viewer=True)
        async with surroundings(["ada"], script, SMALL) as around:
            run, memory, took = await recorded(around, "ada", seconds)
            assert run.receiver.last.outcome == "ended", run.log.read_text()
            parts = list(run.receiver.parts.values())
        marks = ", ".join(f"{mark} min {used:.0f}" for mark, used in memory.items())
        rows.append(
            [
                f"{seconds / 60:.0f} min", f"{sum(part.duration for part in parts) / 60:.2f} min in {len(parts)}",
                f"{sum(part.bytes for part in parts) / 1e6:.0f} MB", f"{took:.0f} s", marks,
                f"{max(part.finish_ms or 0 for part in parts):.0f} ms",
            ]
        )  # fmt: skip
    print(f"\nA live hurried through one recorder process; {machine()}\n")
    table(["length", "recorded, parts", "size", "took", "memory after, MB", "finish"], rows)


if __name__ == "__main__":
    asyncio.run(main())
