"""What the simulated Azure has to say about a run: no container group may be left, and none made twice."""

import asyncio
from typing import Any

import httpx

PATIENCE_SECONDS = 60.0
POLL_SECONDS = 0.5


async def container_faults(arm_url: str, recordings: int) -> list[str]:
    """Waits until the last group is gone; says what is not as it should be."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + PATIENCE_SECONDS
    async with httpx.AsyncClient(base_url=arm_url, timeout=5, trust_env=False) as http:
        # There is no event for the end of another process's work.
        while (state := await _state(http))["groups"] and loop.time() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(POLL_SECONDS)
    left = [group["name"] for group in state["groups"]]
    recorded = {created["tags"].get("recording") for created in state["created"]}
    faults = [f"container groups were left: {', '.join(left)}"] if left else []
    if len(recorded) != recordings:
        faults.append(f"container groups were created for {len(recorded)} of {recordings} recordings")
    if state["updated"]:
        faults.append(f"container groups were created twice: {', '.join(state['updated'])}")
    return faults


async def _state(http: httpx.AsyncClient) -> dict[str, Any]:
    answer = await http.get("/_sim/state")
    answer.raise_for_status()
    return answer.json()
