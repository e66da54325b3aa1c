"""Watches in MongoDB: one document each, its events in the document's own `outbox` until they are published."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

from pymongo import ASCENDING
from wentlive_common.events import AnyEvent
from wentlive_common.ids import new_ulid
from wentlive_common.model import to_rfc3339
from wentlive_common.mongo import (
    Database,
    Document,
    MongoOutbox,
    mongo_errors,
    mongo_ready,
    open_mongo,
    push_outbox,
    retry_duplicate,
)

from wentlive_watcher.domain import Follow, Watch, new_watch
from wentlive_watcher.ports import Claim, ClaimLost

# Times are RFC 3339 of one width, so that they compare as text: the watch is stored just as it is written elsewhere.
FREE: Document = {"claim": None, "claimed_by": None, "leased_until": ""}


class MongoWatchStore(MongoOutbox):
    """`WatchStore` over MongoDB. Who is unfollowed stays, marked so, until the document's outbox is empty."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._watches = database["watches"]
        super().__init__(self._watches)

    async def create_indexes(self) -> None:
        with mongo_errors():
            await super().create_indexes()
            await self._watches.create_index([("handle", ASCENDING)], unique=True)
            await self._watches.create_index([("followed", ASCENDING), ("watch.next_check_at", ASCENDING)])

    async def follow(self, follow: Follow, at: datetime, now: datetime) -> bool:
        moment = to_rfc3339(at)
        fresh = {**FREE, "followed": True, "followed_at": moment, "watch": _to_document(new_watch(follow, now))}
        with mongo_errors():
            again = await self._watches.update_one({"handle": follow.handle, "followed": False}, {"$set": fresh})
            if again.modified_count:
                return True
            created = await retry_duplicate(
                lambda: self._watches.update_one(
                    {"handle": follow.handle}, {"$setOnInsert": {**fresh, "outbox": []}}, upsert=True
                )
            )
            if created.upserted_id is not None:
                return True
            await self._watches.update_one(
                {"handle": follow.handle, "followed": True, "followed_at": {"$lt": moment}},
                {"$set": {"followed_at": moment}},
            )
            return False

    async def unfollow(self, handle: str, at: datetime) -> bool:
        with mongo_errors():
            result = await self._watches.update_one(
                {"handle": handle, "followed": True, "followed_at": {"$lte": to_rfc3339(at)}},
                {"$set": {**FREE, "followed": False}},
            )
            await self._watches.delete_many({"followed": False, "outbox.0": {"$exists": False}})
            return result.modified_count > 0

    async def watched(self) -> Mapping[str, datetime]:
        with mongo_errors():
            cursor = self._watches.find({"followed": True}, {"handle": 1, "followed_at": 1})
            return {str(found["handle"]): datetime.fromisoformat(found["followed_at"]) async for found in cursor}

    async def claim_due(self, now: datetime, lease: timedelta, limit: int, owner: str) -> Sequence[Claim]:
        token, moment = new_ulid(), to_rfc3339(now)
        due: Document = {"followed": True, "watch.next_check_at": {"$lte": moment}, "leased_until": {"$lte": moment}}
        claimed = {"claim": token, "claimed_by": owner, "leased_until": to_rfc3339(now + lease)}
        with mongo_errors():
            cursor = self._watches.find(due, {"_id": 1}).sort("watch.next_check_at", ASCENDING).limit(limit)
            ids = [found["_id"] async for found in cursor]
            if not ids:
                return []
            # Each document is tested again as it is written: of two watchers that saw it due, one gets it.
            await self._watches.update_many({**due, "_id": {"$in": ids}}, {"$set": claimed})
            mine = self._watches.find({"_id": {"$in": ids}, "claim": token}).sort("watch.next_check_at", ASCENDING)
            return [Claim(_to_watch(found), token) async for found in mine]

    async def save(self, claim: Claim, watch: Watch, events: Sequence[AnyEvent]) -> None:
        with mongo_errors():
            result = await self._watches.update_one(
                {"handle": claim.watch.handle, "followed": True, "claim": claim.token},
                {"$set": {**FREE, "watch": _to_document(watch)}, **push_outbox(events)},
            )
        if not result.matched_count:
            raise ClaimLost

    async def expedite(self, handle: str, now: datetime) -> bool:
        with mongo_errors():
            result = await self._watches.update_one(
                {"handle": handle, "followed": True}, {"$min": {"watch.next_check_at": to_rfc3339(now)}}
            )
        return result.matched_count > 0

    async def get(self, handle: str) -> Watch | None:
        with mongo_errors():
            found = await self._watches.find_one({"handle": handle, "followed": True})
        return _to_watch(found) if found else None

    async def list(self, limit: int = 100, after: str = "") -> Sequence[Watch]:
        with mongo_errors():
            cursor = self._watches.find({"followed": True, "handle": {"$gt": after}}).sort("handle", ASCENDING)
            return [_to_watch(found) async for found in cursor.limit(limit)]

    async def open_broadcasts(self) -> int:
        with mongo_errors():
            return await self._watches.count_documents({"followed": True, "watch.broadcast": {"$ne": None}})

    async def ready(self) -> bool:
        with mongo_errors():
            return await mongo_ready(self._database)


def _to_document(watch: Watch) -> dict[str, Any]:
    return watch.model_dump(mode="json")


def _to_watch(document: Document) -> Watch:
    return Watch.model_validate(document["watch"])


@asynccontextmanager
async def open_mongo_watches(url: str) -> AsyncGenerator[MongoWatchStore]:
    async with open_mongo(url) as database:
        store = MongoWatchStore(database)
        await store.create_indexes()
        yield store
