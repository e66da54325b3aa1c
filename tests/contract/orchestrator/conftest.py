"""The orchestrator's stores: one in memory, two real."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from wentlive_common.ids import new_ulid
from wentlive_orchestrator.adapters.mongo_recordings import open_mongo_recordings
from wentlive_orchestrator.adapters.sqlite_recordings import open_sqlite_recordings
from wentlive_orchestrator.ports import RecordingStore
from wentlive_orchestrator.testing import InMemoryRecordings


@pytest.fixture(params=["memory", "sqlite", "mongo"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[RecordingStore]:
    async with AsyncExitStack() as stack:
        match request.param:
            case "memory":
                yield InMemoryRecordings()
            case "sqlite":
                yield await stack.enter_async_context(open_sqlite_recordings(tmp_path / "store.db"))
            case _:
                url = request.getfixturevalue("mongodb_url").rstrip("/")
                yield await stack.enter_async_context(open_mongo_recordings(f"{url}/orchestrator_{new_ulid()}"))
