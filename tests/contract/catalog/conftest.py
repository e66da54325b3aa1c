"""Both databases behind the catalog's store."""

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest
from wentlive_catalog.adapters.mongo_catalog import open_mongo_catalog
from wentlive_catalog.adapters.sqlite_catalog import open_sqlite_catalog
from wentlive_catalog.ports import CatalogStore
from wentlive_common.ids import new_ulid

Open = Callable[[str], AbstractAsyncContextManager[CatalogStore]]


@pytest.fixture(params=["sqlite", "mongo"])
def opening(request: pytest.FixtureRequest, tmp_path: Path) -> Open:
    """Opens the store of a name, again if it was opened before."""

    @asynccontextmanager
    async def opened(name: str) -> AsyncGenerator[CatalogStore]:
        if request.param == "sqlite":
            async with open_sqlite_catalog(tmp_path / f"{name}.db") as sqlite:
                yield sqlite
        else:
            url: str = request.getfixturevalue("mongodb_url")
            async with open_mongo_catalog(f"{url.rstrip('/')}/{name}") as mongo:
                yield mongo

    if request.param == "mongo":
        request.getfixturevalue("mongodb_url")
    return opened


@pytest.fixture
async def store(opening: Open) -> AsyncGenerator[CatalogStore]:
    async with opening(f"catalog_{new_ulid()}") as opened:
        yield opened
