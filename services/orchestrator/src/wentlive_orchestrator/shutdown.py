"""How recorders end together with the orchestrator: asked first, heard out, and none left behind."""

import asyncio

import structlog

from wentlive_orchestrator.domain import Attempt, on_attempt_gone, on_attempt_lost
from wentlive_orchestrator.ledger import RecordingLedger
from wentlive_orchestrator.ports import RecorderRuntime, RuntimeHandle
from wentlive_orchestrator.stopping import delete_for_certain, stop_gracefully

log = structlog.get_logger(__name__)

REASON = "The orchestrator was stopped and the recorder did not finish in time."


async def stop_recorders(ledger: RecordingLedger, runtime: RecorderRuntime, seconds: float) -> None:
    """Returns when none is left, or logs what could not be stopped. Reports must be taken meanwhile."""
    handles = {handle.name: handle for handle in await runtime.list()}
    recordings = await ledger.store.active()
    stops = [
        _stop(ledger, runtime, recording.recording_id, attempt, handle, seconds)
        for recording in recordings
        for attempt in recording.attempts
        if (handle := handles.pop(attempt.name, None))
    ]
    results = await asyncio.gather(*stops, *map(runtime.delete, handles.values()), return_exceptions=True)
    for error in results:
        if isinstance(error, BaseException):
            log.error("recorder_not_stopped", error=str(error), kind=type(error).__name__)


async def _stop(
    ledger: RecordingLedger, runtime: RecorderRuntime, recording_id: str, attempt: Attempt,
    handle: RuntimeHandle, seconds: float,
) -> None:  # fmt: skip
    if not await stop_gracefully(runtime, handle, seconds):
        log.warning("recorder_killed", name=handle.name, recording_id=recording_id)
    await delete_for_certain(runtime, handle, seconds)
    # After a final report this changes nothing.
    await ledger.change(recording_id, lambda r, now: on_attempt_lost(r, attempt.number, REASON, now, ledger.policy))
    await ledger.change(recording_id, lambda r, now: on_attempt_gone(r, attempt.number, now, ledger.prices))
