"""What the watcher keeps, in the domain's words, whichever database keeps it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from wentlive_common.errors import Conflict
from wentlive_common.events import AnyEvent
from wentlive_common.outbox import Outbox

from wentlive_watcher.domain import Follow, Watch


class ClaimLost(Conflict):
    """The creator was unfollowed, or the lease ran out and another watcher took over: its word counts."""


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to check one creator and to save what came of it, until somebody else is given it."""

    watch: Watch
    token: str


class WatchStore(Outbox, Protocol):
    """The watches that all watchers share. Handing them out and taking them back are atomic."""

    async def follow(self, follow: Follow, at: datetime, now: datetime) -> bool:
        """Begins to watch, due at `now`; says whether that is new. `at` is when it was followed, by the
        catalog's clock, which may differ from ours."""
        ...

    async def unfollow(self, handle: str, at: datetime) -> bool:
        """Stops watching, unless followed again after `at`; what is in the outbox is still told."""
        ...

    async def watched(self) -> Mapping[str, datetime]:
        """Every handle that is watched, with the latest time it was followed."""
        ...

    async def claim_due(self, now: datetime, lease: timedelta, limit: int, owner: str) -> Sequence[Claim]:
        """Up to `limit` watches that are due and in nobody's hands, the longest due first; nobody else gets them."""
        ...

    async def save(self, claim: Claim, watch: Watch, events: Sequence[AnyEvent]) -> None:
        """Stores the watch with its events in one write and gives the claim back; raises `ClaimLost`."""
        ...

    async def expedite(self, handle: str, now: datetime) -> bool:
        """Makes a watch due now; says whether there is one."""
        ...

    async def get(self, handle: str) -> Watch | None: ...

    async def list(self, limit: int = 100, after: str = "") -> Sequence[Watch]:
        """Watches by handle, those after `after`."""
        ...

    async def open_broadcasts(self) -> int: ...

    async def ready(self) -> bool: ...
