"""Everything goes from either database into either."""

from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from wentlive_catalog.adapters.mongo_catalog import open_mongo_catalog
from wentlive_catalog.adapters.sqlite_catalog import open_sqlite_catalog
from wentlive_catalog.domain.creators import Creator, followed
from wentlive_catalog.domain.library import RecordingFilter
from wentlive_catalog.domain.recordings import recorded
from wentlive_catalog.domain.sessions import SESSIONS, new_session
from wentlive_catalog.move import NotEmpty, Unpublished, move
from wentlive_catalog.ports import CatalogStore
from wentlive_catalog.testing import RecordingStory
from wentlive_common.events import CreatorFollowed, RecordingData, new_event
from wentlive_common.ids import new_ulid

AT = datetime(2026, 11, 20, 20, 0, tzinfo=UTC)


@pytest.fixture(params=["to mongo", "to sqlite"])
async def pair(
    request: pytest.FixtureRequest, tmp_path: Path, mongodb_url: str
) -> AsyncGenerator[tuple[CatalogStore, CatalogStore]]:
    url = f"{mongodb_url.rstrip('/')}/catalog_{new_ulid()}"
    async with open_sqlite_catalog(tmp_path / "catalog.db") as sqlite, open_mongo_catalog(url) as mongo:
        yield (sqlite, mongo) if request.param == "to mongo" else (mongo, sqlite)


async def test_all_of_it_arrives(pair: tuple[CatalogStore, CatalogStore]) -> None:
    source, target = pair
    await source.save_creator(followed(Creator(handle="owl"), "ann", AT))
    for room in range(1, 4):
        event = RecordingStory("owl", "7", str(room), AT, title="ramen").requested()
        assert isinstance(event.data, RecordingData)
        await source.save_recording(recorded(None, event.data))
    _, session = new_session("ann", AT, timedelta(days=1))
    await source.documents(SESSIONS).save(session)
    moved = await move(source, target)
    assert (moved.creators, moved.recordings, moved.documents) == (1, 3, 1)
    assert [one.model_dump() async for one in target.all_recordings()] == [
        one.model_dump() async for one in source.all_recordings()
    ]
    assert [one.handle for one in await target.followed_creators("ann")] == ["owl"]
    assert len((await target.recordings(RecordingFilter(text="ram"), 9)).items) == 3
    assert await target.documents(SESSIONS).page(5) == await source.documents(SESSIONS).page(5)
    with pytest.raises(NotEmpty):
        await move(source, target)


async def test_events_that_wait_are_not_left_behind(pair: tuple[CatalogStore, CatalogStore]) -> None:
    source, target = pair
    waiting = new_event(CreatorFollowed(handle="owl"), "catalog", time=AT)
    await source.save_creator(Creator(handle="owl"), [waiting])
    with pytest.raises(Unpublished):
        await move(source, target)
    assert [one async for one in target.all_creators()] == []
