"""What pages show, gathered from the store: the same for a page and for the stream that keeps it fresh."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from wentlive_catalog.domain.creators import Creator
from wentlive_catalog.domain.recordings import OVER, RUNNING, Recording
from wentlive_catalog.ports import CatalogStore, RecordingFilter, WatchStatusSource
from wentlive_catalog.web.watching import Followed, Notice, Watching

MOST_LIVE = 200
LIBRARY_PAGE = 24


@dataclass(frozen=True, slots=True)
class Card:
    """A recording with the creator whose it is."""

    recording: Recording
    creator: Creator

    @property
    def worth_a_retry(self) -> bool:
        """More can be had: the live goes on, or parts can be closed."""
        recording = self.recording
        more = recording.left_open or self.creator.is_on(recording.room_id)
        return recording.retryable and more and not recording.deleted_at


@dataclass(frozen=True, slots=True)
class Home:
    creators: tuple[Followed, ...]
    notice: Notice
    live: tuple[Card, ...]
    library: tuple[Card, ...]
    now: datetime

    @property
    def is_new(self) -> bool:
        """Nobody is followed and nothing recorded: a page for somebody who just came."""
        return not (self.creators or self.live or self.library)


class Views:
    def __init__(self, store: CatalogStore, watches: WatchStatusSource | None) -> None:
        self._store = store
        self._watching = Watching(watches)

    async def home(self, username: str, now: datetime) -> Home:
        live = await self._store.recordings(RecordingFilter(states=RUNNING), MOST_LIVE)
        library = await self._store.recordings(RecordingFilter(states=OVER), LIBRARY_PAGE)
        creators, notice = await self._watching.followed(await self._store.followed_creators(username))
        return Home(
            creators=by_interest(creators),
            notice=notice,
            live=await self.cards(live.items),
            library=await self.cards(library.items),
            now=now,
        )

    async def watched_again(self, home: Home) -> Home:
        """The same creators with what the watcher says of them now."""
        creators, notice = await self._watching.followed([followed.creator for followed in home.creators])
        return replace(home, creators=creators, notice=notice)

    async def followed(self, creators: Sequence[Creator]) -> tuple[tuple[Followed, ...], Notice]:
        """With what the watcher says of them, who needs a look first."""
        followed, notice = await self._watching.followed(creators)
        return by_interest(followed), notice

    async def card(self, recording_id: str) -> Card | None:
        recording = await self._store.recording(recording_id)
        return (await self.cards((recording,)))[0] if recording else None

    async def cards(self, recordings: tuple[Recording, ...]) -> tuple[Card, ...]:
        known = await self._store.creators(sorted({recording.handle for recording in recordings}))
        return tuple(
            Card(recording, known.get(recording.handle) or Creator(handle=recording.handle)) for recording in recordings
        )


INTEREST = {"live": 0, "paused": 1, "checking": 2, "not_found": 3, "restricted": 4, "offline": 5}


def by_interest(creators: Iterable[Followed]) -> tuple[Followed, ...]:
    """Who is live stands first, then who needs a look, then the rest by name."""
    return tuple(sorted(creators, key=lambda one: (INTEREST[one.status], one.creator.name.casefold())))
