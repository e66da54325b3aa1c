"""The catalog's store in one SQLite file: what is asked for by is a column, the rest is the model's JSON."""

import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import aiosqlite
from wentlive_common.errors import Conflict
from wentlive_common.events import AnyEvent
from wentlive_common.model import UtcDatetime, to_rfc3339
from wentlive_common.sqlite import SqliteDatabase, open_sqlite

from wentlive_catalog.domain.creators import Creator
from wentlive_catalog.domain.recordings import Recording
from wentlive_catalog.domain.sessions import Session
from wentlive_catalog.ports import RecordingFilter, RecordingPage

MIGRATIONS = (
    (
        """CREATE TABLE creators (
            handle TEXT PRIMARY KEY, creator_id TEXT, version INTEGER NOT NULL, body TEXT NOT NULL
        ) WITHOUT ROWID""",
        "CREATE INDEX creators_by_id ON creators (creator_id)",
        """CREATE TABLE follows (
            follower TEXT NOT NULL, handle TEXT NOT NULL REFERENCES creators, PRIMARY KEY (handle, follower)
        ) WITHOUT ROWID""",
        """CREATE TABLE recordings (
            recording_id TEXT PRIMARY KEY, handle TEXT NOT NULL, state TEXT NOT NULL,
            version INTEGER NOT NULL, body TEXT NOT NULL
        ) WITHOUT ROWID""",
        "CREATE INDEX recordings_by_handle ON recordings (handle, recording_id)",
        "CREATE INDEX recordings_by_state ON recordings (state, recording_id)",
        """CREATE TABLE sessions (
            token_hash TEXT PRIMARY KEY, expires_at TEXT NOT NULL, body TEXT NOT NULL
        ) WITHOUT ROWID""",
        "CREATE INDEX sessions_by_expiry ON sessions (expires_at)",
    ),
)


class SqliteCatalog:
    """`CatalogStore` over one file; for one machine."""

    def __init__(self, database: SqliteDatabase) -> None:
        self._database = database

    async def creator(self, handle: str) -> Creator | None:
        return _creator(await self._database.row("SELECT body FROM creators WHERE handle = ?", (handle,)))

    async def creators_by_id(self, creator_id: str) -> tuple[Creator, ...]:
        rows = await self._database.rows(
            "SELECT body FROM creators WHERE creator_id = ? ORDER BY handle", (creator_id,)
        )
        return tuple(Creator.model_validate_json(row["body"]) for row in rows)

    async def creators(self, handles: Sequence[str]) -> dict[str, Creator]:
        rows = await self._database.rows(
            "SELECT body FROM creators WHERE handle IN (SELECT value FROM json_each(?))", (json.dumps(list(handles)),)
        )
        found = (Creator.model_validate_json(row["body"]) for row in rows)
        return {creator.handle: creator for creator in found}

    async def followed_creators(self, follower: str | None = None) -> tuple[Creator, ...]:
        rows = await self._database.rows(
            """SELECT body FROM creators WHERE handle IN (SELECT handle FROM follows WHERE ?1 IS NULL OR follower = ?1)
            ORDER BY handle""",
            (follower,),
        )
        return tuple(Creator.model_validate_json(row["body"]) for row in rows)

    async def save_creator(self, creator: Creator, events: Sequence[AnyEvent] = ()) -> Creator:
        saved = creator.model_copy(update={"version": creator.version + 1})
        values = (saved.creator_id, saved.version, saved.model_dump_json(), saved.handle)
        async with self._database.write() as connection:
            if creator.version:
                sql = "UPDATE creators SET creator_id = ?, version = ?, body = ? WHERE handle = ? AND version = ?"
                await _write_one(connection, sql, (*values, creator.version))
            else:
                sql = "INSERT OR IGNORE INTO creators (creator_id, version, body, handle) VALUES (?, ?, ?, ?)"
                await _write_one(connection, sql, values)
            await connection.execute("DELETE FROM follows WHERE handle = ?", (saved.handle,))
            follows = [(follower, saved.handle) for follower in saved.followers]
            await connection.executemany("INSERT INTO follows (follower, handle) VALUES (?, ?)", follows)
            await self._database.enqueue(events)
        return saved

    async def recording(self, recording_id: str) -> Recording | None:
        row = await self._database.row("SELECT body FROM recordings WHERE recording_id = ?", (recording_id,))
        return Recording.model_validate_json(row["body"]) if row else None

    async def recordings(self, wanted: RecordingFilter, limit: int, below: str | None = None) -> RecordingPage:
        clauses, values = _where(wanted, below)
        # Only fixed clauses are joined; every value is bound.
        sql = f"SELECT body FROM recordings{clauses} ORDER BY recording_id DESC LIMIT ?"  # noqa: S608
        rows = await self._database.rows(sql, (*values, limit + 1))
        items = tuple(Recording.model_validate_json(row["body"]) for row in rows[:limit])
        return RecordingPage(items=items, next=items[-1].recording_id if len(rows) > limit else None)

    async def save_recording(self, recording: Recording, events: Sequence[AnyEvent] = ()) -> Recording:
        saved = recording.model_copy(update={"version": recording.version + 1})
        values = (saved.handle, saved.state, saved.version, saved.model_dump_json(), saved.recording_id)
        async with self._database.write() as connection:
            if recording.version:
                sql = """UPDATE recordings SET handle = ?, state = ?, version = ?, body = ?
                    WHERE recording_id = ? AND version = ?"""
                await _write_one(connection, sql, (*values, recording.version))
            else:
                sql = """INSERT OR IGNORE INTO recordings (handle, state, version, body, recording_id)
                    VALUES (?, ?, ?, ?, ?)"""
                await _write_one(connection, sql, values)
            await self._database.enqueue(events)
        return saved

    async def open_session(self, session: Session) -> None:
        async with self._database.write() as connection:
            await connection.execute(
                "INSERT INTO sessions (token_hash, expires_at, body) VALUES (?, ?, ?)",
                (session.token_hash, to_rfc3339(session.expires_at), session.model_dump_json()),
            )

    async def session(self, token_hash: str) -> Session | None:
        row = await self._database.row("SELECT body FROM sessions WHERE token_hash = ?", (token_hash,))
        return Session.model_validate_json(row["body"]) if row else None

    async def close_session(self, token_hash: str) -> None:
        async with self._database.write() as connection:
            await connection.execute("DELETE FROM sessions WHERE token_hash = ?", (token_hash,))

    async def forget_sessions(self, expired_before: UtcDatetime) -> int:
        async with self._database.write() as connection:
            sql = "DELETE FROM sessions WHERE expires_at < ?"
            async with connection.execute(sql, (to_rfc3339(expired_before),)) as cursor:
                return cursor.rowcount

    async def pending(self, limit: int) -> Sequence[AnyEvent]:
        return await self._database.pending(limit)

    async def clear(self, ids: Sequence[str]) -> None:
        await self._database.clear(ids)

    async def ready(self) -> bool:
        return await self._database.ready()


async def _write_one(connection: aiosqlite.Connection, sql: str, values: Sequence[object]) -> None:
    async with connection.execute(sql, values) as cursor:
        if cursor.rowcount != 1:
            raise Conflict


def _creator(row: aiosqlite.Row | None) -> Creator | None:
    return Creator.model_validate_json(row["body"]) if row else None


def _where(wanted: RecordingFilter, below: str | None) -> tuple[str, tuple[object, ...]]:
    clauses: list[str] = []
    values: list[object] = []
    if wanted.handle:
        clauses.append("handle = ?")
        values.append(wanted.handle)
    if wanted.states:
        clauses.append("state IN (SELECT value FROM json_each(?))")
        values.append(json.dumps(wanted.states))
    if below:
        clauses.append("recording_id < ?")
        values.append(below)
    return (" WHERE " + " AND ".join(clauses) if clauses else ""), tuple(values)


@asynccontextmanager
async def open_sqlite_catalog(path: Path) -> AsyncGenerator[SqliteCatalog]:
    async with open_sqlite(path, MIGRATIONS) as database:
        yield SqliteCatalog(database)
