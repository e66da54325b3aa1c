"""Whether another recorder may be started: every reason not to, asked in order before anything is planned."""

from collections.abc import Sequence
from dataclasses import dataclass

from wentlive_orchestrator.domain import Recording
from wentlive_orchestrator.ports import Admission


@dataclass(frozen=True, slots=True)
class AllOf:
    """Open when all of them are. Those that keep a place come last: it is kept only when nothing else refuses."""

    gates: Sequence[Admission] = ()

    def refusal(self, recording: Recording) -> str:
        return next((reason for gate in self.gates if (reason := gate.refusal(recording))), "")


OPEN = AllOf()
"""Never refuses: for runtimes that have room as long as the machine has."""
