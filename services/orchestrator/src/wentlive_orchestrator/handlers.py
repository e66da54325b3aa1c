"""What the bus tells the orchestrator. Every handler may run any number of times, in any order."""

import structlog
from wentlive_common.bus import EventBus
from wentlive_common.errors import NotFound, Permanent
from wentlive_common.events import AnyEvent
from wentlive_common.events.broadcast import (
    BroadcastData,
    BroadcastEnded,
    BroadcastPaused,
    BroadcastResumed,
    BroadcastWentLive,
)
from wentlive_common.events.recording import RecordingRetryRequested, RecordingStopRequested

from wentlive_orchestrator.domain import on_broadcast_ended, on_broadcast_seen, on_retry_requested, on_stop_requested
from wentlive_orchestrator.ledger import RecordingLedger

log = structlog.get_logger(__name__)

BROADCASTS = "orchestrator.broadcasts"
STOPS = "orchestrator.stops"
RETRIES = "orchestrator.retries"


class UnknownRecording(Permanent):
    """Somebody wants to stop, or to try again, a recording that does not exist."""


async def subscribe(bus: EventBus, ledger: RecordingLedger) -> None:
    async def broadcasts(event: AnyEvent) -> None:
        await on_broadcast_event(event.data, ledger)

    async def stops(event: AnyEvent) -> None:
        await on_stop_event(event.data, ledger)

    async def retries(event: AnyEvent) -> None:
        await on_retry_event(event.data, ledger)

    seen = (BroadcastWentLive, BroadcastPaused, BroadcastResumed, BroadcastEnded)
    await bus.subscribe(BROADCASTS, seen, broadcasts)
    await bus.subscribe(STOPS, (RecordingStopRequested,), stops)
    await bus.subscribe(RETRIES, (RecordingRetryRequested,), retries)


async def on_broadcast_event(data: object, ledger: RecordingLedger) -> None:
    match data:
        case BroadcastWentLive():
            await ledger.went_live(data)
        case BroadcastPaused() | BroadcastResumed() | BroadcastEnded():
            await _follow(data, ledger)
        case _:
            raise Permanent(f"{type(data).__name__} does not belong into {BROADCASTS}.")


async def _follow(data: BroadcastData, ledger: RecordingLedger) -> None:
    recording = await ledger.store.get_by_broadcast(data.broadcast)
    if recording is None:
        # It was never seen live, so that there is nothing to end or to pause.
        log.debug("broadcast_unknown", broadcast=str(data.broadcast))
        return
    decide = on_broadcast_ended if isinstance(data, BroadcastEnded) else on_broadcast_seen
    await ledger.change(recording.recording_id, lambda r, now: decide(r, data, now, ledger.policy))


async def on_stop_event(data: object, ledger: RecordingLedger) -> None:
    if not isinstance(data, RecordingStopRequested):
        raise Permanent(f"{type(data).__name__} does not belong into {STOPS}.")
    try:
        await ledger.change(data.recording_id, lambda r, now: on_stop_requested(r, now, ledger.policy))
    except NotFound as error:
        raise UnknownRecording(error.message) from error


async def on_retry_event(data: object, ledger: RecordingLedger) -> None:
    if not isinstance(data, RecordingRetryRequested):
        raise Permanent(f"{type(data).__name__} does not belong into {RETRIES}.")
    wanted = data.ended_sequence
    try:
        await ledger.change(data.recording_id, lambda r, now: on_retry_requested(r, wanted, now, ledger.policy))
    except NotFound as error:
        raise UnknownRecording(error.message) from error
