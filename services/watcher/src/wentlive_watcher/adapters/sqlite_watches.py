"""Watches in one SQLite file: the embedded default, good for several watchers on one machine too."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path

from wentlive_common.events import AnyEvent
from wentlive_common.ids import new_ulid
from wentlive_common.model import to_rfc3339
from wentlive_common.sqlite import SqliteDatabase, open_sqlite

from wentlive_watcher.domain import Follow, Watch, new_watch
from wentlive_watcher.ports import Claim, ClaimLost

# Times are RFC 3339 of one width, so that they compare as text. What is sought is derived from the body: one truth.
MIGRATIONS = [
    [
        """CREATE TABLE watches (
            handle TEXT PRIMARY KEY,
            body TEXT NOT NULL,
            followed_at TEXT NOT NULL,
            claim TEXT,
            claimed_by TEXT,
            leased_until TEXT NOT NULL DEFAULT '',
            next_check_at TEXT NOT NULL GENERATED ALWAYS AS (body ->> '$.next_check_at') STORED,
            is_open INTEGER NOT NULL GENERATED ALWAYS AS (body ->> '$.broadcast' IS NOT NULL) STORED
        ) WITHOUT ROWID""",
        "CREATE INDEX watches_due ON watches (next_check_at)",
    ]
]


class SqliteWatchStore:
    """`WatchStore` over SQLite."""

    def __init__(self, database: SqliteDatabase) -> None:
        self._database = database

    async def follow(self, follow: Follow, at: datetime, now: datetime) -> bool:
        moment = to_rfc3339(at)
        async with self._database.write() as connection:
            cursor = await connection.execute(
                "INSERT OR IGNORE INTO watches (handle, body, followed_at) VALUES (?, ?, ?)",
                (follow.handle, new_watch(follow, now).model_dump_json(), moment),
            )
            if cursor.rowcount:
                return True
            await connection.execute(
                "UPDATE watches SET followed_at = ? WHERE handle = ? AND followed_at < ?",
                (moment, follow.handle, moment),
            )
            return False

    async def unfollow(self, handle: str, at: datetime) -> bool:
        async with self._database.write() as connection:
            cursor = await connection.execute(
                "DELETE FROM watches WHERE handle = ? AND followed_at <= ?", (handle, to_rfc3339(at))
            )
            return cursor.rowcount > 0

    async def watched(self) -> Mapping[str, datetime]:
        rows = await self._database.rows("SELECT handle, followed_at FROM watches")
        return {str(row["handle"]): datetime.fromisoformat(row["followed_at"]) for row in rows}

    async def claim_due(self, now: datetime, lease: timedelta, limit: int, owner: str) -> Sequence[Claim]:
        token, moment = new_ulid(), to_rfc3339(now)
        # Looked at first without a write lock, which an idle watcher need not take twice a second.
        if not await self._database.row(
            "SELECT 1 FROM watches WHERE next_check_at <= ? AND leased_until <= ? LIMIT 1", (moment, moment)
        ):
            return []
        async with self._database.write() as connection:
            rows = await connection.execute_fetchall(
                """UPDATE watches SET claim = ?, claimed_by = ?, leased_until = ? WHERE handle IN (
                    SELECT handle FROM watches WHERE next_check_at <= ? AND leased_until <= ?
                    ORDER BY next_check_at LIMIT ?
                ) RETURNING body""",
                (token, owner, to_rfc3339(now + lease), moment, moment, limit),
            )
        watches = [Watch.model_validate_json(row["body"]) for row in rows]
        return [Claim(watch, token) for watch in sorted(watches, key=lambda watch: watch.next_check_at)]

    async def save(self, claim: Claim, watch: Watch, events: Sequence[AnyEvent]) -> None:
        async with self._database.write() as connection:
            cursor = await connection.execute(
                "UPDATE watches SET body = ?, claim = NULL, claimed_by = NULL, leased_until = '' "
                "WHERE handle = ? AND claim = ?",
                (watch.model_dump_json(), claim.watch.handle, claim.token),
            )
            if not cursor.rowcount:
                raise ClaimLost
            await self._database.enqueue(events)

    async def expedite(self, handle: str, now: datetime) -> bool:
        async with self._database.write() as connection:
            cursor = await connection.execute(
                "UPDATE watches SET body = json_set(body, '$.next_check_at', min(next_check_at, ?)) WHERE handle = ?",
                (to_rfc3339(now), handle),
            )
            return cursor.rowcount > 0

    async def get(self, handle: str) -> Watch | None:
        row = await self._database.row("SELECT body FROM watches WHERE handle = ?", (handle,))
        return Watch.model_validate_json(row["body"]) if row else None

    async def list(self, limit: int = 100, after: str = "") -> Sequence[Watch]:
        rows = await self._database.rows(
            "SELECT body FROM watches WHERE handle > ? ORDER BY handle LIMIT ?", (after, limit)
        )
        return [Watch.model_validate_json(row["body"]) for row in rows]

    async def open_broadcasts(self) -> int:
        row = await self._database.row("SELECT count(*) FROM watches WHERE is_open")
        return int(row[0]) if row else 0

    async def ready(self) -> bool:
        return await self._database.ready()

    async def pending(self, limit: int) -> Sequence[AnyEvent]:
        return await self._database.pending(limit)

    async def clear(self, ids: Sequence[str]) -> None:
        await self._database.clear(ids)


@asynccontextmanager
async def open_sqlite_watches(path: Path) -> AsyncGenerator[SqliteWatchStore]:
    async with open_sqlite(path, MIGRATIONS) as database:
        yield SqliteWatchStore(database)
