"""The recorder's state as others may see it: recording changes it, reporting reads it, neither waits for the other."""

import asyncio
from typing import Literal

from wentlive_common.job import Outcome, PartReport

State = Literal["connecting", "recording", "finishing", "done"]


class Progress:
    def __init__(self) -> None:
        self.state: State = "connecting"
        self.outcome: Outcome | None = None
        self.reason: str | None = None
        self.parts: dict[int, PartReport] = {}
        self.urgent = asyncio.Event()
        """Set when somebody should hear of it at once."""

    def enter(self, state: State, reason: str | None = None) -> None:
        if self.state == "done" or (state, reason) == (self.state, self.reason):
            return
        self.state, self.reason = state, reason
        self.urgent.set()

    def end(self, outcome: Outcome, reason: str | None) -> None:
        self.enter("done", reason[:2000] if reason else None)
        self.outcome = outcome

    def update(self, part: PartReport) -> None:
        known = self.parts.get(part.part)
        self.parts[part.part] = part
        if known is None or (known.state, known.committed_at) != (part.state, part.committed_at):
            self.urgent.set()
