"""Creators in SQLite: the model's JSON, and a row for each follow."""

import json
from collections.abc import AsyncGenerator, Sequence

import aiosqlite
from wentlive_common.errors import Conflict
from wentlive_common.events import AnyEvent
from wentlive_common.sqlite import SqliteDatabase

from wentlive_catalog.domain.creators import Creator

BATCH = 500


class SqliteCreators:
    """`CreatorStore` over one file."""

    def __init__(self, database: SqliteDatabase) -> None:
        self._database = database

    async def creator(self, handle: str) -> Creator | None:
        row = await self._database.row("SELECT body FROM creators WHERE handle = ?", (handle,))
        return Creator.model_validate_json(row["body"]) if row else None

    async def creators_by_id(self, creator_id: str) -> tuple[Creator, ...]:
        sql = "SELECT body FROM creators WHERE creator_id = ? ORDER BY handle"
        return _creators(await self._database.rows(sql, (creator_id,)))

    async def creators(self, handles: Sequence[str]) -> dict[str, Creator]:
        sql = "SELECT body FROM creators WHERE handle IN (SELECT value FROM json_each(?))"
        found = _creators(await self._database.rows(sql, (json.dumps(list(handles)),)))
        return {creator.handle: creator for creator in found}

    async def followed_creators(self, follower: str | None = None) -> tuple[Creator, ...]:
        sql = """SELECT body FROM creators
            WHERE handle IN (SELECT handle FROM follows WHERE ?1 IS NULL OR follower = ?1) ORDER BY handle"""
        return _creators(await self._database.rows(sql, (follower,)))

    async def save_creator(self, creator: Creator, events: Sequence[AnyEvent] = ()) -> Creator:
        saved = creator.model_copy(update={"version": creator.version + 1})
        values = (saved.creator_id, saved.version, saved.model_dump_json(), saved.handle)
        async with self._database.write() as connection:
            if creator.version:
                sql = "UPDATE creators SET creator_id = ?, version = ?, body = ? WHERE handle = ? AND version = ?"
                await write_one(connection, sql, (*values, creator.version))
            else:
                sql = "INSERT OR IGNORE INTO creators (creator_id, version, body, handle) VALUES (?, ?, ?, ?)"
                await write_one(connection, sql, values)
            await connection.execute("DELETE FROM follows WHERE handle = ?", (saved.handle,))
            follows = [(follower, saved.handle) for follower in saved.followers]
            await connection.executemany("INSERT INTO follows (follower, handle) VALUES (?, ?)", follows)
            await self._database.enqueue(events)
        return saved

    async def all_creators(self) -> AsyncGenerator[Creator]:
        last = ""
        sql = "SELECT body FROM creators WHERE handle > ? ORDER BY handle LIMIT ?"
        while found := _creators(await self._database.rows(sql, (last, BATCH))):
            for creator in found:
                yield creator
            last = found[-1].handle


async def write_one(connection: aiosqlite.Connection, sql: str, values: Sequence[object]) -> None:
    """Raises Conflict when nothing was written."""
    async with connection.execute(sql, values) as cursor:
        if cursor.rowcount != 1:
            raise Conflict


def _creators(rows: Sequence[aiosqlite.Row]) -> tuple[Creator, ...]:
    return tuple(Creator.model_validate_json(row["body"]) for row in rows)
