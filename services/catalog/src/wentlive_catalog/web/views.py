"""What pages show, gathered from the store: the same for a page and for the stream that keeps it fresh."""

from dataclasses import dataclass
from datetime import datetime

from wentlive_catalog.domain.creators import Creator
from wentlive_catalog.domain.recordings import OVER, RUNNING, Recording
from wentlive_catalog.domain.sessions import Session
from wentlive_catalog.ports import CatalogStore, RecordingFilter

MOST_LIVE = 200
LIBRARY_PAGE = 24


@dataclass(frozen=True, slots=True)
class Card:
    """A recording with the creator whose it is."""

    recording: Recording
    creator: Creator


@dataclass(frozen=True, slots=True)
class Home:
    creators: tuple[Creator, ...]
    live: tuple[Card, ...]
    library: tuple[Card, ...]
    older: str | None
    below: str | None
    now: datetime

    @property
    def is_new(self) -> bool:
        """Nobody is followed and nothing recorded: a page for somebody who just came."""
        return not (self.creators or self.live or self.library or self.below)


class Views:
    def __init__(self, store: CatalogStore) -> None:
        self._store = store

    async def home(self, session: Session, now: datetime, below: str | None = None) -> Home:
        live = await self._store.recordings(RecordingFilter(states=RUNNING), MOST_LIVE)
        library = await self._store.recordings(RecordingFilter(states=OVER), LIBRARY_PAGE, below)
        return Home(
            creators=by_interest(await self._store.followed_creators(session.username)),
            live=await self._cards(live.items),
            library=await self._cards(library.items),
            older=library.next,
            below=below,
            now=now,
        )

    async def card(self, recording_id: str) -> Card | None:
        recording = await self._store.recording(recording_id)
        return (await self._cards((recording,)))[0] if recording else None

    async def _cards(self, recordings: tuple[Recording, ...]) -> tuple[Card, ...]:
        known = await self._store.creators(sorted({recording.handle for recording in recordings}))
        return tuple(
            Card(recording, known.get(recording.handle) or Creator(handle=recording.handle)) for recording in recordings
        )


INTEREST = {"live": 0, "paused": 1, "checking": 2, "not_found": 3, "restricted": 4, "offline": 5}


def by_interest(creators: tuple[Creator, ...]) -> tuple[Creator, ...]:
    """Who is live stands first, then who needs a look, then the rest by name."""
    return tuple(sorted(creators, key=lambda creator: (INTEREST[creator.status], creator.name.casefold())))
