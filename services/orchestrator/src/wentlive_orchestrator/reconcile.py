"""What should run against what does run, over and over, until they are the same.

Level-triggered: nothing is remembered between passes but what is being worked on right now, so that a process
killed at any point leaves nothing that the next pass does not mend.
"""

import asyncio
import secrets
from collections.abc import Coroutine, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import structlog
from wentlive_common.errors import WentliveError
from wentlive_common.lifecycle import wait_any

from wentlive_orchestrator.domain import (
    Attempt,
    Recording,
    attempt_due,
    named_attempt,
    on_attempt_gone,
    on_attempt_lost,
    on_attempt_planned,
    on_attempt_reaped,
    on_attempt_started,
    on_start_held_up,
    on_time,
    overdue,
    stray_event,
)
from wentlive_orchestrator.jobs import JobOffice, hash_token
from wentlive_orchestrator.ledger import RecordingLedger
from wentlive_orchestrator.metrics import OrchestratorMetrics
from wentlive_orchestrator.ports import (
    Admission,
    AttemptSpec,
    DeletionUnderWay,
    Exited,
    Gone,
    NoRoom,
    RecorderRuntime,
    Running,
    RuntimeHandle,
    RuntimeStatus,
    StartRefused,
)
from wentlive_orchestrator.stopping import stop_gracefully

log = structlog.get_logger(__name__)

PASS_SECONDS = 2.0
PASSES_MISSED = timedelta(seconds=30)
"""After a gap like this the machine slept or the loop was held up, and recorders could not be heard."""
AT_ONCE = 128
LAST_PASS_SECONDS = 5.0
START_SECONDS = 120.0
UNOWNED = "No recording owned it any more."

Listing = Mapping[str, RuntimeHandle]


class Reconciler:
    """Starts what is due, gives up what is lost, deletes what is over, and reaps what nobody owns."""

    def __init__(
        self,
        ledger: RecordingLedger,
        runtime: RecorderRuntime,
        jobs: JobOffice,
        metrics: OrchestratorMetrics,
        report_base_url: str,
        *,
        admission: Admission | None = None,
        reap: bool = True,
        undeletable: dict[str, str] | None = None,
    ) -> None:
        self._ledger = ledger
        self._policy = ledger.policy
        self._runtime = runtime
        self._jobs = jobs
        self._metrics = metrics
        self._report_base_url = report_base_url.rstrip("/")
        self._admission = admission or runtime.room
        self._reaps = reap
        self.undeletable = {} if undeletable is None else undeletable
        """What resists deletion, by name, and why: it may cost money, and a person should look."""
        self._woken: set[str] = set()
        self._wake = asyncio.Event()
        self._working: dict[str, asyncio.Task[None]] = {}
        self._room = asyncio.Semaphore(AT_ONCE)
        self._listening_since = self._last_pass = ledger.now()
        ledger.on_change(self._noticed)

    def _noticed(self, recording: Recording) -> None:
        if recording.active_attempt is None and not recording.settled:
            self._woken.add(recording.recording_id)
            self._wake.set()

    async def run(self, stop: asyncio.Event) -> None:
        self._listening_since = self._last_pass = self._ledger.now()
        try:
            async with asyncio.TaskGroup() as tasks:
                hearing = tasks.create_task(self._hear(), name="reconcile-woken")
                while not stop.is_set():
                    await self.full_pass()
                    await wait_any(stop.wait(), asyncio.sleep(PASS_SECONDS))
                hearing.cancel()
        finally:
            await self.idle(LAST_PASS_SECONDS)

    async def _hear(self) -> None:
        """What changes is worked on at once, also while a pass waits for a long list."""
        while True:
            await self._wake.wait()
            self.work_on_woken()

    def work_on_woken(self) -> None:
        """Begins work on the recordings that changed, but for those that are being worked on already."""
        self._wake.clear()
        woken, self._woken = self._woken, set()
        for recording_id in woken:
            self._begin(recording_id)

    async def full_pass(self) -> None:
        """Looks at everything once; what takes long goes on after it returns."""
        self._mind_the_gap()
        try:
            # Listed before the recordings are read: an intent is stored before anything is started, so that
            # what is listed and has no recording is truly nobody's.
            listed = {handle.name: handle for handle in await self._runtime.list()}
            recordings = await self._ledger.store.active()
        except WentliveError as error:
            log.warning("reconcile_pass_failed", error=error.message)
            return
        self._metrics.unsettled.set(len(recordings))
        self._metrics.active.set(sum(1 for recording in recordings if recording.active_attempt))
        self._metrics.waiting.set(sum(1 for recording in recordings if recording.waiting))
        self._metrics.resisting.set(len(self.undeletable))
        for recording in recordings:
            self._begin(recording.recording_id, recording, listed)
        self._reap(listed, recordings)

    async def idle(self, timeout: float) -> None:
        """Waits for the work that is under way; what takes longer is cancelled, and mended at the next start."""
        if not self._working:
            return
        _, late = await asyncio.wait(tuple(self._working.values()), timeout=timeout)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    def _mind_the_gap(self) -> None:
        now = self._ledger.now()
        if now - self._last_pass > PASSES_MISSED:
            log.warning("reconcile_gap", seconds=(now - self._last_pass).total_seconds())
            self._listening_since = now
        self._last_pass = now

    def _begin(self, recording_id: str, known: Recording | None = None, listed: Listing | None = None) -> None:
        if recording_id in self._working:
            # Woken while being worked on: what changed may have come too late for that look.
            if known is None:
                self._woken.add(recording_id)
            return
        self._undertake(recording_id, self._work(recording_id, known, listed or {}))

    def _undertake(self, key: str, work: Coroutine[Any, Any, None]) -> None:
        """Runs `work` beside the passes: nothing that takes long may hold up the others."""
        task = asyncio.create_task(work, name=f"reconcile-{key}")
        self._working[key] = task
        task.add_done_callback(partial(self._finished, key))

    def _finished(self, key: str, task: asyncio.Task[None]) -> None:
        del self._working[key]
        if not task.cancelled() and (error := task.exception()):
            # One recording's trouble, even a bug of ours, must not keep the others from being recorded.
            log.error("reconcile_crashed", key=key, exc_info=error)
        if key in self._woken:
            self._wake.set()

    async def _work(self, recording_id: str, known: Recording | None, listed: Listing) -> None:
        async with self._room:
            try:
                recording = known or await self._ledger.store.get(recording_id)
                if recording is not None:
                    await self._step(recording, listed)
            except WentliveError as error:
                log.warning("reconcile_failed", recording_id=recording_id, error=error.message)

    async def _step(self, recording: Recording, listed: Listing) -> None:
        now = self._ledger.now()
        if on_time(recording, now, self._policy).recording != recording:
            recording = await self._ledger.change(recording.recording_id, partial(on_time, policy=self._policy))
        for attempt in recording.attempts:
            if attempt.active:
                await self._watch(recording, attempt, listed)
            elif not attempt.gone:
                await self._release(recording, attempt, now)
        if attempt_due(recording, now, self._policy):
            await self._launch(recording)

    async def _launch(self, recording: Recording) -> None:
        if reason := self._admission.refusal(recording):
            if reason != recording.waiting:
                log.warning("recorder_held_up", recording_id=recording.recording_id, reason=reason)
                await self._ledger.change(recording.recording_id, lambda r, _: on_start_held_up(r, reason))
            return
        token = secrets.token_urlsafe(32)
        token_hash = hash_token(token)
        recording = await self._ledger.change(
            recording.recording_id,
            lambda r, now: on_attempt_planned(r, token_hash, now, self._policy, image=self._runtime.image),
        )
        attempt = recording.active_attempt
        if attempt is None or attempt.token_hash != token_hash:
            return
        spec = AttemptSpec(name=attempt.name, recording_id=recording.recording_id, number=attempt.number)
        try:
            job = await self._jobs.job(recording, attempt, token, self._report_base_url)
            # A deadline that passes leaves the outcome unknown: the next pass looks the attempt up by its name.
            async with asyncio.timeout(START_SECONDS):
                handle = await self._runtime.start(spec, job)
        except StartRefused as error:
            self._metrics.refused.inc()
            await self._give_up(recording, attempt, error.message, refused=isinstance(error, NoRoom))
            return
        except TimeoutError:
            log.warning("recorder_start_unknown", recording_id=recording.recording_id, attempt=attempt.number)
            return
        await self._started(recording, attempt, handle)

    async def _started(self, recording: Recording, attempt: Attempt, handle: RuntimeHandle) -> None:
        self._metrics.starts.inc()
        due_since = recording.detected_at if attempt.number == 1 else attempt.created_at
        self._metrics.start_seconds.observe(max(0.0, (self._ledger.now() - due_since).total_seconds()))
        await self._adopt(recording, attempt, handle)
        log.info("recorder_started", recording_id=recording.recording_id, attempt=attempt.number, name=attempt.name)

    async def _watch(self, recording: Recording, attempt: Attempt, listed: Listing) -> None:
        """An active attempt: adopts it when its start's outcome was lost, gives it up when it is dead or silent."""
        status: RuntimeStatus = Running()
        handle = _stored_handle(attempt)
        if handle is None:
            handle = await self._looked_up(attempt)
            if handle:
                recording = await self._adopt(recording, attempt, handle)
                log.info("recorder_adopted", recording_id=recording.recording_id, attempt=attempt.number)
        elif attempt.name not in listed or self._is_quiet(attempt):
            status = await self._runtime.status(handle)
        doomed = listed[attempt.name].doomed if attempt.name in listed else ""
        reason = _why_dead(handle, status) or doomed or await self._why_overdue(recording, attempt)
        if reason:
            if handle:
                await self._stopped(handle)
                await self._deleted(handle, recording)
            await self._give_up(recording, attempt, reason)

    def _is_quiet(self, attempt: Attempt) -> bool:
        """The runtime is asked about it although it lists it: it may list what has ended."""
        return self._ledger.now() - attempt.heard_at > timedelta(seconds=self._policy.quiet)

    async def _why_overdue(self, known: Recording, attempt: Attempt) -> str:
        """Asks the store again before it condemns: what is known may have waited for its turn meanwhile."""
        if not overdue(known, attempt, self._ledger.now(), self._listening_since, self._policy):
            return ""
        recording = await self._ledger.store.get(known.recording_id)
        fresh = recording.attempt(attempt.number) if recording else None
        if recording is None or fresh is None or not fresh.active:
            return ""
        return overdue(recording, fresh, self._ledger.now(), self._listening_since, self._policy)

    async def _stopped(self, handle: RuntimeHandle) -> None:
        """Lets a recorder that nobody hears any more finish its part: what it holds is worth a few seconds."""
        try:
            await stop_gracefully(self._runtime, handle, self._policy.stop_grace)
        except WentliveError as error:
            log.warning("recorder_not_stopped", name=handle.name, error=error.message)

    async def _give_up(self, recording: Recording, attempt: Attempt, reason: str, *, refused: bool = False) -> None:
        self._metrics.lost.inc()
        log.warning("attempt_lost", recording_id=recording.recording_id, attempt=attempt.number, reason=reason)
        await self._ledger.change(
            recording.recording_id,
            lambda r, now: on_attempt_lost(r, attempt.number, reason, now, self._policy, refused=refused),
        )

    async def _adopt(self, recording: Recording, attempt: Attempt, handle: RuntimeHandle) -> Recording:
        return await self._ledger.change(
            recording.recording_id, lambda r, now: on_attempt_started(r, attempt.number, handle.state, now)
        )

    async def _release(self, recording: Recording, attempt: Attempt, now: datetime) -> None:
        """An attempt that is over: lets a finished recorder leave by itself, then makes sure that it is gone."""
        handle = _stored_handle(attempt)
        if handle is None and (handle := await self._looked_up(attempt)):
            # Its start's outcome was lost. What it costs is told, too.
            await self._adopt(recording, attempt, handle)
        if handle is not None:
            leaving = attempt.over_at and now < attempt.over_at + timedelta(seconds=self._policy.exit_grace)
            if attempt.state == "done" and leaving and isinstance(await self._runtime.status(handle), Running):
                return
            if not await self._deleted(handle, recording):
                return
        await self._ledger.change(
            recording.recording_id, lambda r, now: on_attempt_gone(r, attempt.number, now, self._ledger.prices)
        )

    async def _looked_up(self, attempt: Attempt) -> RuntimeHandle | None:
        """Afresh: an older listing may be from before its start. Nothing ever ran of one that was refused."""
        return None if attempt.refused else await self._runtime.find(attempt.name)

    def _reap(self, listed: Listing, recordings: Sequence[Recording]) -> None:
        owned = {attempt.name for recording in recordings for attempt in recording.attempts if not attempt.gone}
        for name in listed.keys() - owned:
            if name not in self._working:
                log.warning("unowned_recorder_found", name=name, will_be_deleted=self._reaps)
                if self._reaps:
                    self._undertake(name, self._reap_one(listed[name]))

    async def _reap_one(self, handle: RuntimeHandle) -> None:
        if not await self._deleted(handle):
            return
        self._metrics.reaped.inc()
        named = named_attempt(handle.name)
        try:
            if named:
                await self._tell_reaped(*named, handle.state)
        except WentliveError as error:
            log.warning("reaped_recorder_not_told", name=handle.name, error=error.message)

    async def _tell_reaped(self, recording_id: str, number: int, state: dict[str, Any]) -> None:
        prices = self._ledger.prices
        known = await self._ledger.store.get(recording_id)
        if known and known.attempt(number):
            await self._ledger.change(
                recording_id, lambda r, now: on_attempt_reaped(r, number, state, UNOWNED, now, prices)
            )
        else:
            await self._ledger.announce(stray_event(recording_id, number, state, UNOWNED, self._ledger.now(), prices))

    async def _deleted(self, handle: RuntimeHandle, recording: Recording | None = None) -> bool:
        try:
            await self._runtime.delete(handle)
        except DeletionUnderWay:
            return False
        except WentliveError as error:
            self._metrics.undeletable.inc()
            if handle.name not in self.undeletable:
                known = recording.recording_id if recording else None
                log.error("recorder_not_deleted", name=handle.name, recording_id=known, error=error.message)
            self.undeletable[handle.name] = error.message
            return False
        if self.undeletable.pop(handle.name, None):
            log.info("recorder_deleted_at_last", name=handle.name)
        return True


def _stored_handle(attempt: Attempt) -> RuntimeHandle | None:
    return RuntimeHandle(name=attempt.name, state=attempt.runtime) if attempt.runtime is not None else None


def _why_dead(handle: RuntimeHandle | None, status: RuntimeStatus) -> str:
    if handle is None:
        return "The recorder was never started: the orchestrator was interrupted."
    match status:
        case Exited(code, detail):
            how = "" if code is None else f" with code {code}"
            return f"The recorder ended{how} without saying why; {detail or 'see its log'}."
        case Gone():
            return "The recorder disappeared."
        case _:
            return ""
