"""MongoDB for a service's store: the client, the outbox inside documents, and errors in our own words.

A state change and its events are one write because the events are pushed onto the `outbox` array of the very
document that changes. No transaction is needed, so a single server without a replica set will do.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any, TypeVar

from pymongo import ASCENDING, AsyncMongoClient, errors
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.database import AsyncDatabase

from wentlive_common.errors import AlreadyExists, Permanent, StoreUnavailable
from wentlive_common.events import AnyEvent, parse_event

Document = dict[str, Any]
Collection = AsyncCollection[Document]
Database = AsyncDatabase[Document]

ResultT = TypeVar("ResultT")


@contextmanager
def mongo_errors() -> Generator[None]:
    """Translates what PyMongo raises at a store's edge."""
    try:
        yield
    except errors.DuplicateKeyError as error:
        raise AlreadyExists from error
    except (errors.ConnectionFailure, errors.ExecutionTimeout) as error:
        raise StoreUnavailable(f"The database does not answer: {type(error).__name__}") from error
    except errors.PyMongoError as error:
        raise Permanent(f"The database refused: {type(error).__name__}: {error}") from error


async def retry_duplicate(write: Callable[[], Awaitable[ResultT]], tries: int = 5) -> ResultT:
    """Runs an upsert again when it lost a race: MongoDB may raise a duplicate key from two upserts of one key."""
    for _ in range(tries - 1):
        try:
            return await write()
        except errors.DuplicateKeyError:
            continue
    return await write()


@asynccontextmanager
async def open_mongo(url: str) -> AsyncGenerator[Database]:
    """The database that the URL's path names; connects lazily, answers within 5 s or raises."""
    client: AsyncMongoClient[Document] = AsyncMongoClient(
        url,
        tz_aware=True,
        serverSelectionTimeoutMS=5000,
        connectTimeoutMS=5000,
        socketTimeoutMS=20000,
        appname="wentlive",
    )
    async with client:
        yield client.get_default_database()


async def mongo_ready(database: Database) -> bool:
    return bool((await database.command("ping"))["ok"])


def outbox_entries(events: Sequence[AnyEvent]) -> list[Document]:
    """What to `$push` with `$each` onto a document's `outbox` in the write that changes it."""
    return [{"id": event.id, "body": event.to_json().decode()} for event in events]


def push_outbox(events: Sequence[AnyEvent]) -> Document:
    """The `$push` part of an update that stores `events`, or nothing at all when there are none."""
    return {"$push": {"outbox": {"$each": outbox_entries(events)}}} if events else {}


class MongoOutbox:
    """The outbox arrays of one collection. Events of one document keep their order."""

    def __init__(self, collection: Collection) -> None:
        self._collection = collection

    async def create_indexes(self) -> None:
        # Sparse in effect: documents with an empty array have no key in a multikey index on a subfield.
        await self._collection.create_index([("outbox.id", ASCENDING)])

    async def pending(self, limit: int) -> Sequence[AnyEvent]:
        with mongo_errors():
            cursor = self._collection.find({"outbox.0": {"$exists": True}}, {"outbox": 1}).limit(limit)
            entries = [entry async for document in cursor for entry in document["outbox"]]
        return [parse_event(str(entry["body"]).encode()) for entry in entries[:limit]]

    async def clear(self, ids: Sequence[str]) -> None:
        with mongo_errors():
            await self._collection.update_many(
                {"outbox.id": {"$in": list(ids)}}, {"$pull": {"outbox": {"id": {"$in": list(ids)}}}}
            )
