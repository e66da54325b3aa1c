"""SQLite for a service's store: one file, WAL, one writer, and the outbox table that shares its transactions."""

import asyncio
import json
import sqlite3
import time
from collections.abc import AsyncGenerator, Generator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import aiosqlite
import structlog

from wentlive_common.errors import AlreadyExists, Permanent, StoreUnavailable
from wentlive_common.events import AnyEvent, parse_event

log = structlog.get_logger(__name__)

SLOW_SECONDS = 0.25
"""A query that takes longer is logged, without its values."""

Parameters = Sequence[object] | Mapping[str, object]

OUTBOX_TABLE = (
    "CREATE TABLE outbox (seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, body TEXT NOT NULL)"
)


class SchemaDamaged(Permanent):
    """The database lacks what its version says it has: restore a backup, or rebuild it."""


class SchemaTooNew(Permanent):
    """The database was written by a newer Wentlive: upgrade this one, or use another data folder."""


@contextmanager
def sqlite_errors() -> Generator[None]:
    """Translates what SQLite raises. A full disk or a lock held for too long may pass; it is tried again."""
    try:
        yield
    except sqlite3.IntegrityError as error:
        raise AlreadyExists from error
    except sqlite3.OperationalError as error:
        raise StoreUnavailable(f"The database does not answer: {error}") from error
    except sqlite3.Error as error:
        raise Permanent(f"The database refused: {type(error).__name__}: {error}") from error


class SqliteDatabase:
    """One connection for a process. Writers take turns; each write is one transaction with its events."""

    def __init__(self, connection: aiosqlite.Connection) -> None:
        self.connection = connection
        self._turn = asyncio.Lock()
        self._writer: asyncio.Task[object] | None = None

    @asynccontextmanager
    async def write(self) -> AsyncGenerator[aiosqlite.Connection]:
        """A transaction: all of it is kept when the body ends, none of it when the body raises or the process dies."""
        async with self._turn:
            self._writer = asyncio.current_task()
            try:
                with sqlite_errors():
                    await self.connection.execute("BEGIN IMMEDIATE")
                    yield self.connection
                    await asyncio.shield(self.connection.commit())
            except BaseException:
                # Does nothing without a transaction: when BEGIN failed, or a cancelled commit went through.
                await asyncio.shield(self.connection.rollback())
                raise
            finally:
                self._writer = None

    async def rows(self, sql: str, parameters: Parameters = ()) -> list[aiosqlite.Row]:
        """What is committed; inside `write`, what this transaction sees."""
        if asyncio.current_task() is self._writer:
            return await self._read(sql, parameters)
        async with self._turn:
            return await self._read(sql, parameters)

    async def _read(self, sql: str, parameters: Parameters) -> list[aiosqlite.Row]:
        # In one go: a statement left open between two steps holds an old snapshot, and a `BEGIN IMMEDIATE` beside it
        # would fail at once, without waiting, whenever another process has written meanwhile.
        began = time.perf_counter()
        with sqlite_errors():
            rows = list(await self.connection.execute_fetchall(sql, parameters))
        if (seconds := time.perf_counter() - began) >= SLOW_SECONDS:
            log.warning("slow_query", seconds=round(seconds, 3), sql=" ".join(sql.split()), rows=len(rows))
        return rows

    async def row(self, sql: str, parameters: Parameters = ()) -> aiosqlite.Row | None:
        """The first of a few: all of them are read."""
        return next(iter(await self.rows(sql, parameters)), None)

    async def enqueue(self, events: Sequence[AnyEvent]) -> None:
        """Adds events to the outbox; call it inside `write`."""
        await self.connection.executemany(
            "INSERT OR IGNORE INTO outbox (id, body) VALUES (?, ?)",
            [(event.id, event.to_json().decode()) for event in events],
        )

    async def pending(self, limit: int) -> Sequence[AnyEvent]:
        rows = await self.rows("SELECT body FROM outbox ORDER BY seq LIMIT ?", (limit,))
        return [parse_event(str(row["body"]).encode()) for row in rows]

    async def clear(self, ids: Sequence[str]) -> None:
        async with self.write() as connection:
            await connection.execute(
                "DELETE FROM outbox WHERE id IN (SELECT value FROM json_each(?))", (json.dumps(ids),)
            )

    async def ready(self) -> bool:
        return await self.row("SELECT 1") is not None


@asynccontextmanager
async def open_sqlite(path: Path, migrations: Sequence[Sequence[str]]) -> AsyncGenerator[SqliteDatabase]:
    """Opens the file, creating it when it is not there, and brings its schema up to date.

    `migrations[n]` holds the statements that lead from version n to n+1; the outbox table is part of the first.
    Raises `SchemaTooNew` for a file from the future.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    async with aiosqlite.connect(path, isolation_level=None, timeout=15) as connection:
        connection.row_factory = sqlite3.Row
        # NORMAL keeps every committed transaction when the process dies; only a power cut may take the last few.
        for pragma in ("journal_mode = WAL", "synchronous = NORMAL", "foreign_keys = ON", "busy_timeout = 15000"):
            await connection.execute(f"PRAGMA {pragma}")
        database = SqliteDatabase(connection)
        steps = [[OUTBOX_TABLE, *migrations[0]], *migrations[1:]]
        await _migrate(database, steps)
        await _mend(database, steps)
        yield database


async def _migrate(database: SqliteDatabase, migrations: Sequence[Sequence[str]]) -> None:
    async with database.write() as connection:
        row = await database.row("PRAGMA user_version")
        version = int(row[0]) if row else 0
        if version > len(migrations):
            raise SchemaTooNew(f"The database has schema {version}, this Wentlive knows {len(migrations)}: upgrade it.")
        for statements in migrations[version:]:
            for statement in statements:
                await connection.execute(statement)
        await connection.execute(f"PRAGMA user_version = {len(migrations)}")


async def _mend(database: SqliteDatabase, migrations: Sequence[Sequence[str]]) -> None:
    """Compares what there is with what the migrations make of nothing: a lost index or trigger is made again."""
    expected = _objects_of(migrations)
    async with database.write() as connection:
        found = {str(row["name"]) for row in await database.rows("SELECT name FROM sqlite_master")}
        for name, (kind, sql) in expected.items():
            if name in found:
                continue
            if kind == "table":
                raise SchemaDamaged(f"The database has no table {name}: restore a backup, or rebuild it.")
            await connection.execute(sql)
            log.warning("schema_mended", missing=name, kind=kind)


def _objects_of(migrations: Sequence[Sequence[str]]) -> dict[str, tuple[str, str]]:
    empty = sqlite3.connect(":memory:")
    try:
        for statement in (statement for statements in migrations for statement in statements):
            empty.execute(statement)
        return {
            str(name): (str(kind), str(sql))
            for kind, name, sql in empty.execute("SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL")
        }
    finally:
        empty.close()
