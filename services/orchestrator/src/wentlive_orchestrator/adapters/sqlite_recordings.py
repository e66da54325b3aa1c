"""Recordings in SQLite: the embedded default."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import aiosqlite
from wentlive_common.errors import Conflict
from wentlive_common.events import AnyEvent
from wentlive_common.model import BroadcastKey
from wentlive_common.sqlite import SqliteDatabase, open_sqlite

from wentlive_orchestrator.adapters.sqlite_lease import LEASE_TABLE, SqliteLease
from wentlive_orchestrator.domain import CreatorCosts, Recording

MIGRATIONS = (
    (
        """CREATE TABLE recordings (
            recording_id TEXT PRIMARY KEY,
            broadcast TEXT NOT NULL UNIQUE,
            settled INTEGER NOT NULL,
            version INTEGER NOT NULL,
            body TEXT NOT NULL
        ) WITHOUT ROWID""",
        "CREATE INDEX recordings_active ON recordings (recording_id) WHERE settled = 0",
    ),
    (LEASE_TABLE,),
)

BILLED = """
    SELECT json_extract(body, '$.broadcast.creator_id') AS creator_id,
        max(json_extract(body, '$.handle')) AS handle,
        count(*) AS attempts,
        total(json_extract(attempt.value, '$.bill.vcpu_seconds')) AS vcpu_seconds,
        total(json_extract(attempt.value, '$.bill.gb_seconds')) AS gb_seconds,
        total(json_extract(attempt.value, '$.bill.usd')) AS usd
    FROM recordings, json_each(body, '$.attempts') AS attempt
    WHERE recording_id >= ? AND recording_id < ? AND json_extract(attempt.value, '$.bill') IS NOT NULL
    GROUP BY 1 ORDER BY 1
"""


class SqliteRecordings:
    """`RecordingStore` in one file; a recording and its events share a transaction."""

    def __init__(self, database: SqliteDatabase) -> None:
        self._database = database
        self.pending = database.pending
        self.clear = database.clear
        self.ready = database.ready
        lease = SqliteLease(database)
        self.lease = lease.lease
        self.swap_lease = lease.swap_lease

    async def create_if_absent(self, recording: Recording, events: Sequence[AnyEvent]) -> Recording:
        async with self._database.write() as connection:
            cursor = await connection.execute(
                "INSERT OR IGNORE INTO recordings (recording_id, broadcast, settled, version, body)"
                " VALUES (?, ?, ?, ?, ?)",
                (
                    recording.recording_id,
                    str(recording.broadcast),
                    recording.settled,
                    recording.version,
                    _body(recording),
                ),
            )
            if cursor.rowcount == 1:
                await self._database.enqueue(events)
                return recording
        existing = await self.get_by_broadcast(recording.broadcast)
        if existing is None:
            raise Conflict(f"The recording {recording.recording_id} exists for another broadcast.")
        return existing

    async def get(self, recording_id: str) -> Recording | None:
        row = await self._database.row("SELECT body FROM recordings WHERE recording_id = ?", (recording_id,))
        return _recording(row) if row else None

    async def get_by_broadcast(self, broadcast: BroadcastKey) -> Recording | None:
        row = await self._database.row("SELECT body FROM recordings WHERE broadcast = ?", (str(broadcast),))
        return _recording(row) if row else None

    async def active(self) -> Sequence[Recording]:
        rows = await self._database.rows("SELECT body FROM recordings WHERE settled = 0 ORDER BY recording_id")
        return [_recording(row) for row in rows]

    async def announce(self, events: Sequence[AnyEvent]) -> None:
        async with self._database.write():
            await self._database.enqueue(events)

    async def recent(self, limit: int, before: str = "") -> Sequence[Recording]:
        rows = await self._database.rows(
            "SELECT body FROM recordings WHERE ? = '' OR recording_id < ? ORDER BY recording_id DESC LIMIT ?",
            (before, before, limit),
        )
        return [_recording(row) for row in rows]

    async def billed(self, first_id: str, end_id: str) -> Sequence[CreatorCosts]:
        rows = await self._database.rows(BILLED, (first_id, end_id))
        return [CreatorCosts.model_validate(dict(row)) for row in rows]

    async def save(self, recording: Recording, events: Sequence[AnyEvent]) -> Recording:
        saved = recording.model_copy(update={"version": recording.version + 1})
        async with self._database.write() as connection:
            cursor = await connection.execute(
                "UPDATE recordings SET settled = ?, version = ?, body = ? WHERE recording_id = ? AND version = ?",
                (saved.settled, saved.version, _body(saved), saved.recording_id, recording.version),
            )
            if cursor.rowcount != 1:
                raise Conflict
            await self._database.enqueue(events)
        return saved


def _body(recording: Recording) -> str:
    return recording.model_dump_json(exclude_none=True)


def _recording(row: aiosqlite.Row) -> Recording:
    return Recording.model_validate_json(row["body"])


@asynccontextmanager
async def open_sqlite_recordings(path: Path) -> AsyncGenerator[SqliteRecordings]:
    async with open_sqlite(path, MIGRATIONS) as database:
        yield SqliteRecordings(database)
