"""Throws away what is beyond the limits, into a bin first; what has lain there long enough is erased for good."""

from collections.abc import AsyncGenerator
from datetime import timedelta

import structlog
from wentlive_common.clock import Clock
from wentlive_common.errors import Conflict
from wentlive_common.model import Model

from wentlive_catalog.changes import Changes, RecordingChanged
from wentlive_catalog.documents import Documents
from wentlive_catalog.domain.library import Position, RecordingFilter
from wentlive_catalog.domain.recordings import OVER, Recording, binned, erased, swept
from wentlive_catalog.domain.retention import Deciding, Due, RetentionRule, RetentionSettings
from wentlive_catalog.ports import CatalogStore, LibraryStorage

log = structlog.get_logger(__name__)

PAGE = 1000
BY = "retention"
MOST_AT_ONCE = 2000
"""In one run; the next goes on. A wrong limit does not empty a library before somebody looks."""


class Swept(Model):
    """What one run did."""

    binned: int = 0
    erased: int = 0
    blobs: int = 0


class Retention:
    def __init__(
        self, store: CatalogStore, storage: LibraryStorage, settings: Documents[RetentionSettings],
        changes: Changes, clock: Clock,
    ) -> None:  # fmt: skip
        self._store = store
        self._storage = storage
        self._settings = settings
        self._changes = changes
        self._clock = clock

    async def settings(self) -> RetentionSettings:
        return await self._settings.get(RetentionSettings().key) or RetentionSettings()

    async def change(self, wanted: RetentionSettings) -> RetentionSettings:
        """Raises Conflict unless the stored version is the given one."""
        return await self._settings.save(wanted)

    async def due(self, limit: int = MOST_AT_ONCE) -> list[Due]:
        """What a run now would throw away, newest first; nothing is changed."""
        settings = await self.settings()
        own = await self._rules_of_creators()
        found: list[Due] = []
        if settings.rule == RetentionRule() and not own:
            return found
        deciding, below = Deciding(settings.rule, own, self._clock.now()), None
        wanted = RecordingFilter(states=OVER, pinned=False)
        while page := await self._store.outlines(wanted, PAGE, below):
            found += [due for one in page if (due := deciding.decide(one))]
            if len(found) >= limit:
                return found[:limit]
            below = page[-1].recording_id
        return found

    async def run(self) -> Swept:
        thrown = sum([await self._throw(due) for due in await self.due()])
        erased_now = sum([await self._erase(one) async for one in self._ripe()])
        blobs = [await self._sweep(one) async for one in self._all("erasing")]
        done = Swept(binned=thrown, erased=erased_now, blobs=sum(blobs))
        if done != Swept():
            log.info("retention_done", **done.model_dump())
        return done

    async def _rules_of_creators(self) -> dict[str, RetentionRule]:
        return {
            creator.handle: creator.settings.retention
            async for creator in self._store.all_creators()
            if creator.settings.retention
        }

    async def _throw(self, due: Due) -> bool:
        known = await self._store.recording(due.recording_id)
        if known is None or known.pinned or not known.over:
            return False
        return await self._saved(binned(known, BY, self._clock.now()))

    async def _ripe(self) -> AsyncGenerator[Recording]:
        settings = await self.settings()
        last = self._clock.now() - timedelta(days=settings.bin_days)
        async for one in self._all("bin"):
            if one.deleted_at and one.deleted_at <= last:
                yield one

    async def _all(self, place: str) -> AsyncGenerator[Recording]:
        after: Position | None = None
        wanted = RecordingFilter.model_validate({"place": place})
        while True:
            page = await self._store.recordings(wanted, PAGE, after)
            for one in page.items:
                yield one
            if page.next is None:
                return
            after = page.next

    async def _erase(self, one: Recording) -> bool:
        """First the entry, so that nobody takes back what is being deleted; then, in `_sweep`, the blobs."""
        return await self._saved(erased(one, self._clock.now()))

    async def _sweep(self, one: Recording) -> int:
        blobs = await self._storage.erase(one.leftover) if one.leftover else 0
        await self._saved(swept(one))
        return blobs

    async def _saved(self, wanted: Recording) -> bool:
        """What somebody changed just now is left for the next run."""
        try:
            await self._store.save_recording(wanted)
        except Conflict:
            return False
        self._changes.announce(RecordingChanged(wanted.recording_id, entered=True))
        return True
