"""Watches in MongoDB: one document each, its events in the document's own `outbox` until they are published."""

from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

from pymongo import ASCENDING, ReturnDocument
from wentlive_common.capture import Wishes
from wentlive_common.errors import AlreadyExists
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

from wentlive_watcher.domain import Follow, Watch, merged, new_watch, taken_over
from wentlive_watcher.ports import Claim, ClaimLost, SameCreator

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
            await self._watches.create_index([("creator_id", ASCENDING)], unique=True, sparse=True)
            await self._watches.create_index([("watch.merged_with", ASCENDING)])
            await self._watches.create_index([("asked_at", ASCENDING)], sparse=True)

    async def follow(self, follow: Follow, at: datetime, now: datetime) -> bool:
        moment, watch = to_rfc3339(at), new_watch(follow, now)
        if follow.creator_id and await self.holder(follow.creator_id):
            watch = merged(watch, follow.creator_id, now)
        fresh = {
            **FREE, "followed": True, "followed_at": moment, "asked_at": to_rfc3339(now), **_named(watch),
            "wishes": follow.wishes.model_dump(mode="json"),
        }  # fmt: skip
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

    async def wish(self, handle: str, wishes: Wishes) -> bool:
        wanted = wishes.model_dump(mode="json")
        with mongo_errors():
            found = await self._watches.find_one({"handle": handle, "followed": True})
            if found is None or _to_watch(found).wishes == wishes:
                return False
            result = await self._watches.update_one({"handle": handle, "followed": True}, {"$set": {"wishes": wanted}})
        return result.matched_count > 0

    async def wishes(self) -> Mapping[str, Wishes]:
        with mongo_errors():
            cursor = self._watches.find({"followed": True}, {"handle": 1, "wishes": 1})
            return {str(found["handle"]): Wishes.model_validate(found.get("wishes", {})) async for found in cursor}

    async def unfollow(self, handle: str, at: datetime) -> bool:
        with mongo_errors():
            gone = await self._watches.find_one_and_update(
                {"handle": handle, "followed": True, "followed_at": {"$lte": to_rfc3339(at)}},
                {"$set": {**FREE, "followed": False}, "$unset": {"creator_id": "", "asked_at": ""}},
                return_document=ReturnDocument.BEFORE,
            )
            if gone is not None:
                await self._hand_over(_to_watch(gone))
            await self._watches.delete_many({"followed": False, "outbox.0": {"$exists": False}})
            return gone is not None

    async def _hand_over(self, watch: Watch) -> None:
        """Dying before this costs what was known: the one merged with it finds out by itself that it is alone."""
        if watch.creator_id is None:
            return
        merged_with: Document = {"followed": True, "watch.merged_with": watch.creator_id}
        found = await self._watches.find_one(merged_with)
        if found is not None:
            heir = taken_over(watch, _to_watch(found))
            await self._watches.update_one({"_id": found["_id"], **merged_with}, {"$set": {**FREE, **_named(heir)}})

    async def watched(self) -> Mapping[str, datetime]:
        with mongo_errors():
            cursor = self._watches.find({"followed": True}, {"handle": 1, "followed_at": 1})
            return {str(found["handle"]): datetime.fromisoformat(found["followed_at"]) async for found in cursor}

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
        token, moment = new_ulid(), to_rfc3339(now)
        order = "asked_at" if asked_for else "watch.next_check_at"
        wanted: Document = {"$gt": ""} if asked_for else {"$lte": moment}
        due: Document = {"followed": True, order: wanted, "leased_until": {"$lte": moment}}
        if busy:
            due["watch.egress"] = {"$nin": sorted(busy)}
        claimed = {"claim": token, "claimed_by": owner, "leased_until": to_rfc3339(now + lease)}
        with mongo_errors():
            cursor = self._watches.find(due, {"_id": 1}).sort(order, ASCENDING).limit(limit)
            ids = [found["_id"] async for found in cursor]
            if not ids:
                return []
            # Each document is tested again as it is written: of two watchers that saw it due, one gets it.
            await self._watches.update_many({**due, "_id": {"$in": ids}}, {"$set": claimed})
            mine = self._watches.find({"_id": {"$in": ids}, "claim": token}).sort("watch.next_check_at", ASCENDING)
            return [Claim(_to_watch(found), token) async for found in mine]

    async def give_back(self, claims: Sequence[Claim]) -> None:
        handles = [claim.watch.handle for claim in claims]
        tokens = sorted({claim.token for claim in claims})
        with mongo_errors():
            held: Document = {"handle": {"$in": handles}, "claim": {"$in": tokens}}
            await self._watches.update_many(held, {"$set": FREE})

    async def save(self, claim: Claim, watch: Watch, events: Sequence[AnyEvent]) -> None:
        unset = {"asked_at": ""} if watch.creator_id else {"asked_at": "", "creator_id": ""}
        try:
            with mongo_errors():
                result = await self._watches.update_one(
                    {"handle": claim.watch.handle, "followed": True, "claim": claim.token},
                    {"$set": {**FREE, **_named(watch)}, "$unset": unset, **push_outbox(events)},
                )
        except AlreadyExists as error:
            raise SameCreator from error
        if not result.matched_count:
            raise ClaimLost

    async def expedite(self, handle: str, now: datetime) -> bool:
        watch = await self.get(handle)
        if watch is None:
            return False
        whom: Document = {"creator_id": watch.merged_with} if watch.merged_with else {"handle": handle}
        with mongo_errors():
            result = await self._watches.update_one({**whom, "followed": True}, {"$min": {"asked_at": to_rfc3339(now)}})
        return result.matched_count > 0

    async def recall(self, now: datetime, due_by: datetime, leased_by: datetime) -> int:
        with mongo_errors():
            await self._watches.update_many({"leased_until": {"$gt": to_rfc3339(leased_by)}}, {"$set": FREE})
            result = await self._watches.update_many(
                {"followed": True, "watch.next_check_at": {"$gt": to_rfc3339(due_by)}},
                {"$set": {"watch.next_check_at": to_rfc3339(now)}},
            )
        return result.modified_count

    async def holder(self, creator_id: str) -> Watch | None:
        with mongo_errors():
            found = await self._watches.find_one({"creator_id": creator_id, "followed": True})
        return _to_watch(found) if found else None

    async def find(self, handles: Sequence[str]) -> Sequence[Watch]:
        with mongo_errors():
            cursor = self._watches.find({"followed": True, "handle": {"$in": list(handles)}})
            return [_to_watch(found) async for found in cursor.sort("handle", ASCENDING)]

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


def _named(watch: Watch) -> dict[str, Any]:
    """The watch, and beside it the creator whom no other may have: absent, not null, where there is none."""
    creator = {"creator_id": watch.creator_id} if watch.creator_id else {}
    return {"watch": watch.model_dump(mode="json"), **creator}


def _to_watch(document: Document) -> Watch:
    """The wishes stand beside the watch, so that a check that saves it whole leaves them as they are."""
    return Watch.model_validate({**document["watch"], "wishes": document.get("wishes", {})})


@asynccontextmanager
async def open_mongo_watches(url: str) -> AsyncGenerator[MongoWatchStore]:
    async with open_mongo(url) as database:
        store = MongoWatchStore(database)
        await store.create_indexes()
        yield store
