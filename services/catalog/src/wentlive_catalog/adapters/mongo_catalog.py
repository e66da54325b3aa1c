"""The catalog's store in MongoDB, put together; any number of catalogs may share it."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

import structlog
from wentlive_common.events import AnyEvent
from wentlive_common.mongo import (
    Database,
    MongoMigration,
    MongoOutbox,
    ensure_indexes,
    migrate_mongo,
    mongo_ready,
    open_mongo,
)

from wentlive_catalog.adapters.mongo_creators import CREATOR_INDEXES, MongoCreators
from wentlive_catalog.adapters.mongo_documents import MongoDocuments, create_document_indexes
from wentlive_catalog.adapters.mongo_recordings import RECORDING_INDEXES, MongoRecordings
from wentlive_catalog.documents import DocumentKind, Documents, DocumentT
from wentlive_catalog.kinds import KINDS

log = structlog.get_logger(__name__)


class MongoCatalog(MongoCreators, MongoRecordings):
    """`CatalogStore` over one database."""

    def __init__(self, database: Database) -> None:
        MongoCreators.__init__(self, database)
        MongoRecordings.__init__(self, database)
        self._database = database
        self._outboxes = (MongoOutbox(self._creators), MongoOutbox(self._recordings))

    def documents(self, kind: DocumentKind[DocumentT]) -> Documents[DocumentT]:
        return MongoDocuments(self._database, kind)

    async def make_indexes(self) -> None:
        await ensure_indexes(self._creators, CREATOR_INDEXES)
        await ensure_indexes(self._recordings, RECORDING_INDEXES)
        await create_document_indexes(self._database, *KINDS)

    async def pending(self, limit: int) -> Sequence[AnyEvent]:
        events = [event for outbox in self._outboxes for event in await outbox.pending(limit)]
        return events[:limit]

    async def clear(self, ids: Sequence[str]) -> None:
        for outbox in self._outboxes:
            await outbox.clear(ids)

    async def ready(self) -> bool:
        return await mongo_ready(self._database)


async def _forget_first_indexes(database: Database) -> None:
    """Facts took their place; sessions became documents with versions: everybody signs in once more."""
    found = await database["recordings"].index_information()
    for name in ("handle_1__id_-1", "state_1__id_-1"):
        if name in found:
            await database["recordings"].drop_index(name)
    await database["sessions"].delete_many({"version": {"$exists": False}})


MIGRATIONS: tuple[MongoMigration, ...] = (_forget_first_indexes,)


@asynccontextmanager
async def open_mongo_catalog(url: str) -> AsyncGenerator[MongoCatalog]:
    async with open_mongo(url) as database:
        store = MongoCatalog(database)
        await migrate_mongo(database, MIGRATIONS)
        await store.make_indexes()
        if drawn := await store.draw_facts():
            log.info("facts_drawn", recordings=drawn)
        yield store
