"""What the watcher keeps, in the domain's words, whichever database keeps it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from wentlive_common.capture import Wishes
from wentlive_common.errors import Conflict
from wentlive_common.events import AnyEvent
from wentlive_common.outbox import Outbox

from wentlive_watcher.domain import Follow, Watch


class ClaimLost(Conflict):
    """The creator was unfollowed, or the lease ran out and another watcher took over: its word counts."""


class SameCreator(Conflict):
    """Another watch has this creator already, followed under another handle; the claim is still held."""


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to check one creator and to save what came of it, until somebody else is given it."""

    watch: Watch
    token: str


class WatchStore(Outbox, Protocol):
    """The watches that all watchers share. Handing them out and taking them back are atomic."""

    async def follow(self, follow: Follow, at: datetime, now: datetime) -> bool:
        """Begins to watch, due and asked for at `now`; says whether that is new. `at` is when it was followed, by
        the catalog's clock, which may differ from ours. A creator who is watched already is merged with that watch."""
        ...

    async def wish(self, handle: str, wishes: Wishes) -> bool:
        """What is wanted from now on of a creator who is watched; says whether there is one and it is a change. A
        check that is under way does not undo it."""
        ...

    async def wishes(self) -> Mapping[str, Wishes]:
        """Of every handle that is watched."""
        ...

    async def unfollow(self, handle: str, at: datetime) -> bool:
        """Stops watching, unless followed again after `at`; what is in the outbox is still told. What is known goes
        to a watch that was merged with this one, if there is one."""
        ...

    async def watched(self) -> Mapping[str, datetime]:
        """Every handle that is watched, with the latest time it was followed."""
        ...

    async def claim_due(
        self,
        now: datetime,
        lease: timedelta,
        limit: int,
        owner: str,
        *,
        asked_for: bool = False,
        busy: Collection[str] = (),
    ) -> Sequence[Claim]:
        """Up to `limit` watches that are due and in nobody's hands, the longest due first; nobody else gets them.

        `asked_for`: those that somebody wants to be looked at now, due or not, the longest waiting first.
        Leaves out whoever is tied to one of the `busy` egresses.
        """
        ...

    async def give_back(self, claims: Sequence[Claim]) -> None:
        """Claims that could not be used, for anybody to take; nothing else changes. Those lost meanwhile stay lost."""
        ...

    async def save(self, claim: Claim, watch: Watch, events: Sequence[AnyEvent]) -> None:
        """Stores the watch with its events in one write and gives the claim back, whoever asked for it being
        answered; raises `ClaimLost` or `SameCreator` and then stores nothing."""
        ...

    async def expedite(self, handle: str, now: datetime) -> bool:
        """Asks for a watch, or for the one it was merged with; says whether there is one."""
        ...

    async def recall(self, now: datetime, due_by: datetime, leased_by: datetime) -> int:
        """Makes due now whatever is due only after `due_by`, and free what is leased for longer than `leased_by`:
        the clock that said so was wrong. Returns how many were not due."""
        ...

    async def holder(self, creator_id: str) -> Watch | None:
        """The watch that looks at this creator."""
        ...

    async def find(self, handles: Sequence[str]) -> Sequence[Watch]:
        """Those of `handles` that are watched, by handle."""
        ...

    async def get(self, handle: str) -> Watch | None: ...

    async def list(self, limit: int = 100, after: str = "") -> Sequence[Watch]:
        """Watches by handle, those after `after`."""
        ...

    async def open_broadcasts(self) -> int: ...

    async def ready(self) -> bool: ...
