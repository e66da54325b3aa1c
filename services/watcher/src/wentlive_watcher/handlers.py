"""What the catalog tells the watcher: whom to watch, whom no more, whom to look at now."""

from collections.abc import Callable
from typing import Final

import structlog
from wentlive_common.bus import Handler
from wentlive_common.clock import Clock
from wentlive_common.events import (
    AnyEvent,
    CreatorCheckRequested,
    CreatorFollowed,
    CreatorSettingsChanged,
    CreatorUnfollowed,
)

from wentlive_watcher.domain import Follow
from wentlive_watcher.ports import WatchStore

log = structlog.stdlib.get_logger(__name__)

QUEUE: Final = "watcher.creators"
TYPES: Final = (CreatorFollowed, CreatorUnfollowed, CreatorCheckRequested, CreatorSettingsChanged)


def creator_handler(store: WatchStore, clock: Clock, due: Callable[[], None]) -> Handler:
    """Handles each of `TYPES`, as often and in whatever order they come; calls `due` when somebody became due."""

    async def handle(event: AnyEvent) -> None:
        match event.data:
            case CreatorFollowed(handle=handle, creator_id=creator_id, wishes=wishes):
                follow = Follow(handle=handle, creator_id=creator_id, wishes=wishes)
                if await store.follow(follow, event.time, clock.now()):
                    log.info("creator_watched", handle=handle)
                    due()
            case CreatorSettingsChanged(handle=handle, wishes=wishes):
                if await store.wish(handle, wishes):
                    log.info("creator_wishes_changed", handle=handle, interval=wishes.interval)
            case CreatorUnfollowed(handle=handle):
                if await store.unfollow(handle, event.time):
                    log.info("creator_dropped", handle=handle)
            case CreatorCheckRequested(handle=handle):
                if await store.expedite(handle, clock.now()):
                    due()
            case _:
                log.warning("event_of_no_concern", event_type=event.type)

    return handle
