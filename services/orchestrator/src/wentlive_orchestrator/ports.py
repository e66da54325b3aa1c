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

from wentlive_orchestrator.domain import CreatorCosts, Recording


class Lease(Model):
    """Who leads, and how often it said so. Nobody compares clocks: a lease is old when it has not changed for long."""

    holder: str
    beat: int


class LeaseStore(Protocol):
    """One lease for all replicas that share a store."""

    async def lease(self) -> Lease | None: ...

    async def swap_lease(self, before: Lease | None, after: Lease) -> bool:
        """Replaces `before` by `after`; False when it is another one by now."""
        ...


class RecordingStore(Outbox, LeaseStore, Protocol):
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

    async def announce(self, events: Sequence[AnyEvent]) -> None:
        """Stores events that are about no recording which is kept here."""
        ...

    async def recent(self, limit: int, before: str = "") -> Sequence[Recording]:
        """The newest first; with `before`, those that are older than the recording of this id."""
        ...

    async def billed(self, first_id: str, end_id: str) -> Sequence[CreatorCosts]:
        """The bills of the recordings from `first_id` up to, but without, `end_id`: a sum for each creator."""
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
    doomed: str = ""
    """Why it must go, whoever owns it, when the listing alone tells: past its deadline, or never set up."""


@dataclass(frozen=True, slots=True)
class Running:
    """It exists and has not ended."""


@dataclass(frozen=True, slots=True)
class Exited:
    """It ended; the code is None when nobody can tell it, and the detail is what the runtime has to say about it."""

    code: int | None
    detail: str = ""


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


class NoRoom(StartRefused):
    """There is no room for another recorder now. It is not this attempt's fault, and no reason to give up."""


class RuntimeUnavailable(Transient):
    """The runtime does not answer; what it did with the request is not known."""


class DeletionUnderWay(RuntimeUnavailable):
    """It was told to go and is not gone yet. Ask again."""


class RecorderRuntime(Protocol):
    """Runs recorders, one for each attempt. Every call is bounded in time."""

    @property
    def image(self) -> str | None:
        """What the next recorder will run, by digest; None when it is no container."""
        ...

    @property
    def room(self) -> "Admission":
        """Whether, and until when, it can take another one."""
        ...

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

    async def find(self, name: str) -> RuntimeHandle | None:
        """The one of this name, looked up afresh; None when it does not exist for certain."""
        ...

    async def log(self, spec: AttemptSpec, handle: RuntimeHandle | None) -> str:
        """The newest lines of a running or ended recorder, as far as they are kept; empty when there are none."""
        ...

    async def list(self) -> Sequence[RuntimeHandle]:
        """All of ours that exist, whoever started them, except what has ended and holds nothing any more."""
        ...


class Admission(Protocol):
    """Says whether another recorder may be started at all: there may be no room, or no money, for it."""

    def refusal(self, recording: Recording) -> str:
        """Why none may be started for this recording now, as people should read it.

        Empty when one may; then a place is kept for it for a short while. A reason that goes on being true is
        told in the same words: each new wording is told to everybody.
        """
        ...


class BlobGrants(Protocol):
    """The right to write single blobs."""

    async def grants(self, blobs: Sequence[str], lifetime: float) -> tuple[BlobGrant, ...]:
        """A grant for each blob, for `lifetime` seconds: what its kind needs, and no more."""
        ...
