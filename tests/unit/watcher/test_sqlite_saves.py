"""Saves share transactions, and what goes wrong with one is nobody else's trouble."""

import asyncio
import sqlite3
from contextlib import closing
from datetime import timedelta

import pytest
from wentlive_common.sqlite import OUTBOX_TABLE, SchemaTooNew, open_sqlite
from wentlive_watcher.adapters.sqlite_watches import MIGRATIONS, SqliteWatchStore, open_sqlite_watches
from wentlive_watcher.domain import Follow, new_watch

LEASE = timedelta(seconds=30)


async def claims(store, start, count):
    for number in range(count):
        await store.follow(Follow(handle=f"creator{number:02}"), start, start)
    return await store.claim_due(start, LEASE, count, "test")


def later(claim, start):
    return claim.watch.model_copy(update={"next_check_at": start + timedelta(seconds=60)})


async def test_saves_at_once_are_few_transactions(tmp_path, start, monkeypatch):
    async with open_sqlite(tmp_path / "w.db", MIGRATIONS) as database:
        store = SqliteWatchStore(database)
        held = await claims(store, start, 40)
        commits, commit = [], database.connection.commit

        async def counted():
            commits.append(1)
            await commit()

        monkeypatch.setattr(database.connection, "commit", counted)
        await asyncio.gather(*(store.save(claim, later(claim, start), []) for claim in held))
        assert len(commits) <= 3
        assert await store.claim_due(start, LEASE, 40, "test") == []


async def test_one_who_is_cancelled_takes_no_other_along(store, start):
    held = await claims(store, start, 10)
    saves = [asyncio.create_task(store.save(claim, later(claim, start), [])) for claim in held]
    await asyncio.sleep(0)
    saves[0].cancel()
    saves[5].cancel()
    outcomes = await asyncio.gather(*saves, return_exceptions=True)
    assert [outcome for n, outcome in enumerate(outcomes) if n not in (0, 5)] == [None] * 8
    moved = [watch.handle for watch in await store.list() if watch.next_check_at > start]
    assert {claim.watch.handle for n, claim in enumerate(held) if n not in (0, 5)} <= set(moved)


async def test_a_write_that_fails_is_told_to_all_and_the_next_one_works(store, start, monkeypatch):
    held = await claims(store, start, 3)
    working, failures = store._database.enqueue, iter([OSError("disk full")])

    async def enqueue(events):
        if error := next(failures, None):
            raise error
        await working(events)

    monkeypatch.setattr(store._database, "enqueue", enqueue)
    event = object()
    outcomes = await asyncio.gather(
        *(store.save(claim, later(claim, start), [event]) for claim in held), return_exceptions=True
    )
    assert OSError in {type(outcome) for outcome in outcomes}
    for claim in held:
        assert (await store.get(claim.watch.handle)).next_check_at in (start, later(claim, start).next_check_at)
    monkeypatch.undo()
    await store.save(held[0], later(held[0], start), [])


async def test_a_database_of_the_first_version_is_brought_up_to_date(tmp_path, start):
    path = tmp_path / "old.db"
    with closing(sqlite3.connect(path)) as old:
        for statement in (OUTBOX_TABLE, *MIGRATIONS[0], "PRAGMA user_version = 1"):
            old.execute(statement)
        for handle, creator_id in (("ann", "42"), ("old.ann", "42"), ("bob", None), ("cid", "44")):
            body = new_watch(Follow(handle=handle, creator_id=creator_id), start)
            body = body.model_dump_json(exclude={"since", "live_hours", "merged_with", "evidence"})
            old.execute("INSERT INTO watches (handle, body, followed_at) VALUES (?, ?, '')", (handle, body))
        old.commit()
    async with open_sqlite_watches(path) as store:
        assert {watch.handle: watch.creator_id for watch in await store.list()} == {
            "ann": "42",
            "old.ann": None,
            "bob": None,
            "cid": "44",
        }
        assert len(await store.claim_due(start, LEASE, 10, "test")) == 4


async def test_a_newer_database_is_left_alone(tmp_path):
    path = tmp_path / "new.db"
    with closing(sqlite3.connect(path)) as new:
        new.execute("PRAGMA user_version = 99")
    with pytest.raises(SchemaTooNew):
        async with open_sqlite_watches(path):
            pass
