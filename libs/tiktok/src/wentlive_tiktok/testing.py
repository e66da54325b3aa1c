"""For tests of whatever asks TikTok: a TikTok with answers written beforehand, and a network made by hand."""

from collections import deque
from collections.abc import Callable

import httpx
from wentlive_common.handle import parse_handle

from wentlive_tiktok.question import Question
from wentlive_tiktok.status import LiveStatus, NotFound


class FakeLiveStatusSource:
    """Answers by handle: each scripted answer once, the last one for ever; NotFound for anybody else."""

    def __init__(self) -> None:
        self._scripts: dict[str, deque[LiveStatus]] = {}
        self.asked: list[str] = []
        self.links: dict[str, str | Exception] = {}
        """Where links lead, or what following them raises."""
        self.questions: list[Question] = []

    def script(self, handle: str, *answers: LiveStatus) -> None:
        """Replaces what is said about a handle from now on; needs at least one answer."""
        if not answers:
            raise ValueError("A script needs at least one answer.")
        self._scripts[handle] = deque(answers)

    async def live_status(
        self, handle: str, *, creator_id: str | None = None, open_room: str | None = None
    ) -> LiveStatus:
        self.asked.append(handle)
        self.questions.append(Question(handle, creator_id, open_room))
        script = self._scripts.get(handle)
        if script is None:
            return NotFound(handle=handle)
        return script.popleft() if len(script) > 1 else script[0]

    async def resolve_link(self, text: str) -> str:
        found = self.links.get(text) or parse_handle(text)
        if isinstance(found, Exception):
            raise found
        return found


class Wire(httpx.AsyncBaseTransport):
    """Answers requests with what a function makes of them, unread and as packed as it was made."""

    def __init__(self, handler: Callable[[httpx.Request], httpx.Response]) -> None:
        self._handler = handler

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        made = self._handler(request)
        return httpx.Response(made.status_code, headers=made.headers, stream=made.stream)
