"""For tests of what stands on the catalog: the events of a recording's life, and ports without storage."""

from collections.abc import AsyncGenerator, Collection
from datetime import datetime, timedelta

from wentlive_common.errors import Transient
from wentlive_common.events import (
    AnyEvent,
    RecordingCompleted,
    RecordingData,
    RecordingFailed,
    RecordingPartClosed,
    RecordingPartOpened,
    RecordingProgressed,
    RecordingRecovering,
    RecordingRequested,
    RecordingStarted,
    RecordingState,
    new_event,
)
from wentlive_common.fragment_index import FragmentIndex
from wentlive_common.ids import new_ulid
from wentlive_common.job import PartReport
from wentlive_common.model import blob_prefix, part_name

from wentlive_catalog.access import Identity
from wentlive_catalog.adapters.http_link_resolver import LinkUnavailable
from wentlive_catalog.domain.playlist import Window
from wentlive_catalog.domain.sessions import SESSIONS, new_session
from wentlive_catalog.domain.users import USERS
from wentlive_catalog.domain.watches import EgressStatus, WatchReport, WatchStatus
from wentlive_catalog.ports import CatalogStore, Link
from wentlive_catalog.ports.library import Folder


class RecordingStory:
    """Tells one recording's events in order, each with the state whole and the next sequence."""

    def __init__(
        self, handle: str, creator_id: str, room_id: str, at: datetime, *,
        title: str = "", recording_id: str | None = None,
    ) -> None:  # fmt: skip
        self.recording_id = recording_id or new_ulid()
        self.prefix = blob_prefix(creator_id, self.recording_id, at)
        self._facts: dict[str, object] = {
            "recording_id": self.recording_id, "creator_id": creator_id, "room_id": room_id, "handle": handle,
            "title": title, "live_started_at": at, "detected_at": at + timedelta(seconds=2),
        }  # fmt: skip
        self._at = at
        self._sequence = 0

    def stem(self, attempt: int, part: int) -> str:
        return f"{self.prefix}/{part_name(attempt, part)}"

    def part(
        self, number: int, *, size: int, duration: float, fragments: int, closed: bool = False, attempt: int = 1,
        opened_at: datetime | None = None, width: int = 360, height: int = 640, all_pictures: bool = False,
    ) -> PartReport:  # fmt: skip
        """With a poster; `all_pictures` adds storyboard and live preview."""
        stem = self.stem(attempt, number)
        more = {
            "storyboard_blob": f"{stem}.storyboard.jpg", "storyboard_track_blob": f"{stem}.storyboard.vtt",
            "preview_blob": f"{self.prefix}/preview.jpg",
        }  # fmt: skip
        return PartReport(
            part=number, state="closed" if closed else "open", blob=f"{stem}.mp4", index_blob=f"{stem}.index",
            poster_blob=f"{stem}.jpg", opened_at=opened_at or self._at, committed_at=(opened_at or self._at),
            video_codec="avc1.42c01e", audio_codec="mp4a.40.2", width=width, height=height, bytes=size,
            duration=duration, fragments=fragments, finish_ms=26.0 if closed else None,
            **(more if all_pictures else {}),
        )  # fmt: skip

    def requested(self) -> AnyEvent:
        return self._told(RecordingRequested, "requested")

    def started(self, attempt: int = 1) -> AnyEvent:
        return self._told(RecordingStarted, "starting", attempt=attempt)

    def recovering(self, trouble: str, attempt: int = 2) -> AnyEvent:
        return self._told(RecordingStarted, "recovering", attempt=attempt, trouble=trouble)

    def tried_again(self, state: RecordingState = "recovering") -> AnyEvent:
        return self._told(RecordingRecovering, state)

    def part_opened(self, part: PartReport, attempt: int = 1) -> AnyEvent:
        return self._told(RecordingPartOpened, "recording", attempt=attempt, part=part)

    def progressed(self, part: PartReport, attempt: int = 1) -> AnyEvent:
        return self._told(RecordingProgressed, "recording", attempt=attempt, part=part)

    def part_closed(self, part: PartReport, attempt: int = 1, state: RecordingState = "finishing") -> AnyEvent:
        return self._told(RecordingPartClosed, state, attempt=attempt, part=part)

    def completed(self, at: datetime, parts: int = 1, size: int = 0, duration: float = 0.0) -> AnyEvent:
        totals: dict[str, object] = {"ended_at": at, "parts": parts, "bytes": size, "duration": duration}
        return self._told(RecordingCompleted, "completed", **totals)

    def failed(self, at: datetime, reason: str) -> AnyEvent:
        return self._told(RecordingFailed, "failed", failed_at=at, reason=reason)

    def _told(self, kind: type[RecordingData], state: RecordingState, **more: object) -> AnyEvent:
        self._sequence += 1
        data = kind.model_validate(self._facts | {"state": state, "sequence": self._sequence} | more)
        return new_event(data, "orchestrator", time=self._at)


async def opened_session(store: CatalogStore, username: str, since: datetime) -> Identity:
    """Somebody who signed in `since`, for a day, without a password."""
    user = await store.documents(USERS).get(username)
    if user is None:
        raise LookupError(username)
    _, session = new_session(username, since, timedelta(days=1))
    return Identity(user, session=await store.documents(SESSIONS).save(session))


class FakeBlobLinks:
    """`BlobLinks` that signs nothing but says in the URL what it was asked for."""

    origin = "https://storage.example"

    async def sign(self, blob: str, window: Window, *, download_as: str | None = None) -> Link:
        query = f"se={window.expires_at.timestamp():.0f}" + (f"&as={download_as}" if download_as else "")
        return Link(url=f"{self.origin}/{blob}?{query}", expires_at=window.expires_at)


class InMemoryFragmentIndexes:
    """`FragmentIndexReader` over a dictionary."""

    def __init__(self) -> None:
        self.indexes: dict[str, FragmentIndex] = {}

    async def read(self, blob: str) -> FragmentIndex | None:
        return self.indexes.get(blob)


class FakeLinkResolver:
    """`LinkResolver` that knows where some links lead, and not where the others do."""

    def __init__(self) -> None:
        self.links: dict[str, str] = {}

    async def handle(self, text: str) -> str:
        try:
            return self.links[text]
        except KeyError:
            raise LinkUnavailable from None


class FakeWatchStatus:
    """`WatchStatusSource` that says what it was told to, or nothing while `answers` is False."""

    def __init__(self) -> None:
        self.watches: dict[str, WatchStatus] = {}
        self.egresses: tuple[EgressStatus, ...] = ()
        self.answers = True

    def tell(self, *watches: WatchStatus) -> None:
        self.watches |= {watch.handle: watch for watch in watches}

    async def report(self, handles: Collection[str]) -> WatchReport | None:
        if not self.answers:
            return None
        return WatchReport({h: w for h, w in self.watches.items() if h in handles}, self.egresses)


class InMemoryLibraryStorage:
    """`LibraryStorage` over a dictionary, which does not answer while `answers` is False."""

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}
        self.answers = True

    async def folders(self) -> AsyncGenerator[Folder]:
        self._ask()
        folders: dict[str, dict[str, int]] = {}
        for blob, data in sorted(self.blobs.items()):
            prefix, _, name = blob.rpartition("/")
            folders.setdefault(prefix, {})[name] = len(data)
        for prefix, blobs in folders.items():
            creator_id, *_, recording_id = prefix.split("/")
            yield Folder(prefix=prefix, creator_id=creator_id, recording_id=recording_id, blobs=blobs)

    async def read(self, blob: str) -> bytes | None:
        self._ask()
        return self.blobs.get(blob)

    async def write(self, blob: str, data: bytes, content_type: str) -> None:
        self._ask()
        self.blobs[blob] = data

    async def erase(self, prefix: str) -> int:
        self._ask()
        found = [blob for blob in self.blobs if blob.startswith(f"{prefix}/")]
        for blob in found:
            del self.blobs[blob]
        return len(found)

    def _ask(self) -> None:
        if not self.answers:
            raise Transient("Storage does not answer.")
