"""What people do to recordings: stop, try again, name, pin, throw away and take back.

One recording serves all who follow its creator. So whoever follows may act on it, and only an admin may throw away
what others follow too.
"""

from collections.abc import Callable

from wentlive_common.clock import Clock
from wentlive_common.errors import Conflict, Forbidden, NotFound
from wentlive_common.events import AnyEvent, EventData, RecordingRetryRequested, RecordingStopRequested, new_event
from wentlive_common.model import to_milliseconds

from wentlive_catalog.access import Identity
from wentlive_catalog.changes import Changes, RecordingChanged
from wentlive_catalog.domain.recordings import (
    Recording,
    binned,
    renamed,
    restored,
    retry_requested,
    stop_requested,
    with_pin,
)
from wentlive_catalog.ports import CatalogStore

TRIES = 8
RecordingChange = Callable[[Recording], Recording]
News = Callable[[Recording], EventData]


class NoSuchRecording(NotFound):
    """There is no such recording."""


class RecordingOver(Conflict):
    """This recording is over already."""


class StillRecording(Conflict):
    """This is still being recorded: stop it first."""


class NothingToRetry(Conflict):
    """There is nothing to try again: this did not fail, and nothing of it was left open."""


class InBin(Conflict):
    """This recording is in the bin: take it back first."""


class NotInBin(Conflict):
    """This recording is not in the bin."""


class NotYourCreator(Forbidden):
    """Only who follows this creator, or an admin, may do this."""


class OthersFollow(Forbidden):
    """Others follow this creator too: only an admin may delete its recordings."""


class Keeping:
    """`stored` is called after each write that left an event in the outbox."""

    def __init__(self, store: CatalogStore, changes: Changes, clock: Clock, stored: Callable[[], None]) -> None:
        self._store = store
        self._changes = changes
        self._clock = clock
        self._stored = stored

    async def recording(self, recording_id: str) -> Recording:
        """In the bin or not; raises NoSuchRecording."""
        recording = await self._store.recording(recording_id)
        if recording is None:
            raise NoSuchRecording
        return recording

    async def stop(self, recording_id: str, asker: Identity) -> Recording:
        """Asks the orchestrator to finish it while the live goes on; a second wish changes nothing."""

        def stopped(recording: Recording) -> Recording:
            if recording.over:
                raise RecordingOver
            return stop_requested(recording, asker.username, self._clock.now())

        def news(_: Recording) -> EventData:
            return RecordingStopRequested(recording_id=recording_id, requested_by=asker.username)

        return await self._changed(recording_id, asker, stopped, news)

    async def retry(self, recording_id: str, asker: Identity) -> Recording:
        """Asks the orchestrator to undo this end; a second wish may meet with more than the first, and is told too."""

        def retried(recording: Recording) -> Recording:
            if recording.deleted_at:
                raise InBin
            if not recording.retryable:
                raise NothingToRetry
            return retry_requested(recording, asker.username, to_milliseconds(self._clock.now()))

        def news(recording: Recording) -> EventData:
            return RecordingRetryRequested(
                recording_id=recording_id, ended_sequence=recording.sequence, requested_by=asker.username
            )

        return await self._changed(recording_id, asker, retried, news)

    async def edit(
        self, recording_id: str, asker: Identity, *, check: Callable[[Recording], None], name: str | None = None,
        pinned: bool | None = None,
    ) -> Recording:  # fmt: skip
        """An empty name gives the live's title back; None leaves things as they are. `check` may refuse."""

        def edited(recording: Recording) -> Recording:
            check(recording)
            changed = recording if name is None else renamed(recording, name.strip())
            return changed if pinned is None else with_pin(changed, pinned=pinned)

        return await self._changed(recording_id, asker, edited)

    async def delete(self, recording_id: str, asker: Identity) -> Recording:
        """Into the bin, from which it can be taken back for a while."""

        def deleted(recording: Recording) -> Recording:
            if not recording.over:
                raise StillRecording
            return binned(recording, asker.username, self._clock.now())

        await self._check_alone(await self.recording(recording_id), asker)
        return await self._changed(recording_id, asker, deleted)

    async def restore(self, recording_id: str, asker: Identity) -> Recording:
        def taken_back(recording: Recording) -> Recording:
            if recording.deleted_at is None:
                raise NotInBin
            return restored(recording)

        return await self._changed(recording_id, asker, taken_back)

    async def _changed(
        self, recording_id: str, asker: Identity, change: RecordingChange, news: News | None = None
    ) -> Recording:  # fmt: skip
        for _ in range(TRIES):
            known = await self.recording(recording_id)
            await self._check_theirs(known, asker)
            wanted = change(known)
            if wanted == known:
                return known
            try:
                saved = await self._store.save_recording(wanted, (self._event(news(known)),) if news else ())
            except Conflict:
                continue
            if news:
                self._stored()
            moved = known.deleted_at != saved.deleted_at or known.name != saved.name
            self._changes.announce(RecordingChanged(recording_id, entered=moved))
            return saved
        raise Conflict

    async def _check_theirs(self, recording: Recording, asker: Identity) -> None:
        if not asker.is_admin and asker.username not in await self._followers(recording):
            raise NotYourCreator

    async def _check_alone(self, recording: Recording, asker: Identity) -> None:
        if not asker.is_admin and await self._followers(recording) - {asker.username}:
            raise OthersFollow

    async def _followers(self, recording: Recording) -> set[str]:
        """Of the creator, by whichever handle."""
        by_id = await self._store.creators_by_id(recording.creator_id)
        by_handle = await self._store.creator(recording.handle)
        entries = [*by_id, *([by_handle] if by_handle and by_handle.creator_id is None else [])]
        return {follower for creator in entries for follower in creator.followers}

    def _event(self, data: EventData) -> AnyEvent:
        return new_event(data, "catalog", time=self._clock.now())
