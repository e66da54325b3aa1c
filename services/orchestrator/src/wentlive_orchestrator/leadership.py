"""Which of several orchestrators acts: the one that holds the lease. The others take reports, and wait.

No clocks are compared. The holder changes the lease every few seconds; whoever has seen it unchanged for long enough,
by a clock of its own, takes it over. Acting twice would do no harm (intents are stored with versions, names are
unique, a superseded recorder is told to leave), it would only be a waste.
"""

import asyncio
from collections.abc import Awaitable, Callable

import structlog
from wentlive_common.clock import Clock
from wentlive_common.errors import WentliveError
from wentlive_common.lifecycle import wait_any

from wentlive_orchestrator.ports import Lease, LeaseStore

log = structlog.get_logger(__name__)

LEASE_SECONDS = 15.0
BEATS = 5
"""How often the lease is changed in that time."""

Lead = Callable[[asyncio.Event], Awaitable[None]]


class Leadership:
    """`holder` names this process among those that live now; one that takes its name leads at once in its place."""

    def __init__(self, store: LeaseStore, holder: str, clock: Clock, seconds: float = LEASE_SECONDS) -> None:
        self._store = store
        self._holder = holder
        self._clock = clock
        self._seconds = seconds
        self._seen: Lease | None = None
        self._seen_at = clock.monotonic()
        self.leading = False

    async def run(self, lead: Lead, stop: asyncio.Event) -> None:
        """Calls `lead` whenever the lease is held, with an event that is set when it is lost or `stop` is."""
        while not stop.is_set():
            if await self.beat():
                await self._lead(lead, stop)
            else:
                await wait_any(stop.wait(), self._clock.sleep(self._seconds / BEATS))

    async def beat(self) -> bool:
        """Takes or renews the lease; whether it is held now."""
        try:
            now_held = await self._taken()
        except WentliveError as error:
            log.warning("lease_unknown", error=error.message)
            now_held = self.leading and self._clock.monotonic() - self._seen_at < self._seconds
        if now_held != self.leading:
            log.info("leadership_taken" if now_held else "leadership_lost", holder=self._holder)
        self.leading = now_held
        return now_held

    async def resign(self) -> None:
        """Lets the next one take over without waiting."""
        if self.leading and self._seen:
            self.leading = False
            try:
                await self._store.swap_lease(self._seen, Lease(holder="", beat=self._seen.beat + 1))
            except WentliveError as error:
                log.warning("lease_not_released", error=error.message)

    async def _lead(self, lead: Lead, stop: asyncio.Event) -> None:
        over = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            keeping = tasks.create_task(self._keep(over, stop), name="lease")
            try:
                await lead(over)
            finally:
                keeping.cancel()
        await self.resign()

    async def _keep(self, over: asyncio.Event, stop: asyncio.Event) -> None:
        """Goes on after `over`: ending takes a while, and nobody else need act meanwhile."""
        try:
            while await self.beat():
                await wait_any(*([] if stop.is_set() else [stop.wait()]), self._clock.sleep(self._seconds / BEATS))
                if stop.is_set():
                    over.set()
        finally:
            over.set()

    async def _taken(self) -> bool:
        lease = await self._store.lease()
        if lease != self._seen:
            self._seen, self._seen_at = lease, self._clock.monotonic()
        if lease and lease.holder not in (self._holder, "") and not self._stale():
            return False
        mine = Lease(holder=self._holder, beat=lease.beat + 1 if lease else 1)
        asked_at = self._clock.monotonic()
        if not await self._store.swap_lease(lease, mine):
            return False
        # From before the question: others may have seen the change as early as that.
        self._seen, self._seen_at = mine, asked_at
        return True

    def _stale(self) -> bool:
        return self._clock.monotonic() - self._seen_at >= self._seconds
