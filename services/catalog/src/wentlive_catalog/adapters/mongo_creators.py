"""Creators in MongoDB: the models are the documents, their events ride in them until published."""

from collections.abc import AsyncGenerator, Sequence

from pymongo import ASCENDING
from wentlive_common.errors import Conflict
from wentlive_common.events import AnyEvent
from wentlive_common.mongo import (
    Collection,
    Database,
    Document,
    MongoIndex,
    mongo_errors,
    outbox_entries,
    push_outbox,
)

from wentlive_catalog.domain.creators import Creator

CREATOR_INDEXES = (
    MongoIndex((("creator_id", ASCENDING),)),
    MongoIndex((("followers", ASCENDING),)),
    MongoIndex((("outbox.id", ASCENDING),)),
)


class MongoCreators:
    """`CreatorStore` over one database."""

    def __init__(self, database: Database) -> None:
        self._creators = database["creators"]

    async def creator(self, handle: str) -> Creator | None:
        with mongo_errors():
            document = await self._creators.find_one({"_id": handle}, {"outbox": 0})
        return Creator.model_validate(document) if document else None

    async def creators_by_id(self, creator_id: str) -> tuple[Creator, ...]:
        return await self._find_creators({"creator_id": creator_id})

    async def creators(self, handles: Sequence[str]) -> dict[str, Creator]:
        found = await self._find_creators({"_id": {"$in": list(handles)}})
        return {creator.handle: creator for creator in found}

    async def followed_creators(self, follower: str | None = None) -> tuple[Creator, ...]:
        return await self._find_creators({"followers": follower} if follower else {"followers.0": {"$exists": True}})

    async def save_creator(self, creator: Creator, events: Sequence[AnyEvent] = ()) -> Creator:
        saved = creator.model_copy(update={"version": creator.version + 1})
        await save_versioned(self._creators, creator.handle, creator.version, saved.model_dump(mode="python"), events)
        return saved

    async def all_creators(self) -> AsyncGenerator[Creator]:
        with mongo_errors():
            async for document in self._creators.find({}, {"outbox": 0}).sort("_id", ASCENDING):
                yield Creator.model_validate(document)

    async def _find_creators(self, query: Document) -> tuple[Creator, ...]:
        with mongo_errors():
            cursor = self._creators.find(query, {"outbox": 0}).sort("_id", ASCENDING)
            return tuple([Creator.model_validate(document) async for document in cursor])


async def save_versioned(
    collection: Collection, key: str, known: int, document: Document, events: Sequence[AnyEvent]
) -> None:
    """Stores a document over its version `known` (0: there is none yet), with its events; raises Conflict."""
    with mongo_errors():
        if known == 0:
            # A second insert of the key raises AlreadyExists, which is a Conflict.
            await collection.insert_one({"_id": key, **document, "outbox": outbox_entries(events)})
            return
        update = {"$set": document, **push_outbox(events)}
        result = await collection.update_one({"_id": key, "version": known}, update)
    if result.matched_count != 1:
        raise Conflict
