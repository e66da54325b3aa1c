"""MongoDB for a service's store: the client, the outbox inside documents, and errors in our own words.

A state change and its events are one write because the events are pushed onto the `outbox` array of the very
document that changes. No transaction is needed, so a single server without a replica set will do.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import structlog
from pymongo import ASCENDING, AsyncMongoClient, errors, monitoring
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.database import AsyncDatabase

from wentlive_common.errors import AlreadyExists, Permanent, StoreUnavailable
from wentlive_common.events import AnyEvent, parse_event

log = structlog.get_logger(__name__)

SLOW_SECONDS = 0.25
"""What takes longer is logged, by its shape and without values."""

Document = dict[str, Any]
Collection = AsyncCollection[Document]
Database = AsyncDatabase[Document]

ResultT = TypeVar("ResultT")


class SchemaTooNew(Permanent):
    """The database was written by a newer Wentlive: upgrade this one, or use another database."""


class IndexRefused(Permanent):
    """The database cannot make an index that is needed."""


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


class SlowCommands(monitoring.CommandListener):
    """Logs commands that took long: which, on what, asked by which fields."""

    def __init__(self) -> None:
        self._shapes: dict[int, Document] = {}

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        self._shapes[event.request_id] = command_shape(event.command_name, dict(event.command))

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        self._ended(event.request_id, event.duration_micros)

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        self._ended(event.request_id, event.duration_micros)

    def _ended(self, request_id: int, micros: int) -> None:
        shape = self._shapes.pop(request_id, {})
        if micros >= SLOW_SECONDS * 1e6:
            log.warning("slow_query", seconds=round(micros / 1e6, 3), **shape)


def command_shape(name: str, command: Document) -> Document:
    """What a command asks, without a single value."""
    stages: list[Document] = command.get("pipeline") or [command.get("filter") or {}]
    fields = sorted({str(field) for stage in stages for field in stage.get("$match", stage)})
    return {
        "command": name,
        "collection": str(command.get(name, "")),
        "by": fields,
        "sort": list(command.get("sort", ())),
    }


@dataclass(frozen=True, slots=True)
class MongoIndex:
    """An index that a collection is to have: fields, each rising (1) or falling (-1)."""

    keys: tuple[tuple[str, int], ...]
    unique: bool = False

    @property
    def name(self) -> str:
        return "_".join(f"{field}_{way}" for field, way in self.keys)


async def ensure_indexes(collection: Collection, indexes: Sequence[MongoIndex]) -> None:
    """Makes those that are missing; raises IndexRefused, which names the one that cannot be. Drops nothing."""
    with mongo_errors():
        found = await collection.index_information()
    for index in indexes:
        if index.name in found:
            continue
        try:
            await collection.create_index(list(index.keys), name=index.name, unique=index.unique)
        except errors.OperationFailure as error:
            raise IndexRefused(
                f"{collection.name} cannot get the index {index.name}: {error.code}. See its log."
            ) from error
        log.info("index_made", collection=collection.name, index=index.name)


MongoMigration = Callable[[Database], Awaitable[None]]
"""One step; it may be repeated, and several replicas may run it at the same time."""


async def migrate_mongo(database: Database, migrations: Sequence[MongoMigration]) -> None:
    """`migrations[n]` leads from version n to n + 1; raises SchemaTooNew for a database from the future."""
    meta = database["meta"]
    with mongo_errors():
        found = await meta.find_one({"_id": "schema"})
        version = int(found["version"]) if found else 0
        if version > len(migrations):
            raise SchemaTooNew(f"The database has schema {version}, this Wentlive knows {len(migrations)}: upgrade it.")
        for number, migration in enumerate(migrations[version:], version + 1):
            await migration(database)
            await retry_duplicate(
                lambda reached=number: meta.update_one({"_id": "schema"}, {"$max": {"version": reached}}, upsert=True)
            )
            log.info("schema_migrated", version=number)


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
        event_listeners=[SlowCommands()],
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
