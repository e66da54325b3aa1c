"""The loop keeps its schedule, its manners and its nerve."""

import asyncio
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
import structlog
from prometheus_client import CollectorRegistry
from wentlive_common.events import BroadcastWentLive, CreatorProfileChanged
from wentlive_tiktok.status import Blocked
from wentlive_tiktok.testing import FakeLiveStatusSource
from wentlive_watcher.checks import Checks
from wentlive_watcher.domain import Follow
from wentlive_watcher.gauges import WatcherGauges
from wentlive_watcher.settings import WatcherSettings


class Rig:
    """The loop over a real store, with a scripted TikTok and a clock that the test moves."""

    def __init__(self, store, clock, until):
        self.store = store
        self.clock = clock
        self.until = until
        self.tiktok = FakeLiveStatusSource()
        self.registry = CollectorRegistry()
        self.stored = 0

    def _note_stored(self):
        self.stored += 1

    def checks(self, **settings):
        options = {"store_url": "sqlite:///unused", "jitter": 0} | settings
        return Checks(
            WatcherSettings.model_validate(options),
            self.store,
            self.tiktok,
            clock=self.clock,
            gauges=WatcherGauges(self.registry),
            owner="test",
            stored=self._note_stored,
        )

    @asynccontextmanager
    async def running(self, **settings):
        stop = asyncio.Event()
        checks = self.checks(**settings)
        task = asyncio.create_task(checks.run(stop))
        try:
            yield checks
        finally:
            stop.set()
            await task

    async def follow(self, *handles):
        for handle in handles:
            await self.store.follow(Follow(handle=handle), self.clock.now(), self.clock.now())

    async def at_rest(self):
        """Nobody is due whom the loop could take: it sleeps."""
        await self.until(lambda: self.clock.sleeping)

    async def checked(self, handle, times=1):
        async def stored():
            watch = await self.store.get(handle)
            return self.tiktok.asked.count(handle) >= times and watch.last_checked_at == self.clock.now()

        await self.until(stored)

    def counted(self, outcome):
        return self.registry.get_sample_value("wentlive_watcher_checks_total", {"outcome": outcome}) or 0


@pytest.fixture
def rig(store, clock, until):
    return Rig(store, clock, until)


async def test_a_live_creator_is_stored_with_the_news_in_one_write(rig, answers):
    await rig.follow("ann")
    rig.tiktok.script("ann", answers.live())
    async with rig.running():
        await rig.checked("ann")
        await rig.until(lambda: rig.stored == 1)
        await rig.until(lambda: rig.registry.get_sample_value("wentlive_watcher_open_broadcasts") == 1)
    pending = await rig.store.pending(10)
    assert [type(event.data) for event in pending] == [CreatorProfileChanged, BroadcastWentLive]
    assert {event.source for event in pending} == {"/wentlive/watcher"}
    assert rig.counted("live") == 1


async def test_a_creator_is_checked_again_when_due_and_not_before(rig, answers):
    await rig.follow("ann")
    rig.tiktok.script("ann", answers.offline())
    async with rig.running():
        await rig.checked("ann")
        await rig.at_rest()
        rig.clock.advance(29)
        await rig.at_rest()
        assert len(rig.tiktok.asked) == 1
        rig.clock.advance(1)
        await rig.checked("ann", times=2)
    assert rig.counted("offline") == 2


async def test_what_becomes_due_early_is_checked_without_waiting(rig, answers):
    rig.tiktok.script("ann", answers.offline())
    async with rig.running(claim_interval=3600) as checks:
        await rig.at_rest()
        await rig.follow("ann")
        checks.due.set()
        await rig.checked("ann")


async def test_a_source_that_raises_stops_neither_the_loop_nor_the_creator(rig, answers):
    class Broken(FakeLiveStatusSource):
        async def live_status(self, handle):
            if handle == "ann":
                self.asked.append(handle)
                raise RuntimeError("a bug")
            return await super().live_status(handle)

    rig.tiktok = Broken()
    rig.tiktok.script("bob", answers.offline())
    await rig.follow("ann", "bob")
    async with rig.running():
        await rig.checked("ann")
        await rig.checked("bob")
    watch = await rig.store.get("ann")
    assert watch.trouble == "unknown: The check failed here: RuntimeError."
    assert watch.consecutive_failures == 1


async def test_a_source_that_hangs_is_given_up(rig):
    class Hanging(FakeLiveStatusSource):
        async def live_status(self, handle):
            self.asked.append(handle)
            await asyncio.Event().wait()
            raise AssertionError("nothing sets that event")

    rig.tiktok = Hanging()
    await rig.follow("ann")
    async with rig.running(check_timeout=0.01):
        await rig.checked("ann")
    assert (await rig.store.get("ann")).trouble == "unknown: No answer within 0.01 s."


async def test_a_store_that_fails_is_asked_again(rig, answers, monkeypatch):
    rig.tiktok.script("ann", answers.offline())
    await rig.follow("ann")
    working, failures = rig.store.claim_due, iter([OSError("disk"), OSError("disk")])

    async def claim_due(*arguments):
        if error := next(failures, None):
            raise error
        return await working(*arguments)

    monkeypatch.setattr(rig.store, "claim_due", claim_due)
    with structlog.testing.capture_logs() as logs:
        async with rig.running():
            await rig.at_rest()
            rig.clock.advance(1)
            await rig.at_rest()
            rig.clock.advance(2)
            await rig.checked("ann")
    assert [entry["event"] for entry in logs if "store" in entry["event"]] == ["watch_store_failed", "watch_store_back"]


async def test_a_save_that_fails_is_tried_again_after_the_lease(rig, answers, monkeypatch):
    rig.tiktok.script("ann", answers.live())
    await rig.follow("ann")
    working, failures = rig.store.save, iter([OSError("disk full")])

    async def save(*arguments):
        if error := next(failures, None):
            raise error
        await working(*arguments)

    monkeypatch.setattr(rig.store, "save", save)
    async with rig.running():
        await rig.until(lambda: rig.counted("failed") == 1)
        await rig.at_rest()
        rig.clock.advance(30)
        await rig.checked("ann", times=2)
    assert [type(event.data) for event in await rig.store.pending(10)] == [CreatorProfileChanged, BroadcastWentLive]


async def test_a_creator_unfollowed_during_the_check_is_not_told(rig, answers):
    class Slow(FakeLiveStatusSource):
        async def live_status(self, handle):
            await rig.store.unfollow(handle, rig.clock.now())
            return await super().live_status(handle)

    rig.tiktok = Slow()
    rig.tiktok.script("ann", answers.live())
    await rig.follow("ann")
    async with rig.running():
        await rig.until(lambda: rig.counted("claim_lost") == 1)
    assert await rig.store.pending(10) == []


async def test_no_more_is_asked_in_a_second_than_is_polite(rig, answers):
    handles = [f"creator{number}" for number in range(10)]
    for handle in handles:
        rig.tiktok.script(handle, answers.offline())
    await rig.follow(*handles)
    async with rig.running(checks_per_second=2, claim_interval=0.5):
        for second in range(5):
            await rig.until(lambda second=second: len(rig.tiktok.asked) == 2 * (second + 1))
            await rig.at_rest()
            rig.clock.advance(1)
    assert sorted(rig.tiktok.asked[:10]) == sorted(handles), "nobody twice while others wait"


async def test_no_more_run_at_once_than_allowed(rig, answers):
    class Counting(FakeLiveStatusSource):
        now = most = 0

        async def live_status(self, handle):
            self.now += 1
            self.most = max(self.most, self.now)
            await asyncio.sleep(0.002)
            self.now -= 1
            return await super().live_status(handle)

    rig.tiktok = Counting()
    handles = [f"creator{number}" for number in range(20)]
    for handle in handles:
        rig.tiktok.script(handle, answers.offline())
    await rig.follow(*handles)
    async with rig.running(checks_per_second=1000, max_concurrent_checks=3, claim_interval=3600):
        await rig.until(lambda: rig.counted("offline") == 20)
    assert rig.tiktok.most == 3


async def test_only_transitions_are_logged(rig, answers):
    rig.tiktok.script("ann", answers.offline())
    await rig.follow("ann")
    with structlog.testing.capture_logs() as logs:
        async with rig.running():
            for times in (1, 2, 3):
                await rig.checked("ann", times)
                await rig.at_rest()
                rig.clock.advance(30)
            await rig.checked("ann", 4)
    assert [entry["event"] for entry in logs] == ["creator_state_changed"]


async def test_waits_are_jittered_but_never_shorter_than_tiktok_asked(rig, answers):
    rig.tiktok.script("ann", answers.offline())
    rig.tiktok.script("bob", Blocked(how="rate_limited", retry_after=timedelta(seconds=1800)))
    await rig.follow("ann", "bob")
    waits = {"ann": [], "bob": []}
    async with rig.running(jitter=0.4, checks_per_second=1000):
        for times in range(1, 21):
            for handle, seen in waits.items():
                await rig.store.expedite(handle, rig.clock.now())
                rig.clock.advance(0.5)
                await rig.checked(handle, times)
                watch = await rig.store.get(handle)
                seen.append((watch.next_check_at - watch.last_checked_at) / timedelta(seconds=30))
    assert len(set(waits["ann"])) > 10
    assert all(0.6 <= wait <= 1.4 for wait in waits["ann"])
    assert all(60 <= wait <= 84 for wait in waits["bob"])
