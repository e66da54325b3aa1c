"""What the catalog makes of the other services' events: any order and any repetition lead to the same entries."""

from collections.abc import Callable
from datetime import UTC, datetime

from wentlive_common.bus import EventBus
from wentlive_common.errors import Conflict, Transient
from wentlive_common.events import (
    AnyEvent,
    BroadcastData,
    BroadcastEnded,
    BroadcastPaused,
    BroadcastResumed,
    BroadcastWentLive,
    ContainerCreated,
    ContainerData,
    ContainerDeleted,
    ContainerReaped,
    CreatorData,
    CreatorProfileChanged,
    CreatorRestricted,
    RecordingCompleted,
    RecordingData,
    RecordingFailed,
    RecordingPartClosed,
    RecordingPartOpened,
    RecordingProgressed,
    RecordingRecovering,
    RecordingRequested,
    RecordingStarted,
)

from wentlive_catalog.changes import Changes, CreatorChanged, RecordingChanged
from wentlive_catalog.domain.creators import (
    Creator,
    with_broadcast,
    with_profile,
    with_restriction,
)
from wentlive_catalog.domain.recordings import Recording, billed, recorded, remembered
from wentlive_catalog.metrics import CatalogMetrics
from wentlive_catalog.namesakes import Namesakes
from wentlive_catalog.ports import CatalogStore

CREATOR_EVENTS = (CreatorProfileChanged, CreatorRestricted)
BROADCAST_EVENTS = (BroadcastWentLive, BroadcastPaused, BroadcastResumed, BroadcastEnded)
RECORDING_EVENTS = (
    RecordingRequested, RecordingStarted, RecordingPartOpened, RecordingProgressed, RecordingPartClosed,
    RecordingCompleted, RecordingFailed, RecordingRecovering,
)  # fmt: skip
CONTAINER_EVENTS = (ContainerCreated, ContainerDeleted, ContainerReaped)
TRIES = 8


class NotHeardOf(Transient):
    """The recording that a container works for was not told of yet."""


class Contended(Transient):
    """Others kept changing the same entry; it will be tried again."""


class Projections:
    """Consumes events into the store and tells open pages."""

    def __init__(self, store: CatalogStore, changes: Changes, metrics: CatalogMetrics, namesakes: Namesakes) -> None:
        self._store = store
        self._changes = changes
        self._metrics = metrics
        self._namesakes = namesakes

    async def subscribe(self, bus: EventBus) -> None:
        await bus.subscribe("catalog.creators", CREATOR_EVENTS, self.on_creator)
        await bus.subscribe("catalog.broadcasts", BROADCAST_EVENTS, self.on_broadcast)
        await bus.subscribe("catalog.recordings", RECORDING_EVENTS, self.on_recording)
        await bus.subscribe("catalog.containers", CONTAINER_EVENTS, self.on_container)

    async def on_creator(self, event: AnyEvent) -> None:
        match event.data:
            case CreatorProfileChanged() as data:
                await self._change_creator(event, data, lambda known: with_profile(known, data, event.time))
            case CreatorRestricted() as data:
                await self._change_creator(event, data, lambda known: with_restriction(known, data, event.time))
            case _:
                raise TypeError(f"catalog.creators does not take {event.type}")

    async def on_broadcast(self, event: AnyEvent) -> None:
        data = event.data
        if not isinstance(data, BroadcastData):
            raise TypeError(f"catalog.broadcasts does not take {event.type}")
        await self._change_creator(event, data, lambda known: with_broadcast(known, data))

    async def on_recording(self, event: AnyEvent) -> None:
        data = event.data
        if not isinstance(data, RecordingData):
            raise TypeError(f"catalog.recordings does not take {event.type}")
        for _ in range(TRIES):
            known = await self._store.recording(data.recording_id)
            wanted = remembered(recorded(known, data), data, event.time)
            if wanted == known:
                return
            try:
                saved = await self._store.save_recording(wanted)
            except Conflict:
                continue
            entered = known is None or known.state != saved.state or _pictured(known) != _pictured(saved)
            self._changes.announce(RecordingChanged(saved.recording_id, entered))
            self._count(event)
            return
        raise Contended

    async def on_container(self, event: AnyEvent) -> None:
        data = event.data
        if not isinstance(data, ContainerData):
            raise TypeError(f"catalog.containers does not take {event.type}")
        for _ in range(TRIES):
            known = await self._store.recording(data.recording_id)
            if known is None:
                raise NotHeardOf
            wanted = billed(known, data)
            if wanted == known:
                return
            try:
                await self._store.save_recording(wanted)
            except Conflict:
                continue
            self._changes.announce(RecordingChanged(data.recording_id))
            self._count(event)
            return
        raise Contended

    async def _change_creator(
        self, event: AnyEvent, data: CreatorData | BroadcastData, change: Callable[[Creator], Creator]
    ) -> None:
        for _ in range(TRIES):
            known = await self._known(data)
            wanted = change(known)
            if wanted == known:
                # Told before; but whoever took it in then may have died before it made one entry of two.
                await self._namesakes.merge_into(known)
                return
            try:
                await self._store.save_creator(wanted)
            except Conflict:
                continue
            await self._namesakes.merge_into(wanted)
            self._changes.announce(CreatorChanged(wanted.handle))
            self._count(event)
            return
        raise Contended

    async def _known(self, data: CreatorData | BroadcastData) -> Creator:
        """By handle, if that is followed and nobody else's; else by id, for a creator followed under another handle."""
        known = await self._store.creator(data.handle)
        theirs = known is not None and known.followers and known.creator_id in (None, data.creator_id)
        if data.creator_id and not theirs:
            same = await self._store.creators_by_id(data.creator_id)
            followed = next((creator for creator in same if creator.followers), None)
            known = followed or known or next(iter(same), None)
        return known or Creator(handle=data.handle)

    def _count(self, event: AnyEvent) -> None:
        age = (datetime.now(UTC) - event.time).total_seconds()
        self._metrics.event_applied(event.data.TYPE, age)


def _pictured(recording: Recording) -> tuple[str | None, str | None]:
    return recording.poster, recording.preview
