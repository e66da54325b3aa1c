"""What our MongoDB adapters rely on, checked against the server that stands behind them here."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta, timezone
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from bson import Int64
from pymongo import ASCENDING, DESCENDING, AsyncMongoClient, InsertOne, ReturnDocument, UpdateOne
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import BulkWriteError, DuplicateKeyError
from wentlive_devkit.servers import MongoServer

Document = dict[str, Any]
Database = AsyncDatabase[Document]
DUPLICATE_KEY = 11000
NOON = datetime(2026, 11, 20, 12, 0, 0, 123_000, tzinfo=UTC)


@pytest.fixture
async def database(mongodb_url: str, request: pytest.FixtureRequest) -> AsyncGenerator[Database]:
    """An empty database, dropped afterwards."""
    async with AsyncMongoClient[Document](mongodb_url, tz_aware=True, serverSelectionTimeoutMS=5_000) as client:
        name = f"test_{abs(hash(request.node.nodeid)) % 10**9}"
        await client.drop_database(name)
        yield client[name]
        await client.drop_database(name)


async def ids(collection: AsyncCollection[Document], query: Document) -> list[Any]:
    return [document["_id"] async for document in collection.find(query).sort("_id")]


class TestTypes:
    async def test_datetimes_keep_milliseconds_and_come_back_aware(self, database: Database) -> None:
        there = NOON.astimezone(timezone(timedelta(hours=5, minutes=30)))
        await database.c.insert_one({"_id": 1, "at": there})
        found = await database.c.find_one({"_id": 1})
        assert found is not None
        assert found == {"_id": 1, "at": NOON}
        assert found["at"].utcoffset() == timedelta(0)

    async def test_datetimes_are_still_datetimes_after_set(self, database: Database) -> None:
        await database.c.insert_one({"_id": 1})
        await database.c.update_one({"_id": 1}, {"$set": {"at": NOON, "n.at": NOON}})
        assert await database.c.find_one({"at": NOON, "n.at": {"$gte": NOON}}) == {
            "_id": 1,
            "at": NOON,
            "n": {"at": NOON},
        }

    async def test_numbers_booleans_none_and_bytes_keep_their_types(self, database: Database) -> None:
        document: Document = {
            "big": Int64(2**62),
            "small": 7,
            "ratio": 1.5,
            "whole": 2.0,
            "yes": True,
            "none": None,
            "raw": b"\x00\xff",
        }
        await database.c.insert_one({"_id": 1})
        await database.c.update_one({"_id": 1}, {"$set": document})
        found = await database.c.find_one({"_id": 1}, {"_id": False})
        assert found is not None
        assert found == document
        assert {key: type(value) for key, value in found.items()} == {
            key: type(value) for key, value in document.items()
        }

    async def test_unicode_dots_and_empty_values_survive(self, database: Database) -> None:
        document: Document = {"_id": "a.b", "title": "ライブ 🎥 \u0000", "empty": "", "list": [], "map": {}}
        await database.c.insert_one(document)
        assert await database.c.find_one({"title": "ライブ 🎥 \u0000"}) == document


class TestUniqueness:
    async def test_same_id_is_a_duplicate_key(self, database: Database) -> None:
        await database.c.insert_one({"_id": "x"})
        with pytest.raises(DuplicateKeyError) as caught:
            await database.c.insert_one({"_id": "x"})
        assert caught.value.code == DUPLICATE_KEY

    async def test_unique_index_refuses_a_second(self, database: Database) -> None:
        await database.c.create_index("handle", unique=True)
        await database.c.insert_one({"_id": 1, "handle": "ann"})
        with pytest.raises(DuplicateKeyError) as caught:
            await database.c.insert_one({"_id": 2, "handle": "ann"})
        assert caught.value.code == DUPLICATE_KEY
        assert await ids(database.c, {}) == [1]

    async def test_compound_unique_index(self, database: Database) -> None:
        await database.c.create_index([("creator", ASCENDING), ("room", ASCENDING)], unique=True)
        await database.c.insert_many([{"_id": 1, "creator": "a", "room": "1"}, {"_id": 2, "creator": "a", "room": "2"}])
        with pytest.raises(DuplicateKeyError):
            await database.c.insert_one({"_id": 3, "creator": "a", "room": "2"})

    async def test_unique_index_on_a_nested_field(self, database: Database) -> None:
        await database.c.create_index("profile.handle", unique=True)
        await database.c.insert_one({"_id": 1, "profile": {"handle": "ann"}})
        with pytest.raises(DuplicateKeyError):
            await database.c.insert_one({"_id": 2, "profile": {"handle": "ann"}})

    async def test_update_into_a_duplicate_is_refused(self, database: Database) -> None:
        await database.c.create_index("handle", unique=True)
        await database.c.insert_many([{"_id": 1, "handle": "ann"}, {"_id": 2, "handle": "bob"}])
        with pytest.raises(DuplicateKeyError):
            await database.c.update_one({"_id": 2}, {"$set": {"handle": "ann"}})
        with pytest.raises(DuplicateKeyError):
            await database.c.find_one_and_update({"_id": 2}, {"$set": {"handle": "ann"}})

    async def test_sparse_unique_index_ignores_absent_fields(self, database: Database) -> None:
        await database.c.create_index("token", unique=True, sparse=True)
        await database.c.insert_many([{"_id": 1}, {"_id": 2}, {"_id": 3, "token": "t"}])
        with pytest.raises(DuplicateKeyError):
            await database.c.insert_one({"_id": 4, "token": "t"})

    async def test_creating_an_index_again_changes_nothing(self, database: Database) -> None:
        names = {await database.c.create_index("handle", unique=True, name="by_handle") for _ in range(3)}
        assert names == {"by_handle"}
        assert set(await database.c.index_information()) == {"_id_", "by_handle"}

    async def test_racing_upserts_by_unique_field_leave_one(self, database: Database) -> None:
        await database.c.create_index([("creator", ASCENDING), ("room", ASCENDING)], unique=True)

        async def upsert(number: int) -> bool:
            key = {"creator": "a", "room": "1"}
            try:
                result = await database.c.update_one(key, {"$setOnInsert": {"_id": f"r{number}"}}, upsert=True)
            except DuplicateKeyError:
                return False
            return result.upserted_id is not None

        created = await asyncio.gather(*(upsert(number) for number in range(20)))
        assert sum(created) == 1
        assert await database.c.count_documents({}) == 1

    async def test_racing_inserts_by_id_leave_one(self, database: Database) -> None:
        async def insert() -> bool:
            try:
                await database.c.insert_one({"_id": "lock"})
            except DuplicateKeyError:
                return False
            return True

        assert sum(await asyncio.gather(*(insert() for _ in range(20)))) == 1


class TestUpdates:
    async def test_set_on_insert_only_counts_for_the_first(self, database: Database) -> None:
        change = {"$set": {"seen": 2}, "$setOnInsert": {"created": NOON}}
        first = await database.c.update_one(
            {"_id": "a"}, {"$set": {"seen": 1}, "$setOnInsert": {"created": NOON}}, upsert=True
        )
        second = await database.c.update_one({"_id": "a"}, change, upsert=True)
        assert (first.upserted_id, first.matched_count) == ("a", 0)
        assert (second.upserted_id, second.matched_count, second.modified_count) == (None, 1, 1)
        assert await database.c.find_one() == {"_id": "a", "seen": 2, "created": NOON}

    async def test_an_update_that_changes_nothing_matches_but_modifies_nothing(self, database: Database) -> None:
        await database.c.insert_one({"_id": 1, "n": 1})
        result = await database.c.update_one({"_id": 1}, {"$set": {"n": 1}})
        assert (result.matched_count, result.modified_count) == (1, 0)

    async def test_inc_max_min_unset(self, database: Database) -> None:
        await database.c.insert_one(
            {"_id": 1, "n": 1, "hi": 5, "lo": 5, "at": NOON, "gone": 1, "deep": {"gone": 1, "kept": 2}}
        )
        later = NOON + timedelta(milliseconds=1)
        change = {
            "$inc": {"n": 2, "new": 1},
            "$max": {"hi": 9, "at": later},
            "$min": {"lo": 9},
            "$unset": {"gone": "", "deep.gone": ""},
        }
        await database.c.update_one({"_id": 1}, change)
        assert await database.c.find_one() == {
            "_id": 1, "n": 3, "new": 1, "hi": 9, "lo": 5, "at": later, "deep": {"kept": 2}
        }  # fmt: skip

    async def test_push_each_pull_and_add_to_set(self, database: Database) -> None:
        await database.c.insert_one({"_id": 1, "outbox": [], "tags": ["x"]})
        await database.c.update_one(
            {"_id": 1}, {"$push": {"outbox": {"$each": [{"id": "1"}, {"id": "2"}, {"id": "3"}]}}}
        )
        await database.c.update_one({"_id": 1}, {"$pull": {"outbox": {"id": {"$in": ["1", "3"]}}}})
        await database.c.update_one({"_id": 1}, {"$addToSet": {"tags": "x"}, "$push": {"outbox": {"id": "4"}}})
        await database.c.update_one({"_id": 1}, {"$addToSet": {"tags": {"$each": ["y", "x"]}}})
        assert await database.c.find_one() == {"_id": 1, "outbox": [{"id": "2"}, {"id": "4"}], "tags": ["x", "y"]}

    async def test_pull_by_equal_field_of_an_embedded_document(self, database: Database) -> None:
        await database.c.insert_one({"_id": 1, "outbox": [{"id": "1", "n": 1}, {"id": "2", "n": 2}]})
        result = await database.c.update_one({"_id": 1}, {"$pull": {"outbox": {"id": "1"}}})
        assert result.modified_count == 1
        assert await database.c.find_one() == {"_id": 1, "outbox": [{"id": "2", "n": 2}]}

    async def test_pull_of_a_plain_value(self, database: Database) -> None:
        await database.c.insert_one({"_id": 1, "followers": ["a", "b"]})
        await database.c.update_one({"_id": 1}, {"$pull": {"followers": "a"}})
        assert await database.c.find_one() == {"_id": 1, "followers": ["b"]}

    async def test_positional_update_of_the_matched_element(self, database: Database) -> None:
        await database.c.insert_one({"_id": 1, "parts": [{"n": 1, "size": 0}, {"n": 2, "size": 0}]})
        await database.c.update_one({"_id": 1, "parts.n": 2}, {"$set": {"parts.$.size": 9}})
        assert await database.c.find_one() == {"_id": 1, "parts": [{"n": 1, "size": 0}, {"n": 2, "size": 9}]}

    async def test_replace_upserts_whole_documents(self, database: Database) -> None:
        await database.c.replace_one({"_id": 1}, {"_id": 1, "v": 1, "old": True}, upsert=True)
        result = await database.c.replace_one({"_id": 1, "v": 1}, {"_id": 1, "v": 2})
        assert result.modified_count == 1
        assert (await database.c.replace_one({"_id": 1, "v": 1}, {"_id": 1, "v": 3})).matched_count == 0
        assert await database.c.find_one() == {"_id": 1, "v": 2}

    async def test_bulk_write_says_what_it_did(self, database: Database) -> None:
        result = await database.c.bulk_write(
            [
                InsertOne({"_id": 1}),
                UpdateOne({"_id": 1}, {"$set": {"n": 1}}),
                UpdateOne({"_id": 2}, {"$set": {"n": 2}}, upsert=True),
            ]
        )
        assert (result.inserted_count, result.modified_count, result.upserted_count) == (1, 1, 1)

    async def test_unordered_bulk_goes_on_after_a_duplicate(self, database: Database) -> None:
        with pytest.raises(BulkWriteError) as caught:
            await database.c.bulk_write(
                [InsertOne({"_id": 1}), InsertOne({"_id": 1}), InsertOne({"_id": 2})], ordered=False
            )
        details = caught.value.details
        assert details is not None
        assert [(error["index"], error["code"]) for error in details["writeErrors"]] == [(1, DUPLICATE_KEY)]
        assert await ids(database.c, {}) == [1, 2]

    async def test_update_many_and_delete_many_count(self, database: Database) -> None:
        await database.c.insert_many([{"_id": n, "even": n % 2 == 0} for n in range(10)])
        assert (await database.c.update_many({"even": True}, {"$set": {"x": 1}})).modified_count == 5
        assert (await database.c.delete_many({"x": 1})).deleted_count == 5
        assert (await database.c.delete_one({"_id": 1})).deleted_count == 1


class TestFindOneAndUpdate:
    async def test_takes_the_first_by_sort_and_returns_it_changed(self, database: Database) -> None:
        await database.c.insert_many([{"_id": n, "due": NOON + timedelta(seconds=-n)} for n in range(5)])
        taken = await database.c.find_one_and_update(
            {"due": {"$lte": NOON}},
            {"$set": {"owner": "me"}},
            sort=[("due", ASCENDING)],
            return_document=ReturnDocument.AFTER,
        )
        assert taken == {"_id": 4, "due": NOON - timedelta(seconds=4), "owner": "me"}

    async def test_nothing_matched_is_none(self, database: Database) -> None:
        assert await database.c.find_one_and_update({"_id": 1}, {"$set": {"a": 1}}) is None

    async def test_upsert_returns_the_new_document(self, database: Database) -> None:
        made = await database.c.find_one_and_update(
            {"_id": "k"}, {"$inc": {"n": 1}}, upsert=True, return_document=ReturnDocument.AFTER
        )
        assert made == {"_id": "k", "n": 1}

    async def test_projection(self, database: Database) -> None:
        await database.c.insert_one({"_id": 1, "n": 1, "big": "x"})
        taken = await database.c.find_one_and_update(
            {"_id": 1}, {"$inc": {"n": 1}}, projection={"n": True}, return_document=ReturnDocument.AFTER
        )
        assert taken == {"_id": 1, "n": 2}

    async def test_twenty_clients_claim_each_document_once(self, database: Database, mongodb_url: str) -> None:
        await database.c.insert_many([{"_id": n, "owner": None, "due": n} for n in range(100)])

        async def claim(worker: int) -> list[int]:
            claimed: list[int] = []
            async with AsyncMongoClient[Document](mongodb_url) as client:
                collection = client[database.name].c
                while taken := await collection.find_one_and_update(
                    {"owner": None}, {"$set": {"owner": worker}, "$inc": {"claims": 1}}, sort=[("due", ASCENDING)]
                ):
                    claimed.append(taken["_id"])
            return claimed

        claims = await asyncio.gather(*(claim(worker) for worker in range(20)))
        assert sorted(chain.from_iterable(claims)) == list(range(100))
        assert await database.c.count_documents({"claims": 1}) == 100

    async def test_increments_by_many_clients_are_not_lost(self, database: Database) -> None:
        await database.c.insert_one({"_id": 1, "n": 0})
        await asyncio.gather(*(database.c.update_one({"_id": 1}, {"$inc": {"n": 1}}) for _ in range(200)))
        assert await database.c.find_one() == {"_id": 1, "n": 200}

    async def test_one_of_many_compare_and_set_wins(self, database: Database) -> None:
        await database.c.insert_one({"_id": 1, "version": 1})
        results = await asyncio.gather(
            *(database.c.update_one({"_id": 1, "version": 1}, {"$set": {"version": 2, "by": n}}) for n in range(20))
        )
        assert sum(result.modified_count for result in results) == 1

    async def test_pushes_by_many_clients_are_not_lost(self, database: Database) -> None:
        await database.c.insert_one({"_id": 1, "outbox": []})
        await asyncio.gather(*(database.c.update_one({"_id": 1}, {"$push": {"outbox": {"id": n}}}) for n in range(100)))
        found = await database.c.find_one()
        assert found is not None
        assert sorted(entry["id"] for entry in found["outbox"]) == list(range(100))


class TestQueries:
    async def test_embedded_documents_in_arrays(self, database: Database) -> None:
        await database.c.insert_many(
            [{"_id": 1, "outbox": [{"id": "a", "n": 1}, {"id": "b", "n": 5}]}, {"_id": 2, "outbox": []}, {"_id": 3}]
        )
        assert await ids(database.c, {"outbox.id": {"$in": ["b", "z"]}}) == [1]
        assert await ids(database.c, {"outbox.id": "a"}) == [1]
        assert await ids(database.c, {"outbox.0": {"$exists": True}}) == [1]
        assert await ids(database.c, {"outbox.0": {"$exists": False}}) == [2, 3]
        assert await ids(database.c, {"outbox": {"$elemMatch": {"id": "a", "n": 1}}}) == [1]
        assert await ids(database.c, {"outbox": {"$elemMatch": {"id": "a", "n": {"$gt": 1}}}}) == []

    async def test_plain_values_in_arrays(self, database: Database) -> None:
        await database.c.insert_many([{"_id": 1, "followers": ["a", "b"]}, {"_id": 2, "followers": []}])
        assert await ids(database.c, {"followers": "a"}) == [1]
        assert await ids(database.c, {"followers": {"$size": 0}}) == [2]
        assert await ids(database.c, {"followers": {"$ne": "a"}}) == [2]

    async def test_none_matches_null_and_absent(self, database: Database) -> None:
        await database.c.insert_many([{"_id": 1, "x": None}, {"_id": 2}, {"_id": 3, "x": 0}])
        assert await ids(database.c, {"x": None}) == [1, 2]
        assert await ids(database.c, {"x": {"$exists": True}}) == [1, 3]
        assert await ids(database.c, {"x": {"$ne": None}}) == [3]

    async def test_or_and_nin_not_and_comparisons(self, database: Database) -> None:
        await database.c.insert_many([{"_id": n, "n": n, "state": "open" if n < 3 else "closed"} for n in range(6)])
        assert await ids(database.c, {"$or": [{"n": 0}, {"n": {"$gte": 5}}]}) == [0, 5]
        assert await ids(database.c, {"$and": [{"n": {"$gt": 1}}, {"n": {"$lt": 4}}]}) == [2, 3]
        assert await ids(database.c, {"state": {"$nin": ["open"]}, "n": {"$ne": 5}}) == [3, 4]
        assert await ids(database.c, {"n": {"$not": {"$gte": 1}}}) == [0]

    async def test_prefix_regex(self, database: Database) -> None:
        await database.c.insert_many([{"_id": "ann"}, {"_id": "Anne"}, {"_id": "bob"}])
        assert await ids(database.c, {"_id": {"$regex": "^an"}}) == ["ann"]
        assert await ids(database.c, {"_id": {"$regex": "^an", "$options": "i"}}) == ["Anne", "ann"]

    async def test_datetime_ranges_are_exact_to_the_millisecond(self, database: Database) -> None:
        await database.c.insert_many([{"_id": n, "at": NOON + timedelta(milliseconds=n)} for n in range(5)])
        query = {"at": {"$gt": NOON + timedelta(milliseconds=1), "$lte": NOON + timedelta(milliseconds=3)}}
        assert await ids(database.c, query) == [2, 3]

    async def test_large_integers_compare_exactly(self, database: Database) -> None:
        await database.c.insert_many([{"_id": n, "id": Int64(7_300_000_000_000_000_000 + n)} for n in range(3)])
        assert await ids(database.c, {"id": 7_300_000_000_000_000_001}) == [1]
        assert await ids(database.c, {"id": {"$gt": 7_300_000_000_000_000_001}}) == [2]

    async def test_pages_by_compound_sort_and_range(self, database: Database) -> None:
        await database.c.insert_many([{"_id": n, "at": NOON + timedelta(seconds=n // 3)} for n in range(30)])
        seen: list[int] = []
        query: Document = {}
        while page := await database.c.find(query).sort([("at", DESCENDING), ("_id", DESCENDING)]).limit(7).to_list():
            seen += [document["_id"] for document in page]
            last = page[-1]
            query = {"$or": [{"at": {"$lt": last["at"]}}, {"at": last["at"], "_id": {"$lt": last["_id"]}}]}
        assert seen == list(reversed(range(30)))

    async def test_cursor_over_many_batches(self, database: Database) -> None:
        await database.c.insert_many([{"_id": n} for n in range(1_000)])
        assert [document["_id"] async for document in database.c.find().sort("_id").batch_size(64)] == list(
            range(1_000)
        )

    async def test_projection_skip_and_count(self, database: Database) -> None:
        await database.c.insert_many([{"_id": n, "a": n, "b": {"c": n, "d": n}} for n in range(10)])
        page = await database.c.find({}, {"_id": True, "b.c": True}).sort("_id").skip(3).limit(2).to_list()
        assert page == [{"_id": 3, "b": {"c": 3}}, {"_id": 4, "b": {"c": 4}}]
        assert await database.c.count_documents({"a": {"$gte": 4}}) == 6
        assert await database.c.distinct("a", {"a": {"$lt": 3}}) == [0, 1, 2]

    async def test_group_sums_counts_and_sorts(self, database: Database) -> None:
        await database.c.insert_many(
            [{"_id": n, "who": "ab"[n % 2], "size": Int64(2**40), "keep": n > 0} for n in range(5)]
        )
        cursor = await database.c.aggregate(
            [
                {"$match": {"keep": True}},
                {"$group": {"_id": "$who", "count": {"$sum": 1}, "bytes": {"$sum": "$size"}}},
                {"$sort": {"_id": 1}},
            ]
        )
        assert await cursor.to_list() == [
            {"_id": "a", "count": 2, "bytes": 2**41},
            {"_id": "b", "count": 2, "bytes": 2**41},
        ]

    async def test_group_with_max_and_by_a_compound_id(self, database: Database) -> None:
        await database.c.insert_many([{"_id": n, "who": "a", "what": n % 2, "at": n} for n in range(4)])
        group = {"_id": {"who": "$who", "what": "$what"}, "last": {"$max": "$at"}}
        cursor = await database.c.aggregate([{"$group": group}, {"$sort": {"last": -1}}])
        assert [document["last"] for document in await cursor.to_list()] == [3, 2]


class TestDurability:
    async def test_acknowledged_writes_survive_kill_9(self, tmp_path: Path) -> None:
        async with MongoServer.start(tmp_path) as server:
            if server.pid is None:
                pytest.skip("an external server is not ours to kill")
            async with AsyncMongoClient[Document](server.url) as client:
                await client.d.c.create_index("n", unique=True)
                for n in range(50):
                    await client.d.c.insert_one({"_id": n, "n": n})
                await client.d.c.update_one({"_id": 0}, {"$set": {"done": True}})
                await server.kill()
                await server.restart()
                assert await client.d.c.count_documents({}) == 50
                assert await client.d.c.find_one({"done": True}) == {"_id": 0, "n": 0, "done": True}
                with pytest.raises(DuplicateKeyError):
                    await client.d.c.insert_one({"_id": 99, "n": 7})
