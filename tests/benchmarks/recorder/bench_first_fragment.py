"""How soon a live can be watched: from the connection's first byte to what is committed, and to what a player can play.

Keyframes every two seconds, 720x1280 at 2 Mbit/s. The playlist is the catalog's answer from the index; what is measured
is when index and media are in storage so that its first segment decodes.
"""

import argparse
import asyncio
import json
import statistics
import time
from datetime import datetime

from surroundings import TWO_MEGABITS, Surroundings, machine, surroundings, table
from wentlive_common.fragment_index import InvalidFragmentIndex
from wentlive_devkit.media_check import decode_some
from wentlive_devkit.rig.recorder_run import make_job, recorder_process
from wentlive_devkit.tiktok import LiveScript

OPENING = "stream_opening"


def moment(log: str, event: str) -> float:
    """When the recorder logged an event for the first time."""
    for line in log.splitlines():
        if event in line and line.startswith("{"):
            return datetime.fromisoformat(json.loads(line)["timestamp"]).timestamp()
    raise SystemExit(f"{event} is not in the recorder's log:\n{log}")


async def measured(around: Surroundings, handle: str) -> tuple[float, float, float]:
    """Seconds from the process's start to the connection, from there to the first commit, and to a playable segment."""
    live, receiver = await around.target(handle), around.desk.receiver()
    job = make_job(live, around.storage, receiver)
    started = time.time()
    async with recorder_process(live, job, around.storage, receiver, around.folder / f"{handle}.log") as run:
        playable = 0.0
        while not playable:
            await asyncio.sleep(0.02)
            try:
                index = await asyncio.to_thread(around.storage.index, f"{run.stem()}.index")
            except InvalidFragmentIndex:
                continue
            if index.fragments:
                media = await asyncio.to_thread(around.storage.read, f"{run.stem()}.mp4")
                first = index.fragments[0]
                decode_some(index.header.init_segment + media[first.offset : first.end])
                playable = time.time()
        await run.until(lambda: 1 in receiver.parts and receiver.parts[1].committed_at is not None)
        connected = moment(run.log.read_text(), OPENING)
        committed_at = receiver.parts[1].committed_at
    assert committed_at is not None
    committed = committed_at.timestamp()
    return connected - started, committed - connected, playable - connected


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    runs = parser.parse_args().runs
    handles = [f"ada{number}" for number in range(runs)]
    async with surroundings(handles, LiveScript(waits_for_viewer=True), TWO_MEGABITS) as around:
        results = [await measured(around, handle) for handle in handles]
    print(f"\nFrom connecting to watching, {runs} runs one after another; {machine()}\n")
    names = ("process start to connecting", "connecting to first commit", "connecting to a playable first segment")
    table(
        ["", "median", "longest"],
        (
            [name, f"{statistics.median(times):.2f} s", f"{max(times):.2f} s"]
            for name, times in zip(names, zip(*results, strict=True), strict=True)
        ),
    )


if __name__ == "__main__":
    asyncio.run(main())
