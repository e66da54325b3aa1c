"""Documents in SQLite: a table of JSON for each kind, with an index over each field that they are looked up by."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Generic

from wentlive_common.errors import Conflict
from wentlive_common.model import to_rfc3339
from wentlive_common.sqlite import SqliteDatabase

from wentlive_catalog.documents import DocumentKind, DocumentT

# Only names that kinds declare are put into statements; every value is bound.
# ruff: noqa: S608


async def create_document_tables(database: SqliteDatabase, *kinds: DocumentKind[Any]) -> None:
    """Makes what is missing, at each start: a kind or an index that is declared tomorrow needs no migration."""
    async with database.write() as connection:
        for kind in kinds:
            table = _table(kind)
            await connection.execute(
                f"CREATE TABLE IF NOT EXISTS {table} (key TEXT PRIMARY KEY, version INTEGER NOT NULL, "
                "body TEXT NOT NULL) WITHOUT ROWID"
            )
            for field in (*kind.fields, *((kind.moment,) if kind.moment else ())):
                await connection.execute(
                    f"CREATE INDEX IF NOT EXISTS {table}_by_{field} ON {table} ({_value(field)}, key)"
                )


def _table(kind: DocumentKind[Any]) -> str:
    return f"doc_{kind.name}"


def _value(field: str) -> str:
    return f"json_extract(body, '$.{field}')"


class SqliteDocuments(Generic[DocumentT]):
    """`Documents` of one kind."""

    def __init__(self, database: SqliteDatabase, kind: DocumentKind[DocumentT]) -> None:
        self._database = database
        self._kind = kind
        self._table = _table(kind)

    async def get(self, key: str) -> DocumentT | None:
        row = await self._database.row(f"SELECT body FROM {self._table} WHERE key = ?", (key,))
        return self._kind.model.model_validate_json(row["body"]) if row else None

    async def save(self, document: DocumentT) -> DocumentT:
        saved = document.model_copy(update={"version": document.version + 1})
        values = (saved.version, saved.model_dump_json(), self._kind.key_of(saved))
        if document.version:
            sql = f"UPDATE {self._table} SET version = ?, body = ? WHERE key = ? AND version = ?"
            changes = await self._write(sql, (*values, document.version))
        else:
            sql = f"INSERT OR IGNORE INTO {self._table} (version, body, key) VALUES (?, ?, ?)"
            changes = await self._write(sql, values)
        if changes != 1:
            raise Conflict
        return saved

    async def remove(self, key: str) -> bool:
        return await self._write(f"DELETE FROM {self._table} WHERE key = ?", (key,)) == 1

    async def remove_where(self, **equal: str) -> int:
        where = _where(self._kind, equal)
        return await self._write(f"DELETE FROM {self._table} WHERE {where}", tuple(equal.values()))

    async def remove_before(self, moment: datetime) -> int:
        sql = f"DELETE FROM {self._table} WHERE {_value(str(self._kind.moment))} < ?"
        return await self._write(sql, (to_rfc3339(moment),))

    async def page(self, limit: int, below: str | None = None, **equal: str) -> Sequence[DocumentT]:
        clauses = ([_where(self._kind, equal)] if equal else []) + (["key < ?"] if below else [])
        where = f" WHERE {' AND '.join(clauses)}" if clauses else ""
        values = (*equal.values(), *((below,) if below else ()), limit)
        rows = await self._database.rows(f"SELECT body FROM {self._table}{where} ORDER BY key DESC LIMIT ?", values)
        return [self._kind.model.model_validate_json(row["body"]) for row in rows]

    async def _write(self, sql: str, values: Sequence[object]) -> int:
        async with self._database.write() as connection, connection.execute(sql, values) as cursor:
            return cursor.rowcount


def _where(kind: DocumentKind[Any], equal: dict[str, str]) -> str:
    if not equal or not equal.keys() <= set(kind.fields):
        raise TypeError(f"{kind.name} are looked up by {kind.fields}, not by {tuple(equal)}")
    return " AND ".join(f"{_value(field)} = ?" for field in equal)
