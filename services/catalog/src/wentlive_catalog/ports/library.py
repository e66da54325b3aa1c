"""What the catalog needs of the container that recordings lie in, besides signing links to it."""

from collections.abc import AsyncIterator, Mapping
from typing import Protocol

from wentlive_common.ids import Ulid
from wentlive_common.model import BlobName, CreatorId, Model


class Folder(Model):
    """One recording's blobs, by what follows the folder's name, with their sizes."""

    prefix: BlobName
    creator_id: CreatorId
    recording_id: Ulid
    blobs: Mapping[str, int]


class LibraryStorage(Protocol):
    """Every call raises Transient when storage does not answer."""

    def folders(self) -> AsyncIterator[Folder]:
        """Every recording's there is, in the order of their names; what is laid out otherwise is left out."""
        ...

    async def read(self, blob: str) -> bytes | None:
        """None when there is none."""
        ...

    async def write(self, blob: str, data: bytes, content_type: str) -> None: ...

    async def erase(self, prefix: str) -> int:
        """Deletes every blob in a folder; says how many there were."""
        ...
