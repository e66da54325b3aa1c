"""Stand-ins for the orchestrator's ports: a store in memory, and runtimes that fail in every way there is."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import count

from pydantic import SecretStr
from wentlive_common.errors import Conflict
from wentlive_common.events import AnyEvent
from wentlive_common.job import BlobGrant, RecordingJob
from wentlive_common.model import BroadcastKey

from wentlive_orchestrator.admission import OPEN
from wentlive_orchestrator.domain import CreatorCosts, Recording, add_bills
from wentlive_orchestrator.ports import (
    Admission,
    AttemptSpec,
    DeletionUnderWay,
    Exited,
    Gone,
    Lease,
    NoRoom,
    Running,
    RuntimeHandle,
    RuntimeStatus,
    RuntimeUnavailable,
    StartRefused,
)


class InMemoryRecordings:
    """`RecordingStore` that forgets with the process."""

    def __init__(self) -> None:
        self._recordings: dict[str, Recording] = {}
        self._outbox: dict[str, AnyEvent] = {}
        self._lease: Lease | None = None

    async def create_if_absent(self, recording: Recording, events: Sequence[AnyEvent]) -> Recording:
        existing = await self.get_by_broadcast(recording.broadcast)
        if existing:
            return existing
        self._keep(recording, events)
        return recording

    async def get(self, recording_id: str) -> Recording | None:
        return self._recordings.get(recording_id)

    async def get_by_broadcast(self, broadcast: BroadcastKey) -> Recording | None:
        return next((r for r in self._recordings.values() if r.broadcast == broadcast), None)

    async def active(self) -> Sequence[Recording]:
        return [recording for recording in self._recordings.values() if not recording.settled]

    async def save(self, recording: Recording, events: Sequence[AnyEvent]) -> Recording:
        stored = self._recordings.get(recording.recording_id)
        if stored is None or stored.version != recording.version:
            raise Conflict
        saved = recording.model_copy(update={"version": recording.version + 1})
        self._keep(saved, events)
        return saved

    async def recent(self, limit: int, before: str = "") -> Sequence[Recording]:
        newest = sorted(self._recordings.values(), key=lambda recording: recording.recording_id, reverse=True)
        return [recording for recording in newest if not before or recording.recording_id < before][:limit]

    async def billed(self, first_id: str, end_id: str) -> Sequence[CreatorCosts]:
        costs: dict[str, CreatorCosts] = {}
        for recording in self._recordings.values():
            if first_id <= recording.recording_id < end_id:
                add_bills(costs, recording, [attempt.bill for attempt in recording.attempts if attempt.bill])
        return [costs[creator_id] for creator_id in sorted(costs)]

    async def announce(self, events: Sequence[AnyEvent]) -> None:
        self._outbox |= {event.id: event for event in events}

    async def pending(self, limit: int) -> Sequence[AnyEvent]:
        return list(self._outbox.values())[:limit]

    async def clear(self, ids: Sequence[str]) -> None:
        for event_id in ids:
            self._outbox.pop(event_id, None)

    async def ready(self) -> bool:
        return True

    async def lease(self) -> Lease | None:
        return self._lease

    async def swap_lease(self, before: Lease | None, after: Lease) -> bool:
        if self._lease != before:
            return False
        self._lease = after
        return True

    def _keep(self, recording: Recording, events: Sequence[AnyEvent]) -> None:
        self._recordings[recording.recording_id] = recording
        self._outbox |= {event.id: event for event in events}


class FakeGrants:
    """`BlobGrants` whose URLs lead nowhere."""

    def __init__(self, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._now = now

    async def grants(self, blobs: Sequence[str], lifetime: float) -> tuple[BlobGrant, ...]:
        expires_at = self._now() + timedelta(seconds=lifetime)
        return tuple(
            BlobGrant(blob=blob, url=SecretStr(f"https://blobs.invalid/{blob}?sig=fake"), expires_at=expires_at)
            for blob in blobs
        )


class FakeRuntime:
    """A `RecorderRuntime` that does all it should. The others each go wrong in one way."""

    def __init__(self) -> None:
        self.room: Admission = OPEN
        self.image: str | None = None
        self.running: dict[str, RuntimeHandle] = {}
        self.jobs: dict[str, RecordingJob] = {}
        self.exited: dict[str, int] = {}
        self.logs: dict[str, str] = {}
        self.stopped: list[str] = []
        self.deleted: list[str] = []
        self.started: list[str] = []
        self._ids = count(1)

    async def start(self, spec: AttemptSpec, job: RecordingJob) -> RuntimeHandle:
        handle = RuntimeHandle(name=spec.name, state={"id": next(self._ids)})
        self.running[spec.name] = handle
        self.jobs[spec.name] = job
        self.started.append(spec.name)
        return handle

    async def status(self, handle: RuntimeHandle) -> RuntimeStatus:
        if handle.name in self.exited:
            return Exited(self.exited[handle.name])
        return Running() if handle.name in self.running else Gone()

    async def stop(self, handle: RuntimeHandle) -> None:
        if handle.name in self.running:
            self.stopped.append(handle.name)
            self.exit(handle.name)

    async def delete(self, handle: RuntimeHandle) -> None:
        self.running.pop(handle.name, None)
        self.exited.pop(handle.name, None)
        self.deleted.append(handle.name)

    async def find(self, name: str) -> RuntimeHandle | None:
        return self.running.get(name)

    async def log(self, spec: AttemptSpec, handle: RuntimeHandle | None) -> str:
        return self.logs.get(spec.name, "")

    async def list(self) -> Sequence[RuntimeHandle]:
        return list(self.running.values())

    def exit(self, name: str, code: int = 0) -> None:
        """Its recorder ends."""
        self.running.pop(name, None)
        self.exited[name] = code


class SlowRuntime(FakeRuntime):
    """Takes its time to start."""

    def __init__(self, delay: float) -> None:
        super().__init__()
        self._delay = delay

    async def start(self, spec: AttemptSpec, job: RecordingJob) -> RuntimeHandle:
        await asyncio.sleep(self._delay)
        return await super().start(spec, job)


class NeverStartsRuntime(FakeRuntime):
    """Answers that it started, yet nothing ever runs."""

    async def start(self, spec: AttemptSpec, job: RecordingJob) -> RuntimeHandle:
        handle = await super().start(spec, job)
        del self.running[spec.name]
        return handle


class RejectingRuntime(FakeRuntime):
    """Refuses the first `times` starts."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.refusals = 0
        self._times = times

    async def start(self, spec: AttemptSpec, job: RecordingJob) -> RuntimeHandle:
        if self.refusals < self._times:
            self.refusals += 1
            raise StartRefused("There is no room for another recorder.")
        return await super().start(spec, job)


class FullRuntime(FakeRuntime):
    """Has no room for the first `times` starts."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.refusals = 0
        self._times = times

    async def start(self, spec: AttemptSpec, job: RecordingJob) -> RuntimeHandle:
        if self.refusals < self._times:
            self.refusals += 1
            raise NoRoom("The region is full.")
        return await super().start(spec, job)


class LostAnswerRuntime(FakeRuntime):
    """Starts the first recorder, but the answer is lost."""

    async def start(self, spec: AttemptSpec, job: RecordingJob) -> RuntimeHandle:
        handle = await super().start(spec, job)
        if len(self.started) == 1:
            raise RuntimeUnavailable("The connection broke.")
        return handle


class DyingRuntime(FakeRuntime):
    """Its recorders die after they were looked at `looks` times."""

    def __init__(self, looks: int, code: int = 137) -> None:
        super().__init__()
        self._looks = looks
        self._code = code
        self._seen: dict[str, int] = {}

    async def list(self) -> Sequence[RuntimeHandle]:
        for name in tuple(self.running):
            self._seen[name] = self._seen.get(name, 0) + 1
            if self._seen[name] > self._looks:
                self.exit(name, self._code)
        return await super().list()


class UndeletableRuntime(FakeRuntime):
    """Fails to delete, `times` times."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.failures = 0
        self._times = times

    async def delete(self, handle: RuntimeHandle) -> None:
        if self.failures < self._times:
            self.failures += 1
            raise RuntimeUnavailable("It cannot be deleted now.")
        await super().delete(handle)


class LingeringRuntime(FakeRuntime):
    """What is deleted is still there for the next `looks` looks, as container groups are."""

    def __init__(self, looks: int) -> None:
        super().__init__()
        self._looks = looks
        self._asked: dict[str, int] = {}

    async def delete(self, handle: RuntimeHandle) -> None:
        self._asked[handle.name] = self._asked.get(handle.name, 0) + 1
        if self._asked[handle.name] <= self._looks:
            raise DeletionUnderWay(f"{handle.name} is not gone yet.")
        await super().delete(handle)


class DoomingRuntime(FakeRuntime):
    """Knows of some, by name, that they must go."""

    def __init__(self) -> None:
        super().__init__()
        self.doomed: dict[str, str] = {}

    async def list(self) -> Sequence[RuntimeHandle]:
        return [
            handle.model_copy(update={"doomed": self.doomed.get(handle.name, "")}) for handle in await super().list()
        ]


class FakeAdmission:
    """Refuses with `reason` as long as there is one."""

    def __init__(self, reason: str = "") -> None:
        self.reason = reason

    def refusal(self, recording: Recording) -> str:
        return self.reason
