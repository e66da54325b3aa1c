"""The catalog's store: a small port for each noun, and the whole that an adapter is."""

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from wentlive_common.events import AnyEvent
from wentlive_common.outbox import Outbox

from wentlive_catalog.documents import DocumentKind, Documents, DocumentT
from wentlive_catalog.domain.creators import Creator
from wentlive_catalog.domain.library import (
    CreatorTotals,
    DayTotals,
    LiveSpan,
    Position,
    RecordingFilter,
    RecordingOrder,
    RecordingPage,
    Totals,
)
from wentlive_catalog.domain.recordings import Recording
from wentlive_catalog.domain.retention import Outline


class CreatorStore(Protocol):
    """A save and its events are one write; a save of an outdated version is a Conflict."""

    async def creator(self, handle: str) -> Creator | None: ...

    async def creators_by_id(self, creator_id: str) -> tuple[Creator, ...]:
        """Those with this TikTok id: one, or one for each handle somebody went by; by handle."""
        ...

    async def creators(self, handles: Sequence[str]) -> dict[str, Creator]:
        """Those of `handles` that are known."""
        ...

    async def followed_creators(self, follower: str | None = None) -> tuple[Creator, ...]:
        """Creators that `follower`, or anybody, follows; by handle."""
        ...

    async def save_creator(self, creator: Creator, events: Sequence[AnyEvent] = ()) -> Creator:
        """Stores it with its version raised by one; raises Conflict unless the stored version is the given one."""
        ...

    def all_creators(self) -> AsyncIterator[Creator]:
        """Every entry, followed or not, by handle."""
        ...


class RecordingStore(Protocol):
    """Saves as `CreatorStore` does; whatever is asked of many is answered from facts that are drawn at each save."""

    async def recording(self, recording_id: str) -> Recording | None: ...

    async def recordings(
        self, wanted: RecordingFilter, limit: int, after: Position | None = None, order: RecordingOrder = "newest"
    ) -> RecordingPage:
        """`after` goes on after the page whose `next` it was, in the same order."""
        ...

    async def save_recording(self, recording: Recording, events: Sequence[AnyEvent] = ()) -> Recording: ...

    async def remove_recording(self, recording: Recording) -> None:
        """Forgets it; raises Conflict when it changed meanwhile or is gone."""
        ...

    def all_recordings(self) -> AsyncIterator[Recording]:
        """Every one, in the bin or not, by id; those that come or go meanwhile may be left out."""
        ...

    async def outlines(self, wanted: RecordingFilter, limit: int, below: str | None = None) -> tuple[Outline, ...]:
        """Newest first, without the recordings' bodies; `below` is the last id of the page before."""
        ...

    async def totals(self, wanted: RecordingFilter) -> Totals: ...

    async def totals_by_day(self, wanted: RecordingFilter, limit: int) -> tuple[DayTotals, ...]:
        """The latest days on which there was something, latest first."""
        ...

    async def totals_by_creator(self, wanted: RecordingFilter, limit: int) -> tuple[CreatorTotals, ...]:
        """Those with most bytes first."""
        ...

    async def live_spans(self, wanted: RecordingFilter, limit: int) -> tuple[LiveSpan, ...]:
        """When lives were on, latest first."""
        ...


class CatalogStore(CreatorStore, RecordingStore, Outbox, Protocol):
    """Everything that people see."""

    def documents(self, kind: DocumentKind[DocumentT]) -> Documents[DocumentT]:
        """Of a kind that `documents.KINDS` names."""
        ...

    async def ready(self) -> bool: ...
