"""The watcher's work: take who is due, ask TikTok, decide, store; for ever, whatever goes wrong in one check."""

import asyncio
import random
from collections.abc import Callable
from datetime import timedelta

import structlog
from wentlive_common.clock import Clock
from wentlive_common.events import AnyEvent, new_event
from wentlive_common.lifecycle import wait_any
from wentlive_common.model import to_milliseconds
from wentlive_tiktok.ports import LiveStatusSource
from wentlive_tiktok.status import LiveStatus, Unknown

from wentlive_watcher.decision import Decision, decide
from wentlive_watcher.domain import Watch
from wentlive_watcher.gauges import WatcherGauges
from wentlive_watcher.pace import Pace
from wentlive_watcher.ports import Claim, ClaimLost, WatchStore
from wentlive_watcher.settings import WatcherSettings

log = structlog.stdlib.get_logger(__name__)

SOURCE = "watcher"
DRAIN_SECONDS = 5.0
MAX_BACKOFF_SECONDS = 10.0


class Checks:
    """The loop over what is due. `due` is set from outside when something became due before its time."""

    def __init__(
        self,
        settings: WatcherSettings,
        store: WatchStore,
        tiktok: LiveStatusSource,
        *,
        clock: Clock,
        gauges: WatcherGauges,
        owner: str,
        stored: Callable[[], None],
    ) -> None:
        self._settings = settings
        self._policy = settings.policy
        self._store = store
        self._tiktok = tiktok
        self._clock = clock
        self._gauges = gauges
        self._owner = owner
        self._stored = stored
        self._pace = Pace(settings.checks_per_second, clock)
        self._running: set[asyncio.Task[None]] = set()
        self._store_failed = False
        self._full = False
        self.due = asyncio.Event()

    async def run(self, stop: asyncio.Event) -> None:
        """Checks until `stop`; checks that run then get a few seconds to end."""
        await self._count_open()
        backoff = 0.0
        try:
            while not stop.is_set():
                self.due.clear()
                started = await self._start_due()
                backoff = min(MAX_BACKOFF_SECONDS, max(1.0, backoff * 2)) if started is None else 0.0
                if not started:
                    pause = backoff or self._settings.claim_interval
                    await wait_any(stop.wait(), self.due.wait(), self._clock.sleep(pause))
        finally:
            await self._drain()

    async def _start_due(self) -> int | None:
        """Starts as many checks as may run, so that nothing claimed has to wait; None when the store fails."""
        free = self._settings.max_concurrent_checks - len(self._running)
        self._full = free <= 0
        room = min(free, self._pace.available())
        if room <= 0:
            return 0
        lease = timedelta(seconds=self._settings.lease)
        try:
            claims = await self._store.claim_due(self._clock.now(), lease, room, self._owner)
        except Exception as error:
            # The loop outlives whatever a database can raise; it is told once and tried again.
            self._store_answers(error)
            return None
        self._store_answers(None)
        self._pace.take(len(claims))
        for claim in claims:
            task = asyncio.create_task(self._check_safely(claim), name=f"check-{claim.watch.handle}")
            self._running.add(task)
            task.add_done_callback(self._ended)
        return len(claims)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if self._full:
            self.due.set()

    async def _check_safely(self, claim: Claim) -> None:
        with structlog.contextvars.bound_contextvars(handle=claim.watch.handle):
            try:
                await self._check(claim)
            except ClaimLost:
                self._gauges.checks.labels("claim_lost").inc()
                log.info("check_superseded")
            except Exception as error:
                # One creator's check must not take the others with it; its lease runs out and it is tried again.
                self._gauges.checks.labels("failed").inc()
                log.exception("check_failed", kind=type(error).__name__)

    async def _check(self, claim: Claim) -> None:
        answer = await self._ask(claim.watch.handle)
        now = to_milliseconds(self._clock.now())
        decision = decide(claim.watch, answer, now, self._policy)
        events = [new_event(data, SOURCE, time=now) for data in decision.news]
        await self._store.save(claim, self._jittered(decision.watch), events)
        self._gauges.checks.labels(answer.state).inc()
        self._gauges.lateness.observe(max(0.0, (now - claim.watch.next_check_at).total_seconds()))
        if decision.watch.trouble is None:
            self._gauges.last_answer.set(now.timestamp())
        if events:
            self._stored()
        _log_changes(claim.watch, decision, events)
        if (claim.watch.broadcast is None) != (decision.watch.broadcast is None):
            await self._count_open()

    async def _ask(self, handle: str) -> LiveStatus:
        try:
            async with asyncio.timeout(self._settings.check_timeout):
                return await self._tiktok.live_status(handle)
        except TimeoutError:
            return Unknown(why=f"No answer within {self._settings.check_timeout:g} s.")
        except Exception as error:
            # A source answers trouble as Unknown; one that raises has a bug, and the creator's schedule goes on.
            log.exception("live_status_source_failed", kind=type(error).__name__)
            return Unknown(why=f"The check failed here: {type(error).__name__}.")

    def _jittered(self, watch: Watch) -> Watch:
        if watch.last_checked_at is None:
            return watch
        # What TikTok asked us to wait is never cut short.
        least = 1.0 if watch.trouble else 1 - self._settings.jitter
        spread = random.uniform(least, 1 + self._settings.jitter)  # noqa: S311 - no secret
        wait = (watch.next_check_at - watch.last_checked_at) * spread
        return watch.model_copy(update={"next_check_at": to_milliseconds(watch.last_checked_at + wait)})

    async def _count_open(self) -> None:
        try:
            self._gauges.open_broadcasts.set(await self._store.open_broadcasts())
        except Exception as error:
            # A number on a page is not worth a check.
            self._store_answers(error)

    def _store_answers(self, error: Exception | None) -> None:
        if error is not None and not self._store_failed:
            log.warning("watch_store_failed", error=str(error), kind=type(error).__name__)
        elif error is None and self._store_failed:
            log.info("watch_store_back")
        self._store_failed = error is not None

    async def _drain(self) -> None:
        if not self._running:
            return
        _, late = await asyncio.wait(tuple(self._running), timeout=DRAIN_SECONDS)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)


def _log_changes(before: Watch, decision: Decision, events: list[AnyEvent]) -> None:
    after = decision.watch
    if before.state != after.state:
        log.info("creator_state_changed", before=before.state, after=after.state)
    if after.trouble is not None and before.trouble is None:
        log.warning("check_told_nothing", trouble=after.trouble)
    elif after.trouble is None and before.trouble is not None:
        log.info("check_tells_again")
    room_before = before.broadcast.key if before.broadcast else None
    room_after = after.broadcast.key if after.broadcast else None
    if room_before != room_after:
        log.info(
            "broadcast_changed", before=str(room_before), after=str(room_after), events=[event.type for event in events]
        )
