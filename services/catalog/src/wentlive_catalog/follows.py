"""Following creators, and what is wanted of them: each a stored change with the events that tell of it."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

from wentlive_common.clock import Clock
from wentlive_common.errors import Conflict, InvalidInput, NotFound
from wentlive_common.events import AnyEvent, CreatorCheckRequested, EventData, new_event
from wentlive_common.handle import InvalidHandle, parse_handle

from wentlive_catalog.access import Identity
from wentlive_catalog.changes import Changes, CreatorChanged
from wentlive_catalog.domain.creators import (
    Change,
    Creator,
    CreatorSettings,
    Preference,
    followed,
    for_the_watcher,
    unfollowed,
    with_preference,
    with_settings,
)
from wentlive_catalog.ports import CatalogStore, LinkResolver

TRIES = 8
TIKTOK_LINK = "tiktok.com/"
MOST_FOLLOWED = 5000


class NotFollowed(NotFound):
    """Nobody here follows this creator."""


class TooManyFollows(Conflict):
    """You follow as many creators as one person may."""


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of one line of a list."""

    given: str
    outcome: Literal["followed", "already", "refused"]
    handle: str | None = None
    why: str | None = None


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
        await self._check_room(follower, 1)
        return await self._follow(await self._handle(text), follower)

    async def follow_all(self, texts: Sequence[str], follower: str) -> list[Imported]:
        """Follows many at once; what names nobody is told and left out. Share links are not looked up."""
        await self._check_room(follower, len(texts))
        outcomes: list[Imported] = []
        for text in texts:
            try:
                creator, is_new = await self._follow(parse_handle(text), follower)
            except InvalidInput as error:
                outcomes.append(Imported(text, "refused", why=error.message))
            else:
                outcomes.append(Imported(text, "followed" if is_new else "already", creator.handle))
        return outcomes

    async def _follow(self, handle: str, follower: str) -> tuple[Creator, bool]:
        return await self._changed(handle, lambda creator: followed(creator, follower, self._clock.now()), new=True)

    async def _check_room(self, follower: str, more: int) -> None:
        if len(await self._store.followed_creators(follower)) + more > MOST_FOLLOWED:
            raise TooManyFollows

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
        await self.followed(handle, follower)
        await self._changed(handle, lambda creator: unfollowed(creator, follower))

    async def unfollow_all(self, follower: str) -> None:
        """For somebody who leaves."""
        for creator in await self._store.followed_creators(follower):
            with suppress(NotFollowed):
                await self.unfollow(creator.handle, follower)

    async def prefer(self, handle: str, follower: str, change: Callable[[Preference], Preference]) -> Creator:
        """What one follower wants for themselves."""
        await self.followed(handle, follower)

        def preferred(creator: Creator) -> Creator:
            return with_preference(creator, change(creator.preference(follower)))

        return (await self._changed(handle, preferred))[0]

    async def settle(
        self, handle: str, asker: Identity, change: Callable[[CreatorSettings], CreatorSettings]
    ) -> Creator:  # fmt: skip
        """What is wanted of a creator for all who follow. `change` may refuse."""
        await self.visible(handle, asker)
        return (await self._changed(handle, lambda creator: with_settings(creator, change(creator.settings))))[0]

    async def request_check(self, handle: str, asker: Identity) -> Creator:
        """Asks the watcher to look now."""
        for _ in range(TRIES):
            known = await self.visible(handle, asker)
            look = CreatorCheckRequested(handle=handle, creator_id=known.creator_id)
            if saved := await self._saved(known, self._events((look,))):
                return saved
        raise Conflict

    async def followed(self, handle: str, follower: str) -> Creator:
        creator = await self._store.creator(handle)
        if creator is None or follower not in creator.followers:
            raise NotFollowed(f"You do not follow @{handle}.")
        return creator

    async def visible(self, handle: str, asker: Identity) -> Creator:
        """Whom the asker follows; an admin sees whom anybody follows."""
        creator = await self._store.creator(handle)
        if creator is None or not (asker.username in creator.followers or (asker.is_admin and creator.followers)):
            raise NotFollowed(f"You do not follow @{handle}.")
        return creator

    async def _changed(self, handle: str, change: Change, *, new: bool = False) -> tuple[Creator, bool]:
        """The creator as stored, and whether that is a change."""
        for _ in range(TRIES):
            known = await self._store.creator(handle)
            if known is None and not new:
                raise NotFollowed
            known = known or Creator(handle=handle)
            wanted = change(known)
            if wanted == known:
                return known, False
            if saved := await self._saved(wanted, self._events(for_the_watcher(known, wanted))):
                return saved, True
        raise Conflict

    def _events(self, news: Sequence[EventData]) -> Sequence[AnyEvent]:
        return tuple(new_event(data, "catalog", time=self._clock.now()) for data in news)

    async def _saved(self, creator: Creator, events: Sequence[AnyEvent]) -> Creator | None:
        try:
            saved = await self._store.save_creator(creator, events)
        except Conflict:
            return None
        if events:
            self._stored()
        self._changes.announce(CreatorChanged(creator.handle))
        return saved
