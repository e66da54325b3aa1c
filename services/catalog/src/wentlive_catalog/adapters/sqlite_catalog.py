"""The catalog's store in one SQLite file, put together; for one machine."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import structlog
from wentlive_common.events import AnyEvent
from wentlive_common.sqlite import SqliteDatabase, open_sqlite

from wentlive_catalog.adapters.sqlite_creators import SqliteCreators
from wentlive_catalog.adapters.sqlite_documents import SqliteDocuments, create_document_tables
from wentlive_catalog.adapters.sqlite_recordings import SqliteRecordings
from wentlive_catalog.adapters.sqlite_schema import MIGRATIONS
from wentlive_catalog.documents import DocumentKind, Documents, DocumentT
from wentlive_catalog.kinds import KINDS

log = structlog.get_logger(__name__)


class SqliteCatalog(SqliteCreators, SqliteRecordings):
    """`CatalogStore` over one file."""

    def __init__(self, database: SqliteDatabase) -> None:
        super().__init__(database)
        self._database = database

    def documents(self, kind: DocumentKind[DocumentT]) -> Documents[DocumentT]:
        return SqliteDocuments(self._database, kind)

    async def pending(self, limit: int) -> Sequence[AnyEvent]:
        return await self._database.pending(limit)

    async def clear(self, ids: Sequence[str]) -> None:
        await self._database.clear(ids)

    async def ready(self) -> bool:
        return await self._database.ready()


@asynccontextmanager
async def open_sqlite_catalog(path: Path) -> AsyncGenerator[SqliteCatalog]:
    async with open_sqlite(path, MIGRATIONS) as database:
        await create_document_tables(database, *KINDS)
        store = SqliteCatalog(database)
        if drawn := await store.draw_facts():
            log.info("facts_drawn", recordings=drawn)
        yield store
