"""What should run against what does run, over and over, until they are the same.

Level-triggered: nothing is remembered between passes but what is being worked on right now, so that a process
killed at any point leaves nothing that the next pass does not mend.
"""

import asyncio
import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial

import structlog
from wentlive_common.errors import WentliveError
from wentlive_common.lifecycle import wait_any

from wentlive_orchestrator.domain import (
    Attempt,
    Recording,
    attempt_due,
    on_attempt_gone,
    on_attempt_lost,
    on_attempt_planned,
    on_attempt_started,
    on_time,
    overdue,
)
from wentlive_orchestrator.jobs import JobOffice, hash_token
from wentlive_orchestrator.ledger import RecordingLedger
from wentlive_orchestrator.metrics import OrchestratorMetrics
from wentlive_orchestrator.ports import (
    AttemptSpec,
    Exited,
    Gone,
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
AT_ONCE = 32
LAST_PASS_SECONDS = 5.0
START_SECONDS = 120.0

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
    ) -> None:
        self._ledger = ledger
        self._policy = ledger.policy
        self._runtime = runtime
        self._jobs = jobs
        self._metrics = metrics
        self._report_base_url = report_base_url.rstrip("/")
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
            while not stop.is_set():
                await self.full_pass()
                await self._until_next_pass(stop)
        finally:
            await self.idle(LAST_PASS_SECONDS)

    async def _until_next_pass(self, stop: asyncio.Event) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time() + PASS_SECONDS
        while not stop.is_set() and (left := due - loop.time()) > 0:
            await wait_any(stop.wait(), self._wake.wait(), asyncio.sleep(left))
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
        for recording in recordings:
            self._begin(recording.recording_id, recording, listed)
        await self._reap(listed, recordings)

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
        task = asyncio.create_task(self._work(recording_id, known, listed or {}), name=f"reconcile-{recording_id}")
        self._working[recording_id] = task
        task.add_done_callback(lambda _: self._finished(recording_id))

    def _finished(self, recording_id: str) -> None:
        del self._working[recording_id]
        if recording_id in self._woken:
            self._wake.set()

    async def _work(self, recording_id: str, known: Recording | None, listed: Listing) -> None:
        async with self._room:
            try:
                recording = known or await self._ledger.store.get(recording_id)
                if recording is not None:
                    await self._step(recording, listed)
            except WentliveError as error:
                log.warning("reconcile_failed", recording_id=recording_id, error=error.message)
            except Exception:
                # One recording's trouble, even a bug of ours, must not keep the others from being recorded.
                log.exception("reconcile_crashed", recording_id=recording_id)

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
        token = secrets.token_urlsafe(32)
        token_hash = hash_token(token)
        recording = await self._ledger.change(
            recording.recording_id, lambda r, now: on_attempt_planned(r, token_hash, now, self._policy)
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
            await self._give_up(recording, attempt, error.message)
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
        elif attempt.name not in listed:
            status = await self._runtime.status(handle)
        reason = _why_dead(handle, status) or await self._why_overdue(recording, attempt)
        if reason:
            if handle:
                await self._stopped(handle)
                await self._deleted(handle, recording)
            await self._give_up(recording, attempt, reason)

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

    async def _give_up(self, recording: Recording, attempt: Attempt, reason: str) -> None:
        self._metrics.lost.inc()
        log.warning("attempt_lost", recording_id=recording.recording_id, attempt=attempt.number, reason=reason)
        await self._ledger.change(
            recording.recording_id, lambda r, now: on_attempt_lost(r, attempt.number, reason, now, self._policy)
        )

    async def _adopt(self, recording: Recording, attempt: Attempt, handle: RuntimeHandle) -> Recording:
        return await self._ledger.change(
            recording.recording_id, lambda r, now: on_attempt_started(r, attempt.number, handle.state, now)
        )

    async def _release(self, recording: Recording, attempt: Attempt, now: datetime) -> None:
        """An attempt that is over: lets a finished recorder leave by itself, then makes sure that it is gone."""
        handle = _stored_handle(attempt) or await self._looked_up(attempt)
        if handle is not None:
            leaving = attempt.over_at and now < attempt.over_at + timedelta(seconds=self._policy.exit_grace)
            if attempt.state == "done" and leaving and isinstance(await self._runtime.status(handle), Running):
                return
            if not await self._deleted(handle, recording):
                return
        await self._ledger.change(recording.recording_id, lambda r, _: on_attempt_gone(r, attempt.number))

    async def _looked_up(self, attempt: Attempt) -> RuntimeHandle | None:
        """By name, and freshly: an older listing may be from before its start."""
        return next((handle for handle in await self._runtime.list() if handle.name == attempt.name), None)

    async def _reap(self, listed: Listing, recordings: Sequence[Recording]) -> None:
        owned = {attempt.name for recording in recordings for attempt in recording.attempts if not attempt.gone}
        for name in listed.keys() - owned:
            log.warning("unowned_recorder_found", name=name)
            if await self._deleted(listed[name]):
                self._metrics.reaped.inc()

    async def _deleted(self, handle: RuntimeHandle, recording: Recording | None = None) -> bool:
        try:
            await self._runtime.delete(handle)
        except WentliveError as error:
            self._metrics.undeletable.inc()
            log.error(
                "recorder_not_deleted",
                name=handle.name,
                recording_id=recording.recording_id if recording else None,
                error=error.message,
            )
            return False
        return True


def _stored_handle(attempt: Attempt) -> RuntimeHandle | None:
    return RuntimeHandle(name=attempt.name, state=attempt.runtime) if attempt.runtime is not None else None


def _why_dead(handle: RuntimeHandle | None, status: RuntimeStatus) -> str:
    if handle is None:
        return "The recorder was never started: the orchestrator was interrupted."
    match status:
        case Exited(code):
            how = "" if code is None else f" with code {code}"
            return f"The recorder ended{how} without saying why; see its log."
        case Gone():
            return "The recorder disappeared."
        case _:
            return ""
