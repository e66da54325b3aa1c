"""What every store's outbox does for the relay, over SQLite and over MongoDB."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from wentlive_common.bus.memory import InMemoryBus
from wentlive_common.events import AnyEvent, CreatorFollowed, Event, new_event
from wentlive_common.ids import new_ulid
from wentlive_common.mongo import MongoOutbox, open_mongo, push_outbox
from wentlive_common.outbox import Outbox, OutboxRelay
from wentlive_common.sqlite import open_sqlite


@dataclass(frozen=True)
class Store:
    outbox: Outbox
    store: Callable[[str, list[AnyEvent]], Awaitable[None]]
    """Changes the thing named so and keeps its events, in one write."""


def followed(handle: str = "nora") -> Event[CreatorFollowed]:
    return new_event(CreatorFollowed(handle=handle), "catalog")


@pytest.fixture
async def sqlite_store(tmp_path: Path) -> AsyncGenerator[Store]:
    schema = [["CREATE TABLE things (name TEXT PRIMARY KEY, changes INTEGER NOT NULL)"]]
    async with open_sqlite(tmp_path / "store.db", schema) as database:

        async def store(name: str, events: list[AnyEvent]) -> None:
            upsert = "INSERT INTO things VALUES (?, 1) ON CONFLICT (name) DO UPDATE SET changes = changes + 1"
            async with database.write() as connection:
                await connection.execute(upsert, (name,))
                await database.enqueue(events)

        yield Store(database, store)


@pytest.fixture
async def mongo_store(mongodb_url: str) -> AsyncGenerator[Store]:
    async with open_mongo(f"{mongodb_url.rstrip('/')}/outbox_{new_ulid()}") as database:
        things = database["things"]
        outbox = MongoOutbox(things)
        await outbox.create_indexes()

        async def store(name: str, events: list[AnyEvent]) -> None:
            await things.update_one({"_id": name}, {"$inc": {"changes": 1}} | push_outbox(events), upsert=True)

        yield Store(outbox, store)
        await things.drop()


@pytest.fixture(params=["sqlite", "mongodb"])
def store(request: pytest.FixtureRequest) -> Store:
    return request.getfixturevalue({"sqlite": "sqlite_store", "mongodb": "mongo_store"}[request.param])


async def test_nothing_is_pending_at_first(store: Store) -> None:
    assert list(await store.outbox.pending(10)) == []
    await store.outbox.clear(["unknown"])


async def test_events_of_one_thing_keep_their_order(store: Store) -> None:
    events = [followed() for _ in range(6)]
    for first, second in zip(events[::2], events[1::2], strict=True):
        await store.store("nora", [first, second])
    assert list(await store.outbox.pending(100)) == events
    assert list(await store.outbox.pending(4)) == events[:4]


async def test_clearing_forgets_what_is_named_and_nothing_else(store: Store) -> None:
    events = [followed() for _ in range(4)]
    await store.store("nora", list(events[:3]))
    await store.store("milo", [events[3]])
    await store.outbox.clear([events[0].id, events[3].id, "unknown"])
    assert list(await store.outbox.pending(10)) == events[1:3]
    await store.outbox.clear([event.id for event in events])
    assert list(await store.outbox.pending(10)) == []


async def test_a_change_without_events_leaves_nothing(store: Store) -> None:
    await store.store("nora", [])
    assert list(await store.outbox.pending(10)) == []


async def test_the_relay_empties_it(store: Store) -> None:
    events = [followed(f"creator{number}") for number in range(20)]
    for event in events:
        await store.store(event.subject, [event])
    bus = InMemoryBus()
    await OutboxRelay(store.outbox, bus).relay_once()
    assert {event.id for event in bus.published} == {event.id for event in events}
    assert list(await store.outbox.pending(10)) == []
