"""Which database a URL names."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import SecretStr
from wentlive_common.errors import Permanent

from wentlive_catalog.adapters.mongo_catalog import open_mongo_catalog
from wentlive_catalog.adapters.sqlite_catalog import open_sqlite_catalog
from wentlive_catalog.ports import CatalogStore


class BadStoreUrl(Permanent):
    """The store's URL names no database that is known here."""


@asynccontextmanager
async def open_store(store_url: SecretStr) -> AsyncGenerator[CatalogStore]:
    """Brings it up to date as it opens it; raises BadStoreUrl."""
    url = store_url.get_secret_value()
    match urlsplit(url).scheme:
        case "sqlite":
            async with open_sqlite_catalog(Path(urlsplit(url).path)) as store:
                yield store
        case "mongodb" | "mongodb+srv":
            async with open_mongo_catalog(url) as store:
                yield store
        case other:
            raise BadStoreUrl(f"The store's URL begins with {other!r}; it takes sqlite: or mongodb:.")
