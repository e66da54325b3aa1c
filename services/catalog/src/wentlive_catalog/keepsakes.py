"""What only people know (whom they follow, names, pins, the bin), kept beside the media as well.

The database may be lost: with this and the manifests the same library is built again. No password, session or token
is in it.
"""

import hashlib
from collections.abc import AsyncGenerator
from typing import Literal

import structlog
from pydantic import ValidationError
from wentlive_common.errors import InvalidInput
from wentlive_common.ids import Ulid
from wentlive_common.model import Model, UtcDatetime

from wentlive_catalog.domain.creators import Creator
from wentlive_catalog.domain.library import Position, RecordingFilter
from wentlive_catalog.domain.recordings import Recording
from wentlive_catalog.ports import CatalogStore
from wentlive_catalog.ports.library import LibraryStorage

log = structlog.get_logger(__name__)

BLOB = "_catalog/library.json"
BATCH = 500


class InvalidKeepsakes(InvalidInput):
    """The library's file in storage cannot be read; recordings are rebuilt without names, pins and follows."""


class Touched(Model):
    """What people made of one recording."""

    recording_id: Ulid
    name: str | None = None
    pinned: bool = False
    deleted_at: UtcDatetime | None = None
    deleted_by: str | None = None

    def on(self, recording: Recording) -> Recording:
        return recording.model_copy(update=dict(self))


class Keepsakes(Model):
    format: Literal["wentlive.library.v1"] = "wentlive.library.v1"
    creators: tuple[Creator, ...] = ()
    recordings: tuple[Touched, ...] = ()


class KeepsakeKeeper:
    """Writes them when they changed; one catalog of several is enough, and two write the same."""

    def __init__(self, store: CatalogStore, storage: LibraryStorage) -> None:
        self._store = store
        self._storage = storage
        self._written = ""

    async def keep(self) -> bool:
        """Says whether there was something new."""
        creators = tuple([_told_by_people(one) async for one in self._store.all_creators()])
        recordings = tuple([touched async for touched in self._touched()])
        body = Keepsakes(creators=creators, recordings=recordings).model_dump_json(exclude_defaults=False).encode()
        digest = hashlib.sha256(body).hexdigest()
        if digest == self._written:
            return False
        await self._storage.write(BLOB, body, "application/json")
        self._written = digest
        return True

    async def _touched(self) -> AsyncGenerator[Touched]:
        after: Position | None = None
        wanted = RecordingFilter(place=None, touched=True)
        while True:
            page = await self._store.recordings(wanted, BATCH, after)
            for one in page.items:
                if one.erased_at is None:
                    yield Touched.model_validate(one.model_dump(include=set(Touched.model_fields)))
            if page.next is None:
                return
            after = page.next


async def read_keepsakes(storage: LibraryStorage) -> Keepsakes:
    """Empty ones when there are none; raises InvalidKeepsakes."""
    body = await storage.read(BLOB)
    try:
        return Keepsakes.model_validate_json(body) if body else Keepsakes()
    except ValidationError as error:
        raise InvalidKeepsakes from error


def _told_by_people(creator: Creator) -> Creator:
    """Without what changes by itself: lives come and go, and TikTok tells of them again."""
    return creator.model_copy(update={"broadcasts": (), "version": 0})
