"""The TikTok simulator's control API, as the demo and the story use it."""

from datetime import datetime
from typing import Any

import httpx
from wentlive_common.model import Model


class SimulatedLive(Model):
    """What the simulator really sent: the yardstick for what was recorded."""

    handle: str
    room_id: str
    started_at: datetime
    seconds: float


class SimulatorClient:
    """Network failures surface as httpx errors."""

    def __init__(self, base_url: str) -> None:
        self._base_url = base_url

    async def begin(self) -> None:
        """Sets the scenario's lives going."""
        await self._ask("POST", "/_sim/begin")

    async def ended_lives(self) -> list[SimulatedLive]:
        """The lives that are over, by the simulator's own account."""
        state = await self._ask("GET", "/_sim/state")
        return [
            SimulatedLive(
                handle=handle,
                room_id=broadcast["room_id"],
                started_at=broadcast["started_at"],
                seconds=broadcast["ends_s"] - broadcast["starts_s"],
            )
            for handle, creator in state["creators"].items()
            for broadcast in creator["broadcasts"]
            if broadcast["state"] == "ended"
        ]

    async def _ask(self, method: str, path: str) -> dict[str, Any]:
        async with httpx.AsyncClient(base_url=self._base_url, timeout=5, trust_env=False) as http:
            response = await http.request(method, path)
            response.raise_for_status()
            return response.json()
