"""What the catalog needs from the outside, in its own words."""

from collections.abc import Collection, Sequence
from typing import Protocol

from wentlive_common.events import AnyEvent, RecordingState
from wentlive_common.fragment_index import FragmentIndex
from wentlive_common.model import Handle, Model, UtcDatetime
from wentlive_common.outbox import Outbox

from wentlive_catalog.domain.creators import Creator
from wentlive_catalog.domain.playlist import Window
from wentlive_catalog.domain.recordings import Recording
from wentlive_catalog.domain.sessions import Session
from wentlive_catalog.domain.watches import WatchReport


class RecordingFilter(Model):
    """Which recordings; nothing set means all."""

    handle: Handle | None = None
    states: tuple[RecordingState, ...] = ()


class RecordingPage(Model):
    items: tuple[Recording, ...]
    next: str | None = None
    """The id to go on below, when there is more."""


class CatalogStore(Outbox, Protocol):
    """Everything that people see. A save and its events are one write; a save of an outdated version is a Conflict."""

    async def creator(self, handle: str) -> Creator | None: ...

    async def creators_by_id(self, creator_id: str) -> tuple[Creator, ...]:
        """Those with this TikTok id: one, or one for each handle somebody went by; by handle."""
        ...

    async def creators(self, handles: Sequence[str]) -> dict[str, Creator]:
        """Those of `handles` that are known."""
        ...

    async def followed_creators(self, follower: str | None = None) -> tuple[Creator, ...]:
        """Creators that `follower`, or anybody, follows; by handle."""
        ...

    async def save_creator(self, creator: Creator, events: Sequence[AnyEvent] = ()) -> Creator:
        """Stores it with its version raised by one; raises Conflict unless the stored version is the given one."""
        ...

    async def recording(self, recording_id: str) -> Recording | None: ...

    async def recordings(self, wanted: RecordingFilter, limit: int, below: str | None = None) -> RecordingPage:
        """Newest first; `below` goes on after the page whose `next` it was."""
        ...

    async def save_recording(self, recording: Recording, events: Sequence[AnyEvent] = ()) -> Recording:
        """As `save_creator`."""
        ...

    async def open_session(self, session: Session) -> None: ...

    async def session(self, token_hash: str) -> Session | None: ...

    async def close_session(self, token_hash: str) -> None: ...

    async def forget_sessions(self, expired_before: UtcDatetime) -> int:
        """Deletes what expired; says how many."""
        ...

    async def ready(self) -> bool: ...


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


class LinkResolver(Protocol):
    """Finds out whose link it is that somebody pasted."""

    async def handle(self, text: str) -> str:
        """Raises InvalidHandle when it names nobody, Transient when that cannot be found out now."""
        ...


class WatchStatusSource(Protocol):
    async def report(self, handles: Collection[str]) -> WatchReport | None:
        """What the watcher says of these creators, at most seconds old; None while it does not answer. Never raises."""
        ...
