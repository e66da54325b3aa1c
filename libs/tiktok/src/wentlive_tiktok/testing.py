"""A LiveStatusSource whose answers are written beforehand, for tests of whatever asks."""

from collections import deque

from wentlive_tiktok.status import LiveStatus, NotFound


class FakeLiveStatusSource:
    """Answers by handle: each scripted answer once, the last one for ever; NotFound for anybody else."""

    def __init__(self) -> None:
        self._scripts: dict[str, deque[LiveStatus]] = {}
        self.asked: list[str] = []

    def script(self, handle: str, *answers: LiveStatus) -> None:
        """Replaces what is said about a handle from now on; needs at least one answer."""
        if not answers:
            raise ValueError("A script needs at least one answer.")
        self._scripts[handle] = deque(answers)

    async def live_status(self, handle: str) -> LiveStatus:
        self.asked.append(handle)
        script = self._scripts.get(handle)
        if script is None:
            return NotFound(handle=handle)
        return script.popleft() if len(script) > 1 else script[0]
