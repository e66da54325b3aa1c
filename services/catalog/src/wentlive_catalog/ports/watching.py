"""What the catalog needs from the watcher."""

from collections.abc import Collection
from typing import Protocol

from wentlive_catalog.domain.watches import WatchReport


class LinkResolver(Protocol):
    """Finds out whose link it is that somebody pasted."""

    async def handle(self, text: str) -> str:
        """Raises InvalidHandle when it names nobody, Transient when that cannot be found out now."""
        ...


class WatchStatusSource(Protocol):
    async def report(self, handles: Collection[str]) -> WatchReport | None:
        """What the watcher says of these creators, at most seconds old; None while it does not answer. Never raises."""
        ...
