"""The catalog's store in MongoDB: the models are the documents, their events ride in them until published."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TypeVar

from pymongo import ASCENDING, DESCENDING
from wentlive_common.errors import Conflict
from wentlive_common.events import AnyEvent
from wentlive_common.model import Model, UtcDatetime
from wentlive_common.mongo import (
    Collection,
    Database,
    Document,
    MongoOutbox,
    mongo_errors,
    mongo_ready,
    open_mongo,
    outbox_entries,
    push_outbox,
)

from wentlive_catalog.domain.creators import Creator
from wentlive_catalog.domain.recordings import Recording
from wentlive_catalog.domain.sessions import Session
from wentlive_catalog.ports import RecordingFilter, RecordingPage

ModelT = TypeVar("ModelT", Creator, Recording)


class MongoCatalog:
    """`CatalogStore` over one database; any number of catalogs may share it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._creators = database["creators"]
        self._recordings = database["recordings"]
        self._sessions = database["sessions"]
        self._outboxes = (MongoOutbox(self._creators), MongoOutbox(self._recordings))

    async def create_indexes(self) -> None:
        with mongo_errors():
            await self._creators.create_index([("creator_id", ASCENDING)])
            await self._creators.create_index([("followers", ASCENDING)])
            await self._recordings.create_index([("handle", ASCENDING), ("_id", DESCENDING)])
            await self._recordings.create_index([("state", ASCENDING), ("_id", DESCENDING)])
            await self._sessions.create_index([("expires_at", ASCENDING)])
            for outbox in self._outboxes:
                await outbox.create_indexes()

    async def creator(self, handle: str) -> Creator | None:
        return await _find_one(self._creators, {"_id": handle}, Creator)

    async def creators_by_id(self, creator_id: str) -> tuple[Creator, ...]:
        return await self._find_creators({"creator_id": creator_id})

    async def creators(self, handles: Sequence[str]) -> dict[str, Creator]:
        found = await self._find_creators({"_id": {"$in": list(handles)}})
        return {creator.handle: creator for creator in found}

    async def followed_creators(self, follower: str | None = None) -> tuple[Creator, ...]:
        return await self._find_creators({"followers": follower} if follower else {"followers.0": {"$exists": True}})

    async def _find_creators(self, query: Document) -> tuple[Creator, ...]:
        with mongo_errors():
            cursor = self._creators.find(query, {"outbox": 0}).sort("_id", ASCENDING)
            return tuple([Creator.model_validate(document) async for document in cursor])

    async def save_creator(self, creator: Creator, events: Sequence[AnyEvent] = ()) -> Creator:
        return await _save(self._creators, creator.handle, creator, events)

    async def recording(self, recording_id: str) -> Recording | None:
        return await _find_one(self._recordings, {"_id": recording_id}, Recording)

    async def recordings(self, wanted: RecordingFilter, limit: int, below: str | None = None) -> RecordingPage:
        query: Document = {}
        if wanted.handle:
            query["handle"] = wanted.handle
        if wanted.states:
            query["state"] = {"$in": list(wanted.states)}
        if below:
            query["_id"] = {"$lt": below}
        with mongo_errors():
            cursor = self._recordings.find(query, {"outbox": 0}).sort("_id", DESCENDING).limit(limit + 1)
            found = [Recording.model_validate(document) async for document in cursor]
        items = tuple(found[:limit])
        return RecordingPage(items=items, next=items[-1].recording_id if len(found) > limit else None)

    async def save_recording(self, recording: Recording, events: Sequence[AnyEvent] = ()) -> Recording:
        return await _save(self._recordings, recording.recording_id, recording, events)

    async def open_session(self, session: Session) -> None:
        with mongo_errors():
            await self._sessions.insert_one({"_id": session.token_hash, **_document(session)})

    async def session(self, token_hash: str) -> Session | None:
        with mongo_errors():
            document = await self._sessions.find_one({"_id": token_hash})
        return Session.model_validate(document) if document else None

    async def close_session(self, token_hash: str) -> None:
        with mongo_errors():
            await self._sessions.delete_one({"_id": token_hash})

    async def forget_sessions(self, expired_before: UtcDatetime) -> int:
        with mongo_errors():
            result = await self._sessions.delete_many({"expires_at": {"$lt": expired_before}})
        return result.deleted_count

    async def pending(self, limit: int) -> Sequence[AnyEvent]:
        events = [event for outbox in self._outboxes for event in await outbox.pending(limit)]
        return events[:limit]

    async def clear(self, ids: Sequence[str]) -> None:
        for outbox in self._outboxes:
            await outbox.clear(ids)

    async def ready(self) -> bool:
        return await mongo_ready(self._database)


def _document(model: Model) -> Document:
    """Python values, so that moments stay dates; pydantic's tuples become arrays."""
    return model.model_dump(mode="python")


async def _find_one(collection: Collection, query: Mapping[str, object], model: type[ModelT]) -> ModelT | None:
    with mongo_errors():
        document = await collection.find_one(query, {"outbox": 0}, sort=[("_id", ASCENDING)])
    return model.model_validate(document) if document else None


async def _save(collection: Collection, key: str, model: ModelT, events: Sequence[AnyEvent]) -> ModelT:
    saved = model.model_copy(update={"version": model.version + 1})
    with mongo_errors():
        if model.version == 0:
            # A second insert of the key raises AlreadyExists, which is a Conflict.
            await collection.insert_one({"_id": key, **_document(saved), "outbox": outbox_entries(events)})
            return saved
        update = {"$set": _document(saved), **push_outbox(events)}
        result = await collection.update_one({"_id": key, "version": model.version}, update)
    if result.matched_count != 1:
        raise Conflict
    return saved


@asynccontextmanager
async def open_mongo_catalog(url: str) -> AsyncGenerator[MongoCatalog]:
    async with open_mongo(url) as database:
        store = MongoCatalog(database)
        await store.create_indexes()
        yield store
