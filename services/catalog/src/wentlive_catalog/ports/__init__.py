"""What the catalog needs from the outside, in its own words."""

from wentlive_catalog.domain.library import RecordingFilter, RecordingPage
from wentlive_catalog.ports.library import Folder, LibraryStorage
from wentlive_catalog.ports.storage import BlobLinks, FragmentIndexReader, Link, MediaReader
from wentlive_catalog.ports.store import CatalogStore, CreatorStore, RecordingStore
from wentlive_catalog.ports.watching import LinkResolver, WatchStatusSource

__all__ = [
    "BlobLinks",
    "CatalogStore",
    "CreatorStore",
    "Folder",
    "FragmentIndexReader",
    "LibraryStorage",
    "Link",
    "LinkResolver",
    "MediaReader",
    "RecordingFilter",
    "RecordingPage",
    "RecordingStore",
    "WatchStatusSource",
]
