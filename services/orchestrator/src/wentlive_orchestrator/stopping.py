"""How a recorder is asked to end: it gets its time to finish the part it is writing, and no more."""

import asyncio

from wentlive_orchestrator.ports import DeletionUnderWay, RecorderRuntime, Running, RuntimeHandle

POLL_SECONDS = 0.1
LONGEST_POLL_SECONDS = 2.0


async def stop_gracefully(runtime: RecorderRuntime, handle: RuntimeHandle, seconds: float) -> bool:
    """Whether it ended within `seconds` of being asked."""
    pause = POLL_SECONDS
    try:
        async with asyncio.timeout(seconds):
            await runtime.stop(handle)
            while isinstance(await runtime.status(handle), Running):
                await asyncio.sleep(pause)
                pause = min(LONGEST_POLL_SECONDS, pause * 1.5)
    except TimeoutError:
        return False
    return True


async def delete_for_certain(runtime: RecorderRuntime, handle: RuntimeHandle, seconds: float) -> None:
    """Asks until it is gone; raises what the runtime said last when it is not within `seconds`."""
    loop = asyncio.get_running_loop()
    deadline, pause = loop.time() + seconds, POLL_SECONDS
    while True:
        try:
            await runtime.delete(handle)
        except DeletionUnderWay:
            if loop.time() + pause > deadline:
                raise
        else:
            return
        await asyncio.sleep(pause)
        pause = min(LONGEST_POLL_SECONDS, pause * 1.5)
