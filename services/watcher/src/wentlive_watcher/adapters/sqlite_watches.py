"""Watches in one SQLite file: the embedded default, good for several watchers on one machine too."""

import json
from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path

from wentlive_common.capture import Wishes
from wentlive_common.events import AnyEvent
from wentlive_common.ids import new_ulid
from wentlive_common.model import to_rfc3339
from wentlive_common.sqlite import SqliteDatabase, open_sqlite

from wentlive_watcher.adapters.sqlite_saves import SqliteSaves
from wentlive_watcher.domain import Follow, Watch, merged, new_watch, taken_over
from wentlive_watcher.ports import Claim

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
    ],
    [
        "ALTER TABLE watches ADD COLUMN creator_id TEXT GENERATED ALWAYS AS (body ->> '$.creator_id') VIRTUAL",
        "ALTER TABLE watches ADD COLUMN merged_with TEXT GENERATED ALWAYS AS (body ->> '$.merged_with') VIRTUAL",
        "ALTER TABLE watches ADD COLUMN egress TEXT GENERATED ALWAYS AS (body ->> '$.egress') VIRTUAL",
        "ALTER TABLE watches ADD COLUMN asked_at TEXT",
        # One creator under two handles was possible until now; the next check merges them.
        """UPDATE watches SET body = json_set(body, '$.creator_id', NULL) WHERE creator_id IS NOT NULL
            AND handle NOT IN (SELECT min(handle) FROM watches WHERE creator_id IS NOT NULL GROUP BY creator_id)""",
        "CREATE UNIQUE INDEX watches_creator ON watches (creator_id) WHERE creator_id IS NOT NULL",
        "CREATE INDEX watches_merged ON watches (merged_with) WHERE merged_with IS NOT NULL",
        "CREATE INDEX watches_asked ON watches (asked_at) WHERE asked_at IS NOT NULL",
        "CREATE INDEX watches_open ON watches (is_open) WHERE is_open",
    ],
]
ORDINARY = ("next_check_at <= ? AND leased_until <= ?", "next_check_at")
ASKED_FOR = ("asked_at IS NOT NULL AND leased_until <= ?", "asked_at")
TIED = " AND (egress IS NULL OR egress NOT IN (SELECT value FROM json_each(?)))"


class SqliteWatchStore:
    """`WatchStore` over SQLite."""

    def __init__(self, database: SqliteDatabase) -> None:
        self._database = database
        self._saves = SqliteSaves(database)

    async def follow(self, follow: Follow, at: datetime, now: datetime) -> bool:
        moment, watch = to_rfc3339(at), new_watch(follow, now)
        async with self._database.write() as connection:
            if await self._database.row("SELECT 1 FROM watches WHERE handle = ?", (follow.handle,)):
                await connection.execute(
                    "UPDATE watches SET followed_at = ? WHERE handle = ? AND followed_at < ?",
                    (moment, follow.handle, moment),
                )
                return False
            if follow.creator_id and await self.holder(follow.creator_id):
                watch = merged(watch, follow.creator_id, now)
            await connection.execute(
                "INSERT INTO watches (handle, body, followed_at, asked_at) VALUES (?, ?, ?, ?)",
                (follow.handle, watch.model_dump_json(), moment, to_rfc3339(now)),
            )
            return True

    async def wish(self, handle: str, wishes: Wishes) -> bool:
        async with self._database.write() as connection:
            cursor = await connection.execute(
                """UPDATE watches SET body = json_set(body, '$.wishes', json(:wishes))
                WHERE handle = :handle AND coalesce(body -> '$.wishes', :none) <> :wishes""",
                {"wishes": wishes.model_dump_json(), "handle": handle, "none": Wishes().model_dump_json()},
            )
            return cursor.rowcount > 0

    async def wishes(self) -> Mapping[str, Wishes]:
        rows = await self._database.rows("SELECT handle, coalesce(body -> '$.wishes', '{}') AS wishes FROM watches")
        return {str(row["handle"]): Wishes.model_validate_json(row["wishes"]) for row in rows}

    async def unfollow(self, handle: str, at: datetime) -> bool:
        async with self._database.write() as connection:
            rows = await connection.execute_fetchall(
                "DELETE FROM watches WHERE handle = ? AND followed_at <= ? RETURNING body", (handle, to_rfc3339(at))
            )
            gone = [Watch.model_validate_json(row["body"]) for row in rows]
            if gone and gone[0].creator_id:
                await self._hand_over(gone[0], gone[0].creator_id)
            return bool(gone)

    async def _hand_over(self, watch: Watch, creator_id: str) -> None:
        row = await self._database.row("SELECT body FROM watches WHERE merged_with = ? LIMIT 1", (creator_id,))
        if row is None:
            return
        heir = taken_over(watch, Watch.model_validate_json(row["body"]))
        await self._database.connection.execute(
            "UPDATE watches SET body = ?, claim = NULL, claimed_by = NULL, leased_until = '' WHERE handle = ?",
            (heir.model_dump_json(), heir.handle),
        )

    async def watched(self) -> Mapping[str, datetime]:
        rows = await self._database.rows("SELECT handle, followed_at FROM watches")
        return {str(row["handle"]): datetime.fromisoformat(row["followed_at"]) for row in rows}

    async def claim_due(
        self,
        now: datetime,
        lease: timedelta,
        limit: int,
        owner: str,
        *,
        asked_for: bool = False,
        busy: Collection[str] = (),
    ) -> Sequence[Claim]:
        due, order = ASKED_FOR if asked_for else ORDINARY
        moment, token = to_rfc3339(now), new_ulid()
        values = [moment] if asked_for else [moment, moment]
        if busy:
            due, values = due + TIED, [*values, json.dumps(sorted(busy))]
        # Looked at first without a write lock, which an idle watcher need not take twice a second.
        if not await self._database.rows(f"SELECT 1 FROM watches WHERE {due} LIMIT 1", values):  # noqa: S608
            return []
        async with self._database.write() as connection:
            rows = await connection.execute_fetchall(
                f"""UPDATE watches SET claim = ?, claimed_by = ?, leased_until = ?
                WHERE handle IN (SELECT handle FROM watches WHERE {due} ORDER BY {order} LIMIT ?)
                RETURNING body""",  # noqa: S608 - fixed texts, put together above
                (token, owner, to_rfc3339(now + lease), *values, limit),
            )
        watches = [Watch.model_validate_json(row["body"]) for row in rows]
        return [Claim(watch, token) for watch in sorted(watches, key=lambda watch: watch.next_check_at)]

    async def give_back(self, claims: Sequence[Claim]) -> None:
        held = json.dumps([[claim.watch.handle, claim.token] for claim in claims])
        async with self._database.write() as connection:
            await connection.execute(
                """UPDATE watches SET claim = NULL, claimed_by = NULL, leased_until = '' FROM json_each(?) AS held
                WHERE handle = held.value ->> 0 AND claim = held.value ->> 1""",
                (held,),
            )

    async def save(self, claim: Claim, watch: Watch, events: Sequence[AnyEvent]) -> None:
        await self._saves.save(claim, watch, events)

    async def expedite(self, handle: str, now: datetime) -> bool:
        async with self._database.write() as connection:
            cursor = await connection.execute(
                """UPDATE watches SET asked_at = coalesce(asked_at, :now)
                WHERE (handle = :handle AND merged_with IS NULL)
                OR creator_id = (SELECT merged_with FROM watches WHERE handle = :handle)""",
                {"now": to_rfc3339(now), "handle": handle},
            )
            return cursor.rowcount > 0

    async def recall(self, now: datetime, due_by: datetime, leased_by: datetime) -> int:
        async with self._database.write() as connection:
            await connection.execute(
                "UPDATE watches SET claim = NULL, claimed_by = NULL, leased_until = '' WHERE leased_until > ?",
                (to_rfc3339(leased_by),),
            )
            cursor = await connection.execute(
                "UPDATE watches SET body = json_set(body, '$.next_check_at', ?) WHERE next_check_at > ?",
                (to_rfc3339(now), to_rfc3339(due_by)),
            )
            return cursor.rowcount

    async def holder(self, creator_id: str) -> Watch | None:
        row = await self._database.row("SELECT body FROM watches WHERE creator_id = ?", (creator_id,))
        return Watch.model_validate_json(row["body"]) if row else None

    async def get(self, handle: str) -> Watch | None:
        row = await self._database.row("SELECT body FROM watches WHERE handle = ?", (handle,))
        return Watch.model_validate_json(row["body"]) if row else None

    async def find(self, handles: Sequence[str]) -> Sequence[Watch]:
        rows = await self._database.rows(
            "SELECT body FROM watches WHERE handle IN (SELECT value FROM json_each(?)) ORDER BY handle",
            (json.dumps(list(handles)),),
        )
        return [Watch.model_validate_json(row["body"]) for row in rows]

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
