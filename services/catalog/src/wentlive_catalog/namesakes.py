"""One creator followed under two handles becomes one entry: the handle of now keeps the followers of both."""

from collections.abc import Callable

from wentlive_common.clock import Clock
from wentlive_common.errors import Conflict
from wentlive_common.events import AnyEvent, new_event

from wentlive_catalog.changes import Changes, CreatorChanged
from wentlive_catalog.domain.creators import Creator, for_the_watcher, joined
from wentlive_catalog.ports import CatalogStore

TRIES = 8


class Namesakes:
    """Every write can be repeated: dying in between leaves both followed, and the next call goes on from there."""

    def __init__(self, store: CatalogStore, changes: Changes, clock: Clock, stored: Callable[[], None]) -> None:
        self._store = store
        self._changes = changes
        self._clock = clock
        self._stored = stored

    async def merge_into(self, creator: Creator) -> None:
        """Gives `creator` the followers of every other entry with the same id; those are followed no more."""
        if creator.creator_id is None or not creator.followers:
            return
        for other in await self._store.creators_by_id(creator.creator_id):
            if other.handle != creator.handle and other.followers:
                await self._merge(other, creator.handle)

    async def _merge(self, other: Creator, into: str) -> None:
        for _ in range(TRIES):
            kept, gone = await self._store.creator(into), await self._store.creator(other.handle)
            if kept is None or gone is None or not kept.followers or not gone.followers:
                return
            both, left = joined(kept, gone), gone.model_copy(update={"followers": (), "preferences": ()})
            try:
                # In this order: who dies in between follows twice, and never not at all.
                await self._store.save_creator(both, self._events(kept, both))
                await self._store.save_creator(left, self._events(gone, left))
            except Conflict:
                continue
            self._stored()
            for handle in (into, other.handle):
                self._changes.announce(CreatorChanged(handle))
            return
        raise Conflict

    def _events(self, before: Creator, after: Creator) -> list[AnyEvent]:
        now = self._clock.now()
        return [new_event(data, "catalog", time=now) for data in for_the_watcher(before, after)]
