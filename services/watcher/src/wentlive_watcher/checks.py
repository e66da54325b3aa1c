"""The watcher's work: take who is due, ask TikTok, decide, store; for ever, whatever goes wrong in one check."""

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

import structlog
from wentlive_common.clock import Clock
from wentlive_common.events import AnyEvent, CreatorProfileChanged, new_event
from wentlive_common.lifecycle import wait_any
from wentlive_common.model import to_milliseconds
from wentlive_tiktok.status import LiveStatus, Unknown

from wentlive_watcher.asking import Asking
from wentlive_watcher.decision import Decision, decide
from wentlive_watcher.domain import CLOCKS_APART, Watch, merged, stands_alone
from wentlive_watcher.egress import Egresses, Turn
from wentlive_watcher.gauges import WatcherGauges
from wentlive_watcher.ports import Claim, ClaimLost, SameCreator, WatchStore
from wentlive_watcher.schedule import longest_wait, spread
from wentlive_watcher.settings import WatcherSettings

log = structlog.stdlib.get_logger(__name__)

SOURCE = "watcher"
DRAIN_SECONDS = 5.0
MAX_BACKOFF_SECONDS = 10.0
RECALL_SECONDS = 60.0
IN_HAND = 3
"""So many times the checks that may run at once are claimed: the others are next."""


class Checks:
    """The loop over what is due. `due` is set from outside when something became due before its time."""

    def __init__(
        self,
        settings: WatcherSettings,
        store: WatchStore,
        egresses: Egresses,
        *,
        clock: Clock,
        gauges: WatcherGauges,
        owner: str,
        stored: Callable[[], None],
    ) -> None:
        self._settings = settings
        self._policy = settings.policy
        self._ties = settings.ties
        self._store = store
        self._egresses = egresses
        self._asking = Asking(egresses, settings.check_timeout)
        self._clock = clock
        self._gauges = gauges
        self._owner = owner
        self._stored = stored
        self._slots = asyncio.Semaphore(settings.max_concurrent_checks)
        self._most_in_hand = settings.max_concurrent_checks * IN_HAND
        self._running: set[asyncio.Task[None]] = set()
        self._store_failed = False
        self._more_due = False
        self._recall_at = clock.monotonic()
        self.due = asyncio.Event()

    async def run(self, stop: asyncio.Event) -> None:
        """Checks until `stop`; checks that run then get a few seconds to end."""
        await self._count_open()
        backoff = 0.0
        try:
            while not stop.is_set():
                self.due.clear()
                worked = await self._start_all_due()
                backoff = 0.0 if worked else min(MAX_BACKOFF_SECONDS, max(1.0, backoff * 2))
                # Of several watchers in step, the one that looks first would get all: each keeps a time of its own.
                pause = backoff or self._settings.claim_interval * random.uniform(0.5, 1.5)  # noqa: S311 - no secret
                await wait_any(stop.wait(), self.due.wait(), self._clock.sleep(pause))
        finally:
            await self._drain()

    async def _start_all_due(self) -> bool:
        """Whether the store answered."""
        try:
            await self._recall()
            await self._start_due(asked_for=True)
            await self._start_due(asked_for=False)
        except Exception as error:
            # The loop outlives whatever a database can raise; it is told once and tried again.
            self._store_answers(error)
            return False
        return True

    async def _recall(self) -> None:
        """Heals what a wrong clock planned; asked now and then, for it costs a look at every watch's time."""
        if self._clock.monotonic() < self._recall_at:
            return
        now, lease = self._clock.now(), timedelta(seconds=self._settings.lease)
        due_by = now + longest_wait(self._policy, self._settings.jitter)
        recalled = await self._store.recall(now, due_by, now + lease + CLOCKS_APART)
        self._recall_at = self._clock.monotonic() + RECALL_SECONDS
        if recalled:
            log.warning("clock_went_back", recalled=recalled)

    async def _start_due(self, *, asked_for: bool) -> None:
        """Starts a few more checks than may run at once, so that none has to wait for the store."""
        free = self._most_in_hand - len(self._running)
        limit = min(free, self._egresses.free(asked_for=asked_for))
        if limit <= 0:
            return
        lease, busy = timedelta(seconds=self._settings.lease), self._egresses.busy(asked_for=asked_for)
        claims = await self._store.claim_due(
            self._clock.now(), lease, limit, self._owner, asked_for=asked_for, busy=busy
        )
        self._store_answers(None)
        too_many = [claim for claim in claims if not self._start(self._tied(claim), asked_for=asked_for)]
        self._more_due = len(claims) == free
        await self._put_back(too_many)
        self._claim_more()

    async def _put_back(self, claims: Sequence[Claim]) -> None:
        """A tie that is not stored yet is stored: else the store, which does not know it, hands them out again."""
        untied = [claim for claim in claims if claim.watch.egress != self._ties.get(claim.watch.handle)]
        if same := [claim for claim in claims if claim not in untied]:
            await self._store.give_back(same)
        for claim in untied:
            with contextlib.suppress(ClaimLost):
                await self._store.save(claim, self._tied(claim).watch, [])

    def _start(self, claim: Claim, *, asked_for: bool) -> bool:
        """Not when more are tied to one egress than it may ask about, though another may ask about more."""
        if claim.watch.merged_with:
            check = partial(self._check_merged, claim, claim.watch.merged_with)
        elif turn := self._egresses.take(claim.watch.egress, asked_for=asked_for):
            check = partial(self._check, claim, turn)
        else:
            return False
        task = asyncio.create_task(self._safely(claim, check), name=f"check-{claim.watch.handle}")
        self._running.add(task)
        task.add_done_callback(self._ended)
        return True

    def _tied(self, claim: Claim) -> Claim:
        """Settings rule, whatever was stored under others; the next save stores it."""
        watch, own = claim.watch, self._ties.get(claim.watch.handle)
        return claim if watch.egress == own else replace(claim, watch=watch.model_copy(update={"egress": own}))

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._claim_more()

    def _claim_more(self) -> None:
        """At once, when all hands were full and half are free: claims are cheaper by the dozen."""
        if self._more_due and len(self._running) <= self._most_in_hand // 2:
            self.due.set()

    async def _safely(self, claim: Claim, check: Callable[[], Awaitable[None]]) -> None:
        with structlog.contextvars.bound_contextvars(handle=claim.watch.handle):
            try:
                await check()
            except ClaimLost:
                self._gauges.checks.labels("claim_lost").inc()
                log.info("check_superseded")
            except Exception as error:
                # One creator's check must not take the others with it; its lease runs out and it is tried again.
                self._gauges.checks.labels("failed").inc()
                log.exception("check_failed", kind=type(error).__name__)

    async def _check(self, claim: Claim, turn: Turn) -> None:
        claimed_at = self._clock.monotonic()
        async with self._slots:
            # Too late to be done within the lease: whoever claims it next is to ask.
            if self._clock.monotonic() - claimed_at > self._settings.lease - self._settings.check_timeout:
                turn.learn(Unknown(why="Not asked: too many others were under way."))
                await self._store.give_back([claim])
                raise ClaimLost
            answer = await self._asking.ask(claim.watch, turn)
        now = to_milliseconds(self._clock.now())
        decision = decide(claim.watch, answer, now, self._policy)
        events = [new_event(data, SOURCE, time=now) for data in decision.news]
        try:
            await self._store.save(claim, self._spread(decision.watch), events)
        except SameCreator:
            await self._merge(claim, decision, now)
            return
        self._count(claim, answer, decision.watch, now)
        if events:
            self._stored()
        _log_changes(claim.watch, decision, events)
        if (claim.watch.broadcast is None) != (decision.watch.broadcast is None):
            await self._count_open()

    def _count(self, claim: Claim, answer: LiveStatus, after: Watch, now: datetime) -> None:
        self._gauges.checks.labels(answer.state).inc()
        self._gauges.lateness.observe(max(0.0, (now - claim.watch.next_check_at).total_seconds()))
        if after.trouble is None:
            self._gauges.last_answer.set(now.timestamp())

    async def _merge(self, claim: Claim, decision: Decision, now: datetime) -> None:
        """Somebody followed under two handles is looked at once; the other watch waits for that one to go.

        The profile is told even so: it is how the catalog learns that the two are one.
        """
        after = decision.watch
        if after.creator_id is None:
            return
        again = now + timedelta(seconds=self._policy.restricted_interval)
        profile = [
            new_event(data, SOURCE, time=now) for data in decision.news if isinstance(data, CreatorProfileChanged)
        ]
        await self._store.save(claim, merged(claim.watch, after.creator_id, again), profile)
        if profile:
            self._stored()
        log.info("watches_merged", creator_id=after.creator_id)

    async def _check_merged(self, claim: Claim, creator_id: str) -> None:
        """An unfollow hands over at once; this heals what died in between."""
        now = to_milliseconds(self._clock.now())
        if await self._store.holder(creator_id):
            again = now + timedelta(seconds=self._policy.restricted_interval)
            await self._store.save(claim, claim.watch.model_copy(update={"next_check_at": again}), [])
            return
        with contextlib.suppress(SameCreator):
            await self._store.save(claim, stands_alone(claim.watch, now), [])
            self.due.set()

    def _spread(self, watch: Watch) -> Watch:
        return spread(watch, self._settings.jitter, random.random())  # noqa: S311 - no secret

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
