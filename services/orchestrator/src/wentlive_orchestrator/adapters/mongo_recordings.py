"""Recordings in MongoDB: one document each, with the events that are not published yet."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

from pymongo import ASCENDING, DESCENDING
from wentlive_common.errors import Conflict
from wentlive_common.events import AnyEvent
from wentlive_common.model import BroadcastKey
from wentlive_common.mongo import (
    Database,
    Document,
    MongoOutbox,
    mongo_errors,
    mongo_ready,
    open_mongo,
    outbox_entries,
    push_outbox,
    retry_duplicate,
)

from wentlive_orchestrator.adapters.mongo_lease import MongoLease
from wentlive_orchestrator.domain import CreatorCosts, Recording

_BILLED: Document = {
    "_id": "$body.broadcast.creator_id",
    "handle": {"$max": "$body.handle"},
    "attempts": {"$sum": 1},
    "vcpu_seconds": {"$sum": "$body.attempts.bill.vcpu_seconds"},
    "gb_seconds": {"$sum": "$body.attempts.bill.gb_seconds"},
    "usd": {"$sum": "$body.attempts.bill.usd"},
}


class MongoRecordings:
    """`RecordingStore` in the collection `recordings`; a recording and its events share a document."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._recordings = database["recordings"]
        self._announcements = database["announcements"]
        self._outboxes = (MongoOutbox(self._recordings), MongoOutbox(self._announcements))
        lease = MongoLease(database)
        self.lease = lease.lease
        self.swap_lease = lease.swap_lease

    async def create_indexes(self) -> None:
        with mongo_errors():
            await self._recordings.create_index([("broadcast", ASCENDING)], unique=True)
            await self._recordings.create_index([("settled", ASCENDING)])
            for outbox in self._outboxes:
                await outbox.create_indexes()

    async def create_if_absent(self, recording: Recording, events: Sequence[AnyEvent]) -> Recording:
        new = _document(recording) | {"_id": recording.recording_id, "outbox": outbox_entries(events)}
        key = {"broadcast": new.pop("broadcast")}
        with mongo_errors():
            result = await retry_duplicate(lambda: self._recordings.update_one(key, {"$setOnInsert": new}, upsert=True))
        if result.upserted_id is not None:
            return recording
        existing = await self.get_by_broadcast(recording.broadcast)
        if existing is None:
            raise Conflict
        return existing

    async def get(self, recording_id: str) -> Recording | None:
        return await self._find({"_id": recording_id})

    async def get_by_broadcast(self, broadcast: BroadcastKey) -> Recording | None:
        return await self._find({"broadcast": str(broadcast)})

    async def active(self) -> Sequence[Recording]:
        with mongo_errors():
            cursor = self._recordings.find({"settled": False}, {"body": 1}).sort("_id", ASCENDING)
            return [Recording.model_validate(document["body"]) async for document in cursor]

    async def announce(self, events: Sequence[AnyEvent]) -> None:
        with mongo_errors():
            await self._announcements.insert_one({"outbox": outbox_entries(events)})

    async def pending(self, limit: int) -> Sequence[AnyEvent]:
        events: list[AnyEvent] = []
        for outbox in self._outboxes:
            if len(events) < limit:
                events += await outbox.pending(limit - len(events))
        return events

    async def clear(self, ids: Sequence[str]) -> None:
        for outbox in self._outboxes:
            await outbox.clear(ids)
        with mongo_errors():
            await self._announcements.delete_many({"outbox": []})

    async def recent(self, limit: int, before: str = "") -> Sequence[Recording]:
        key: Document = {"_id": {"$lt": before}} if before else {}
        with mongo_errors():
            cursor = self._recordings.find(key, {"body": 1}).sort("_id", DESCENDING).limit(limit)
            return [Recording.model_validate(document["body"]) async for document in cursor]

    async def billed(self, first_id: str, end_id: str) -> Sequence[CreatorCosts]:
        with mongo_errors():
            cursor = await self._recordings.aggregate(
                [
                    {"$match": {"_id": {"$gte": first_id, "$lt": end_id}}},
                    {"$unwind": "$body.attempts"},
                    {"$match": {"body.attempts.bill": {"$exists": True}}},
                    {"$group": _BILLED},
                    {"$sort": {"_id": ASCENDING}},
                ]
            )
            return [CreatorCosts.model_validate({**sums, "creator_id": sums["_id"]}) async for sums in cursor]

    async def save(self, recording: Recording, events: Sequence[AnyEvent]) -> Recording:
        saved = recording.model_copy(update={"version": recording.version + 1})
        key = {"_id": recording.recording_id, "version": recording.version}
        with mongo_errors():
            result = await self._recordings.update_one(key, {"$set": _document(saved)} | push_outbox(events))
        if result.matched_count != 1:
            raise Conflict
        return saved

    async def ready(self) -> bool:
        with mongo_errors():
            return await mongo_ready(self._database)

    async def _find(self, key: Document) -> Recording | None:
        with mongo_errors():
            document = await self._recordings.find_one(key, {"body": 1})
        return Recording.model_validate(document["body"]) if document else None


def _document(recording: Recording) -> Document:
    return {
        "broadcast": str(recording.broadcast),
        "settled": recording.settled,
        "version": recording.version,
        "body": recording.model_dump(mode="json", exclude_none=True),
    }


@asynccontextmanager
async def open_mongo_recordings(url: str) -> AsyncGenerator[MongoRecordings]:
    async with open_mongo(url) as database:
        store = MongoRecordings(database)
        await store.create_indexes()
        yield store
