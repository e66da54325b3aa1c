"""Following creators, and asking the other services for something: each a stored change with its event."""

from collections.abc import Callable, Sequence
from contextlib import suppress

from wentlive_common.clock import Clock
from wentlive_common.errors import Conflict, NotFound
from wentlive_common.events import (
    AnyEvent,
    CreatorCheckRequested,
    CreatorFollowed,
    CreatorUnfollowed,
    EventData,
    RecordingStopRequested,
    new_event,
)
from wentlive_common.handle import InvalidHandle, parse_handle

from wentlive_catalog.changes import Changes, CreatorChanged, RecordingChanged
from wentlive_catalog.domain.creators import Creator, followed, unfollowed
from wentlive_catalog.domain.recordings import Recording, stop_requested
from wentlive_catalog.ports import CatalogStore, LinkResolver

TRIES = 8
TIKTOK_LINK = "tiktok.com/"


class NotFollowed(NotFound):
    """Nobody here follows this creator."""


class NoSuchRecording(NotFound):
    """There is no such recording."""


class RecordingOver(Conflict):
    """This recording is over already."""


class Follows:
    """What people do. `stored` is called after each write that left an event in the outbox."""

    def __init__(
        self, store: CatalogStore, changes: Changes, clock: Clock, stored: Callable[[], None],
        links: LinkResolver | None = None,
    ) -> None:  # fmt: skip
        self._store = store
        self._changes = changes
        self._clock = clock
        self._stored = stored
        self._links = links

    async def follow(self, text: str, follower: str) -> tuple[Creator, bool]:
        """Follows whom `text` names (a handle, a profile link, a share link); says whether that is new.

        Raises InvalidHandle, or Transient when nobody could be asked where a share link leads.
        """
        handle = await self._handle(text)
        for _ in range(TRIES):
            known = await self._store.creator(handle) or Creator(handle=handle)
            wanted = followed(known, follower, self._clock.now())
            if wanted == known:
                return known, False
            events = (
                () if known.followers else self._events(CreatorFollowed(handle=handle, creator_id=known.creator_id))
            )
            if saved := await self._saved(wanted, events):
                return saved, True
        raise Conflict

    async def _handle(self, text: str) -> str:
        """Most names say it themselves; what else holds a link to TikTok has to be looked up there."""
        try:
            return parse_handle(text)
        except InvalidHandle:
            if self._links is None or TIKTOK_LINK not in text.lower():
                raise
            return await self._links.handle(text)

    async def unfollow(self, handle: str, follower: str) -> None:
        """Recordings stay; the watcher stops when nobody is left."""
        for _ in range(TRIES):
            known = await self.followed(handle, follower)
            wanted = unfollowed(known, follower)
            gone = CreatorUnfollowed(handle=handle, creator_id=known.creator_id)
            if await self._saved(wanted, () if wanted.followers else self._events(gone)):
                return
        raise Conflict

    async def unfollow_all(self, follower: str) -> None:
        """For somebody who leaves."""
        for creator in await self._store.followed_creators(follower):
            with suppress(NotFollowed):
                await self.unfollow(creator.handle, follower)

    async def request_check(self, handle: str, follower: str) -> Creator:
        """Asks the watcher to look now."""
        for _ in range(TRIES):
            known = await self.followed(handle, follower)
            look = CreatorCheckRequested(handle=handle, creator_id=known.creator_id)
            if saved := await self._saved(known, self._events(look)):
                return saved
        raise Conflict

    async def followed(self, handle: str, follower: str) -> Creator:
        creator = await self._store.creator(handle)
        if creator is None or follower not in creator.followers:
            raise NotFollowed(f"You do not follow @{handle}.")
        return creator

    async def request_stop(self, recording_id: str, by: str) -> Recording:
        """Asks the orchestrator to finish a recording while the live goes on; a second wish changes nothing."""
        for _ in range(TRIES):
            known = await self.recording(recording_id)
            if known.over:
                raise RecordingOver
            wanted = stop_requested(known, by, self._clock.now())
            if wanted == known:
                return known
            stop = RecordingStopRequested(recording_id=recording_id, requested_by=by)
            try:
                saved = await self._store.save_recording(wanted, self._events(stop))
            except Conflict:
                continue
            self._stored()
            self._changes.announce(RecordingChanged(recording_id))
            return saved
        raise Conflict

    async def recording(self, recording_id: str) -> Recording:
        recording = await self._store.recording(recording_id)
        if recording is None:
            raise NoSuchRecording
        return recording

    def _events(self, data: EventData) -> Sequence[AnyEvent]:
        return (new_event(data, "catalog", time=self._clock.now()),)

    async def _saved(self, creator: Creator, events: Sequence[AnyEvent]) -> Creator | None:
        try:
            saved = await self._store.save_creator(creator, events)
        except Conflict:
            return None
        if events:
            self._stored()
        self._changes.announce(CreatorChanged(creator.handle))
        return saved
