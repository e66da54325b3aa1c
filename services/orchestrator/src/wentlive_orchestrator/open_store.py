"""Opens the store that the settings name, for the orchestrator and for its commands alike."""

from contextlib import AbstractAsyncContextManager
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import SecretStr
from wentlive_common.errors import InvalidInput

from wentlive_orchestrator.adapters.mongo_recordings import open_mongo_recordings
from wentlive_orchestrator.adapters.sqlite_recordings import open_sqlite_recordings
from wentlive_orchestrator.ports import RecordingStore


def open_store(store_url: SecretStr) -> AbstractAsyncContextManager[RecordingStore]:
    url = store_url.get_secret_value()
    match urlsplit(url).scheme:
        case "sqlite":
            return open_sqlite_recordings(Path(urlsplit(url).path))
        case "mongodb" | "mongodb+srv":
            return open_mongo_recordings(url)
        case _:
            raise InvalidInput("store_url must begin with sqlite:/// or mongodb://.")
