"""Databases of older releases are brought up to date; a lost index comes back; one from the future is refused."""

from datetime import UTC, datetime
from pathlib import Path

import aiosqlite
import pytest
from pymongo import AsyncMongoClient
from structlog.testing import capture_logs
from wentlive_catalog.adapters import sqlite_schema
from wentlive_catalog.adapters.mongo_catalog import open_mongo_catalog
from wentlive_catalog.adapters.sqlite_catalog import open_sqlite_catalog
from wentlive_catalog.domain.library import RecordingFilter
from wentlive_catalog.domain.recordings import Recording, recorded
from wentlive_catalog.testing import RecordingStory
from wentlive_common import mongo, sqlite
from wentlive_common.events import RecordingData
from wentlive_common.ids import new_ulid
from wentlive_common.mongo import IndexRefused, MongoIndex, ensure_indexes, open_mongo
from wentlive_common.mongo import SchemaTooNew as MongoTooNew
from wentlive_common.sqlite import SchemaDamaged, SchemaTooNew, open_sqlite

AT = datetime(2026, 11, 20, 20, 0, tzinfo=UTC)


def old_recording() -> Recording:
    event = RecordingStory("owl", "7", "8", AT, title="ramen").requested()
    assert isinstance(event.data, RecordingData)
    return recorded(None, event.data).model_copy(update={"version": 1})


async def test_the_first_sqlite_layout_is_taken_over(tmp_path: Path) -> None:
    known = old_recording()
    async with open_sqlite(tmp_path / "old.db", [sqlite_schema.FIRST]) as database, database.write() as connection:
        await connection.execute(
            "INSERT INTO recordings (recording_id, handle, state, version, body) VALUES (?, 'owl', 'requested', 1, ?)",
            (known.recording_id, known.model_dump_json()),
        )
    async with open_sqlite_catalog(tmp_path / "old.db") as store:
        assert (await store.recordings(RecordingFilter(text="ramen", handle="owl"), 5)).items == (known,)
        await store.save_recording(known)


async def test_the_first_mongo_layout_is_taken_over(mongodb_url: str) -> None:
    url, known = f"{mongodb_url.rstrip('/')}/catalog_{new_ulid()}", old_recording()
    async with open_mongo(url) as database:
        await database["recordings"].create_index([("handle", 1), ("_id", -1)])
        document = known.model_dump(mode="python", exclude={"name", "pinned", "deleted_at", "deleted_by"})
        await database["recordings"].insert_one({"_id": known.recording_id, **document, "outbox": []})
    async with open_mongo_catalog(url) as store, open_mongo(url) as database:
        assert (await store.recordings(RecordingFilter(text="ramen", handle="owl"), 5)).items == (known,)
        assert "handle_1__id_-1" not in await database["recordings"].index_information()
        await store.save_recording(known)


async def test_a_lost_index_and_trigger_are_made_again(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    async with open_sqlite_catalog(path):
        pass
    async with aiosqlite.connect(path) as connection:
        await connection.execute("DROP INDEX facts_by_bytes")
        await connection.execute("DROP TRIGGER facts_reworded")
        await connection.commit()
    with capture_logs() as logs:
        async with open_sqlite_catalog(path):
            pass
    assert {entry["missing"] for entry in logs if entry["event"] == "schema_mended"} == {
        "facts_by_bytes", "facts_reworded",
    }  # fmt: skip


async def test_a_lost_table_and_a_newer_schema_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    async with open_sqlite_catalog(path):
        pass
    async with aiosqlite.connect(path) as connection:
        await connection.execute("DROP TABLE follows")
        await connection.commit()
    with pytest.raises(SchemaDamaged, match="follows"):
        async with open_sqlite_catalog(path):
            pass
    async with aiosqlite.connect(path) as connection:
        await connection.execute("PRAGMA user_version = 99")
    with pytest.raises(SchemaTooNew, match="99"):
        async with open_sqlite_catalog(path):
            pass


async def test_mongo_tells_of_a_newer_schema_and_of_an_index_it_cannot_make(mongodb_url: str) -> None:
    url = f"{mongodb_url.rstrip('/')}/catalog_{new_ulid()}"
    async with open_mongo(url) as database:
        await database["meta"].insert_one({"_id": "schema", "version": 99})
        with pytest.raises(MongoTooNew, match="99"):
            async with open_mongo_catalog(url):
                pass
        await database["things"].insert_many([{"name": "one"}, {"name": "one"}])
        with pytest.raises(IndexRefused, match="things cannot get the index name_1"):
            await ensure_indexes(database["things"], [MongoIndex((("name", 1),), unique=True)])


async def test_slow_queries_are_logged_without_values(
    tmp_path: Path, mongodb_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "SLOW_SECONDS", 0.0)
    monkeypatch.setattr(mongo, "SLOW_SECONDS", 0.0)
    secret = RecordingFilter(handle="secret.name", text="secretword")
    with capture_logs() as logs:
        async with open_sqlite_catalog(tmp_path / "catalog.db") as store:
            await store.recordings(secret, 5)
        async with open_mongo_catalog(f"{mongodb_url.rstrip('/')}/catalog_{new_ulid()}") as store:
            await store.recordings(secret, 5)
            await store.totals(secret)
    slow = [entry for entry in logs if entry["event"] == "slow_query"]
    assert any("recording_facts" in entry.get("sql", "") for entry in slow)
    assert {entry.get("command") for entry in slow} >= {"find", "aggregate"}
    assert "secret" not in repr(slow)


async def test_nothing_is_remembered_of_a_command_that_failed(mongodb_url: str) -> None:
    listener = mongo.SlowCommands()
    async with AsyncMongoClient[mongo.Document](mongodb_url, event_listeners=[listener]) as client:
        with pytest.raises(Exception, match="no such"):
            await client["x"].command("nonsense")
    assert listener._shapes == {}  # pyright: ignore[reportPrivateUsage]
