"""What only people know (whom they follow, names, pins, the bin), kept beside the media as well.

The database may be lost: with this and the manifests the same library is built again. No password, session or token
is in it.
"""

import hashlib
from collections.abc import AsyncGenerator
from typing import Literal

import structlog
from pydantic import ValidationError
from wentlive_common.errors import Conflict, InvalidInput
from wentlive_common.ids import Ulid, new_ulid
from wentlive_common.model import Model, UtcDatetime

from wentlive_catalog.documents import Document, DocumentKind
from wentlive_catalog.domain.creators import Creator
from wentlive_catalog.domain.library import Position, RecordingFilter
from wentlive_catalog.domain.recordings import Recording
from wentlive_catalog.ports import CatalogStore
from wentlive_catalog.ports.library import LibraryStorage

log = structlog.get_logger(__name__)

IDENTITY_KEY = "library"
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


class Identity(Document):
    """Tells one library's database from another's that was put in its place."""

    key: str = IDENTITY_KEY
    library_id: Ulid


IDENTITY = DocumentKind("identity", Identity, "key")


class Keepsakes(Model):
    format: Literal["wentlive.library.v1"] = "wentlive.library.v1"
    library_id: Ulid | None = None
    creators: tuple[Creator, ...] = ()
    recordings: tuple[Touched, ...] = ()


class OtherLibrary(Conflict):
    """What lies in storage was kept by another database. Run `wentlive-catalog rebuild` to take it over."""


class KeepsakeKeeper:
    """Writes them when they changed; one catalog of several is enough, and two write the same."""

    def __init__(self, store: CatalogStore, storage: LibraryStorage) -> None:
        self._store = store
        self._storage = storage
        self._written = ""

    async def keep(self, *, take_over: bool = False) -> bool:
        """Says whether there was something new.

        Raises OtherLibrary rather than write over what a database kept that is perhaps lost, unless it is taken over.
        """
        keepsakes = await self._present()
        body = keepsakes.model_dump_json().encode()
        digest = hashlib.sha256(body).hexdigest()
        if digest == self._written:
            return False
        if not take_over:
            there = await read_keepsakes(self._storage)
            if there.library_id not in (None, keepsakes.library_id):
                raise OtherLibrary
        await self._storage.write(BLOB, body, "application/json")
        self._written = digest
        return True

    async def _present(self) -> Keepsakes:
        return Keepsakes(
            library_id=await self._library_id(),
            creators=tuple([_told_by_people(one) async for one in self._store.all_creators()]),
            recordings=tuple([touched async for touched in self._touched()]),
        )

    async def _library_id(self) -> str:
        identities = self._store.documents(IDENTITY)
        known = await identities.get(IDENTITY_KEY)
        if known is None:
            try:
                known = await identities.save(Identity(library_id=new_ulid()))
            except Conflict:
                return await self._library_id()
        return known.library_id

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
