"""What the catalog needs from blob storage."""

from collections.abc import AsyncGenerator
from typing import Protocol

from wentlive_common.fragment_index import FragmentIndex
from wentlive_common.model import Model, UtcDatetime

from wentlive_catalog.domain.playlist import Window


class Link(Model):
    """An expiring URL for one blob."""

    url: str
    expires_at: UtcDatetime


class BlobLinks(Protocol):
    """Signs the right to read one blob for a while."""

    @property
    def origin(self) -> str:
        """Scheme, host and port that browsers fetch blobs from."""
        ...

    async def sign(self, blob: str, window: Window, *, download_as: str | None = None) -> Link:
        """`download_as` makes a browser save it under that name. The same arguments give the same URL."""
        ...


class FragmentIndexReader(Protocol):
    async def read(self, blob: str) -> FragmentIndex | None:
        """The index as it is now, or None while there is none; raises Transient when storage does not answer."""
        ...


class MediaReader(Protocol):
    """Ranges of blobs that lie within them; both raise Transient when storage does not answer."""

    async def read(self, blob: str, offset: int, length: int) -> bytes: ...

    def stream(self, blob: str, offset: int, length: int) -> AsyncGenerator[bytes]:
        """The same in pieces, as they come."""
        ...
