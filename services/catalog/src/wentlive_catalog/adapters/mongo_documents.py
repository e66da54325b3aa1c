"""Documents in MongoDB: a collection for each kind, the model as the document."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Generic

from pymongo import ASCENDING, DESCENDING
from wentlive_common.errors import Conflict
from wentlive_common.mongo import Collection, Database, mongo_errors

from wentlive_catalog.documents import DocumentKind, DocumentT


async def create_document_indexes(database: Database, *kinds: DocumentKind[Any]) -> None:
    with mongo_errors():
        for kind in kinds:
            for field in kind.fields:
                await database[kind.name].create_index([(field, ASCENDING), ("_id", DESCENDING)])
            if kind.moment:
                await database[kind.name].create_index([(kind.moment, ASCENDING)])


class MongoDocuments(Generic[DocumentT]):
    """`Documents` of one kind."""

    def __init__(self, database: Database, kind: DocumentKind[DocumentT]) -> None:
        self._collection: Collection = database[kind.name]
        self._kind = kind

    async def get(self, key: str) -> DocumentT | None:
        with mongo_errors():
            document = await self._collection.find_one({"_id": key})
        return self._kind.model.model_validate(document) if document else None

    async def save(self, document: DocumentT) -> DocumentT:
        saved = document.model_copy(update={"version": document.version + 1})
        body, key = saved.model_dump(mode="python"), self._kind.key_of(saved)
        with mongo_errors():
            if document.version == 0:
                # A second insert of the key raises AlreadyExists, which is a Conflict.
                await self._collection.insert_one({"_id": key, **body})
                return saved
            result = await self._collection.replace_one({"_id": key, "version": document.version}, body)
        if result.matched_count != 1:
            raise Conflict
        return saved

    async def remove(self, key: str) -> bool:
        with mongo_errors():
            return (await self._collection.delete_one({"_id": key})).deleted_count == 1

    async def remove_where(self, **equal: str) -> int:
        with mongo_errors():
            return (await self._collection.delete_many(_query(self._kind, equal))).deleted_count

    async def remove_before(self, moment: datetime) -> int:
        with mongo_errors():
            return (await self._collection.delete_many({str(self._kind.moment): {"$lt": moment}})).deleted_count

    async def page(self, limit: int, below: str | None = None, **equal: str) -> Sequence[DocumentT]:
        query = _query(self._kind, equal) if equal else {}
        if below:
            query["_id"] = {"$lt": below}
        with mongo_errors():
            cursor = self._collection.find(query).sort("_id", DESCENDING).limit(limit)
            return [self._kind.model.model_validate(document) async for document in cursor]


def _query(kind: DocumentKind[Any], equal: dict[str, str]) -> dict[str, Any]:
    if not equal or not equal.keys() <= set(kind.fields):
        raise TypeError(f"{kind.name} are looked up by {kind.fields}, not by {tuple(equal)}")
    # `$eq`, so that no value can ever be read as an operator.
    return {field: {"$eq": value} for field, value in equal.items()}
