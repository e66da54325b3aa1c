"""The recorder's state as others may see it: recording changes it, reporting reads it, neither waits for the other."""

import asyncio
from typing import Literal

from wentlive_common.capture import Gap, StreamChoice
from wentlive_common.job import Outcome, PartReport, Salvaged

State = Literal["connecting", "recording", "finishing", "done"]
_MOST_GAPS = 500
_MOST_CHOICES = 50


class Progress:
    def __init__(self) -> None:
        self.state: State = "connecting"
        self.outcome: Outcome | None = None
        self.reason: str | None = None
        self.parts: dict[int, PartReport] = {}
        self.salvaged: list[Salvaged] = []
        """What became of the parts that earlier attempts left open."""
        self.gaps: list[Gap] = []
        """What is missing from the recording, in order; the first ones of very many."""
        self.gaps_left_out = 0
        self.choices: list[StreamChoice] = []
        """Which streams were taken, the newest last."""
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

    def salvage(self, salvaged: Salvaged) -> None:
        self.salvaged.append(salvaged)
        self.urgent.set()

    def gap(self, gap: Gap) -> None:
        if len(self.gaps) < _MOST_GAPS:
            self.gaps.append(gap)
        else:
            self.gaps_left_out += 1

    def choose(self, choice: StreamChoice) -> None:
        if self.choices[-1:] != [choice]:
            self.choices = [*self.choices, choice][-_MOST_CHOICES:]
