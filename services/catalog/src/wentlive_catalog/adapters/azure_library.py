"""Recordings' folders in Azure Blob Storage: listed, read, and erased for good."""

import re
from collections.abc import AsyncGenerator, Generator
from contextlib import contextmanager

from azure.core.exceptions import AzureError, HttpResponseError, ResourceNotFoundError
from azure.storage.blob import ContentSettings
from azure.storage.blob.aio import ContainerClient
from wentlive_common.errors import Forbidden, Transient

from wentlive_catalog.ports.library import Folder

FORBIDDEN = 403
TIMEOUT = 30
_IN_A_FOLDER = re.compile(
    r"(?P<prefix>(?P<creator>[0-9]{1,24})/\d{4}/\d\d/\d\d/(?P<recording>[0-7][0-9a-hjkmnp-tv-z]{25}))/(?P<name>[^/]+)"
)


class StorageUnavailable(Transient):
    """Storage does not answer; try again in a moment."""


class StorageForbidden(Forbidden):
    """Storage refuses: the catalog's identity needs the role Storage Blob Data Contributor on the container."""


@contextmanager
def storage_errors() -> Generator[None]:
    try:
        yield
    except HttpResponseError as error:
        raise (StorageForbidden if error.status_code == FORBIDDEN else StorageUnavailable) from error
    except AzureError as error:
        raise StorageUnavailable from error


class AzureLibraryStorage:
    """`LibraryStorage` over one container."""

    def __init__(self, container: ContainerClient) -> None:
        self._container = container

    async def folders(self) -> AsyncGenerator[Folder]:
        prefix, blobs, last = "", dict[str, int](), re.match("", "")
        with storage_errors():
            async for blob in self._container.list_blobs(timeout=TIMEOUT):
                found = _IN_A_FOLDER.fullmatch(blob.name)
                if found is None:
                    continue
                if found["prefix"] != prefix and last and prefix:
                    yield _folder(last, blobs)
                    blobs = {}
                prefix, last = found["prefix"], found
                blobs[found["name"]] = int(blob.size)
        if last and prefix:
            yield _folder(last, blobs)

    async def read(self, blob: str) -> bytes | None:
        with storage_errors():
            try:
                stream = await self._container.download_blob(blob, timeout=TIMEOUT)
                return await stream.readall()
            except ResourceNotFoundError:
                return None

    async def write(self, blob: str, data: bytes, content_type: str) -> None:
        settings = ContentSettings(content_type=content_type)
        with storage_errors():
            await self._container.upload_blob(
                blob, data, overwrite=True, content_settings=settings, timeout=TIMEOUT
            )  # fmt: skip

    async def erase(self, prefix: str) -> int:
        erased = 0
        with storage_errors():
            async for blob in self._container.list_blobs(name_starts_with=f"{prefix}/", timeout=TIMEOUT):
                try:
                    await self._container.delete_blob(blob.name, delete_snapshots="include", timeout=TIMEOUT)
                    erased += 1
                except ResourceNotFoundError:
                    continue
        return erased


def _folder(found: re.Match[str], blobs: dict[str, int]) -> Folder:
    return Folder(
        prefix=found["prefix"], creator_id=found["creator"], recording_id=found["recording"], blobs=blobs
    )  # fmt: skip
