"""One write keeps a state change and its events together, or neither."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from wentlive_common.events import CreatorFollowed, Event, new_event
from wentlive_common.sqlite import SchemaTooNew, SqliteDatabase, open_sqlite

MIGRATIONS = [["CREATE TABLE creators (handle TEXT PRIMARY KEY)"]]


@pytest.fixture
async def database(tmp_path: Path) -> AsyncGenerator[SqliteDatabase]:
    async with open_sqlite(tmp_path / "made" / "store.db", MIGRATIONS) as database:
        yield database


def followed(handle: str = "nora") -> Event[CreatorFollowed]:
    return new_event(CreatorFollowed(handle=handle), "catalog")


async def follow(database: SqliteDatabase, event: Event[CreatorFollowed]) -> None:
    async with database.write() as connection:
        await connection.execute("INSERT INTO creators VALUES (?)", (event.data.handle,))
        await database.enqueue([event])


async def fail_while_writing(database: SqliteDatabase) -> None:
    async with database.write() as connection:
        await connection.execute("INSERT INTO creators VALUES ('lost')")
        await database.enqueue([followed("lost")])
        raise RuntimeError("the process dies here")


async def test_a_change_and_its_event_are_one_write(database: SqliteDatabase) -> None:
    event = followed()
    await follow(database, event)
    with pytest.raises(RuntimeError):
        await fail_while_writing(database)
    assert [row["handle"] for row in await database.rows("SELECT handle FROM creators")] == ["nora"]
    assert await database.pending(10) == [event]


async def test_an_event_is_not_pending_before_it_is_committed(database: SqliteDatabase) -> None:
    enqueued, give_up = asyncio.Event(), asyncio.Event()

    async def write_and_fail() -> None:
        async with database.write():
            await database.enqueue([followed()])
            enqueued.set()
            await give_up.wait()
            raise RuntimeError("rolled back")

    writing = asyncio.create_task(write_and_fail())
    await enqueued.wait()
    looking = asyncio.create_task(database.pending(10))
    await asyncio.wait((looking,), timeout=0.05)
    give_up.set()
    assert await looking == []
    with pytest.raises(RuntimeError):
        await writing


async def test_pending_keeps_the_order_and_clear_forgets(database: SqliteDatabase) -> None:
    events = [followed(f"creator{number}") for number in range(5)]
    for event in events:
        await follow(database, event)
    assert await database.pending(3) == events[:3]
    await database.clear([event.id for event in events[:3]])
    assert await database.pending(10) == events[3:]
    await database.clear([])
    await database.clear(["unknown"])
    assert await database.pending(10) == events[3:]


async def test_the_same_event_is_stored_once(database: SqliteDatabase) -> None:
    event = followed()
    async with database.write():
        await database.enqueue([event, event])
    assert await database.pending(10) == [event]


async def test_a_cancelled_write_leaves_nothing_and_blocks_nobody(database: SqliteDatabase) -> None:
    inside = asyncio.Event()

    async def stuck() -> None:
        async with database.write():
            await database.enqueue([followed()])
            inside.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(stuck())
    await inside.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert await database.pending(10) == []
    await follow(database, followed("after"))


async def test_it_is_there_after_reopening_and_migrates_once(tmp_path: Path) -> None:
    path, event = tmp_path / "store.db", followed()
    async with open_sqlite(path, MIGRATIONS) as database:
        await follow(database, event)
    newer = [*MIGRATIONS, ["ALTER TABLE creators ADD COLUMN muted INTEGER NOT NULL DEFAULT 0"]]
    for _ in range(2):
        async with open_sqlite(path, newer) as database:
            assert await database.pending(10) == [event]
            row = await database.row("SELECT muted FROM creators")
            assert row is not None
            assert row["muted"] == 0
            assert await database.ready()
    with pytest.raises(SchemaTooNew):
        async with open_sqlite(path, MIGRATIONS):
            pass
