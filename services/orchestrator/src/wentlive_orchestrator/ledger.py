"""The one way to change a recording: read, decide, store with its events, and try again when somebody was first."""

from collections.abc import Callable, Sequence
from datetime import datetime

import structlog
from wentlive_common.clock import Clock
from wentlive_common.errors import Conflict, NotFound
from wentlive_common.events import AnyEvent, EventData, new_event
from wentlive_common.events.broadcast import BroadcastWentLive
from wentlive_common.ids import new_ulid
from wentlive_common.model import to_milliseconds

from wentlive_orchestrator.domain import Change, Policy, PriceTable, Recording, on_broadcast_seen, open_recording
from wentlive_orchestrator.ports import RecordingStore

log = structlog.get_logger(__name__)

TRIES = 20
Decision = Callable[[Recording, datetime], Change]
Listener = Callable[[Recording], None]


class RecordingLedger:
    """Applies decisions to stored recordings and tells the listeners what each has become."""

    def __init__(self, store: RecordingStore, clock: Clock, policy: Policy, prices: PriceTable | None = None) -> None:
        self.store = store
        self.policy = policy
        self.prices = prices or PriceTable()
        self._clock = clock
        self._listeners: list[Listener] = []

    def now(self) -> datetime:
        return to_milliseconds(self._clock.now())

    def on_change(self, listener: Listener) -> None:
        """`listener` is called with every recording that was stored."""
        self._listeners.append(listener)

    async def went_live(self, seen: BroadcastWentLive) -> Recording:
        """The broadcast's recording, made when there was none; a repeat is a sign of life."""
        known = await self.store.get_by_broadcast(seen.broadcast)
        if known is None:
            new, events = open_recording(new_ulid(), seen)
            known = await self.store.create_if_absent(new, self._enveloped(events))
            if known.recording_id == new.recording_id:
                self._stored(known, None)
                return known
        return await self.change(known.recording_id, lambda r, now: on_broadcast_seen(r, seen, now, self.policy))

    async def change(self, recording_id: str, decide: Decision) -> Recording:
        """The recording after `decide`; raises `NotFound`, or `Conflict` after too many lost races."""
        for _ in range(TRIES):
            before = await self.store.get(recording_id)
            if before is None:
                raise NotFound(f"There is no recording {recording_id}.")
            after, events = decide(before, self.now())
            if after == before and not events:
                return before
            try:
                saved = await self.store.save(after, self._enveloped(events))
            except Conflict:
                continue
            self._stored(saved, before)
            return saved
        raise Conflict(f"The recording {recording_id} changes too often to be changed.")

    async def announce(self, event: EventData) -> None:
        """Tells of what no recording knows."""
        await self.store.announce(self._enveloped([event]))

    def _enveloped(self, events: Sequence[EventData]) -> list[AnyEvent]:
        return [new_event(event, "orchestrator", time=self.now()) for event in events]

    def _stored(self, recording: Recording, before: Recording | None) -> None:
        if before is None or recording.state != before.state:
            log.info(
                "recording_state_changed",
                recording_id=recording.recording_id,
                handle=recording.handle,
                state=recording.state,
                previous=before.state if before else None,
                attempts=len(recording.attempts),
                failure=recording.failure,
            )
        for listener in self._listeners:
            listener(recording)
