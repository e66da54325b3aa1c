"""What the orchestrator needs from the world: a place for recordings, somewhere to run recorders, grants to write."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from wentlive_common.errors import Transient
from wentlive_common.events import AnyEvent
from wentlive_common.ids import Ulid
from wentlive_common.job import BlobGrant, RecordingJob
from wentlive_common.model import AttemptNumber, BroadcastKey, Model
from wentlive_common.outbox import Outbox

from wentlive_orchestrator.domain import Recording


class RecordingStore(Outbox, Protocol):
    """Recordings with the events about them: each write is all or nothing."""

    async def create_if_absent(self, recording: Recording, events: Sequence[AnyEvent]) -> Recording:
        """The recording of this broadcast: the given one when there was none, else the one that there is."""
        ...

    async def get(self, recording_id: str) -> Recording | None: ...

    async def get_by_broadcast(self, broadcast: BroadcastKey) -> Recording | None: ...

    async def active(self) -> Sequence[Recording]:
        """Those that are not settled: something is to be decided, started, watched or cleaned up."""
        ...

    async def save(self, recording: Recording, events: Sequence[AnyEvent]) -> Recording:
        """Stores it and returns it with its new version; raises `Conflict` when its version is not the stored one."""
        ...

    async def ready(self) -> bool: ...


class AttemptSpec(Model):
    """Which recorder to start. The name is unique for each attempt and for ever."""

    name: str
    recording_id: Ulid
    number: AttemptNumber


class RuntimeHandle(Model):
    """Where a recorder runs. The state is the runtime's own; it is stored, so that a restart finds it again."""

    name: str
    state: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Running:
    """It exists and has not ended."""


@dataclass(frozen=True, slots=True)
class Exited:
    """It ended; the code is None when somebody else collected it."""

    code: int | None


@dataclass(frozen=True, slots=True)
class Gone:
    """There is no such thing (any more)."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """The runtime cannot tell now. Nothing follows from it."""

    reason: str


RuntimeStatus = Running | Exited | Gone | Unknown


class StartRefused(Transient):
    """The runtime did not start a recorder. Nothing of this attempt runs, nor ever will."""


class RuntimeUnavailable(Transient):
    """The runtime does not answer; what it did with the request is not known."""


class RecorderRuntime(Protocol):
    """Runs recorders, one for each attempt. Every call is bounded in time."""

    async def start(self, spec: AttemptSpec, job: RecordingJob) -> RuntimeHandle:
        """Raises `StartRefused` when nothing was started; after any other error the outcome is unknown."""
        ...

    async def status(self, handle: RuntimeHandle) -> RuntimeStatus: ...

    async def stop(self, handle: RuntimeHandle) -> None:
        """Asks it to finish what it has and leave. One that is gone is fine."""
        ...

    async def delete(self, handle: RuntimeHandle) -> None:
        """Returns once it is gone for certain, and raises otherwise. One that is gone already is fine."""
        ...

    async def list(self) -> Sequence[RuntimeHandle]:
        """All of ours that exist, whoever started them, except what has ended and holds nothing any more."""
        ...


class BlobGrants(Protocol):
    """The right to write single blobs."""

    async def grants(self, blobs: Sequence[str], lifetime: float) -> tuple[BlobGrant, ...]:
        """A grant for each blob, for `lifetime` seconds: what its kind needs, and no more."""
        ...
