"""How a recorder is asked to end: it gets its time to finish the part it is writing, and no more."""

import asyncio

from wentlive_orchestrator.ports import RecorderRuntime, Running, RuntimeHandle

POLL_SECONDS = 0.1


async def stop_gracefully(runtime: RecorderRuntime, handle: RuntimeHandle, seconds: float) -> bool:
    """Whether it ended within `seconds` of being asked."""
    try:
        async with asyncio.timeout(seconds):
            await runtime.stop(handle)
            while isinstance(await runtime.status(handle), Running):  # noqa: ASYNC110 - only the runtime knows
                await asyncio.sleep(POLL_SECONDS)
    except TimeoutError:
        return False
    return True
