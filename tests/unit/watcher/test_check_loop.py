"""The loop keeps its schedule, its manners and its nerve."""

import asyncio
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
import structlog
from prometheus_client import CollectorRegistry
from wentlive_common.events import BroadcastWentLive, CreatorProfileChanged
from wentlive_tiktok.status import Blocked, BlockedHow, Unknown
from wentlive_tiktok.testing import FakeLiveStatusSource
from wentlive_watcher.bootstrap import always
from wentlive_watcher.checks import Checks
from wentlive_watcher.domain import Follow, merged
from wentlive_watcher.egress import Egress, Egresses
from wentlive_watcher.gauges import WatcherGauges
from wentlive_watcher.settings import WatcherSettings

QUIET = {
    "store_url": "sqlite:///unused",
    "jitter": 0,
    "check_interval": 30,
    "requests_per_second": 100,
    "asked_per_minute": 600,
    "start_ramp": 0,
}


class Rig:
    """The loop over a real store, with a scripted TikTok and a clock that the test moves."""

    def __init__(self, store, clock, until):
        self.store = store
        self.clock = clock
        self.until = until
        self.tiktok = FakeLiveStatusSource()
        self.sources = {}
        self.registry = CollectorRegistry()
        self.stored = 0

    def _note_stored(self):
        self.stored += 1

    def checks(self, **settings):
        options = {**QUIET, "egresses": [{"name": name} for name in self.sources or ["direct"]], **settings}
        read = WatcherSettings.model_validate(options)
        gauges = WatcherGauges(self.registry)
        self.egresses = Egresses(
            [
                Egress(
                    egress.name,
                    read.budget(egress),
                    always(self.sources.get(egress.name, self.tiktok)),
                    clock=self.clock,
                    gauges=gauges,
                )
                for egress in read.egresses
            ]
        )
        return Checks(
            read,
            self.store,
            self.egresses,
            clock=self.clock,
            gauges=gauges,
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
        async def live_status(self, handle, **known):
            if handle == "ann":
                self.asked.append(handle)
                raise RuntimeError("a bug")
            return await super().live_status(handle, **known)

    rig.tiktok = Broken()
    rig.tiktok.script("bob", answers.offline_of("bob"))
    await rig.follow("ann", "bob")
    async with rig.running():
        await rig.checked("ann")
        await rig.checked("bob")
    watch = await rig.store.get("ann")
    assert watch.trouble == "unknown: The check failed here: RuntimeError."
    assert watch.consecutive_failures == 1


async def test_a_source_that_hangs_is_given_up(rig):
    class Hanging(FakeLiveStatusSource):
        async def live_status(self, handle, **known):
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

    async def claim_due(*arguments, **options):
        if error := next(failures, None):
            raise error
        return await working(*arguments, **options)

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
        async def live_status(self, handle, **known):
            await rig.store.unfollow(handle, rig.clock.now())
            return await super().live_status(handle, **known)

    rig.tiktok = Slow()
    rig.tiktok.script("ann", answers.live())
    await rig.follow("ann")
    async with rig.running():
        await rig.until(lambda: rig.counted("claim_lost") == 1)
    assert await rig.store.pending(10) == []


async def test_no_more_is_asked_in_a_second_than_is_polite(rig, answers):
    handles = [f"creator{number:02}" for number in range(30)]
    for handle in handles:
        rig.tiktok.script(handle, answers.offline_of(handle))
    await rig.follow(*handles)
    async with rig.running(requests_per_second=2, asked_per_minute=0.01, claim_interval=0.5):
        for second in range(10):
            await rig.at_rest()
            assert len(rig.tiktok.asked) <= 2 * (second + 1) + 2
            rig.clock.advance(1)
        await rig.until(lambda: len(rig.tiktok.asked) >= 20)
    assert len(set(rig.tiktok.asked)) == len(rig.tiktok.asked), "nobody twice while others wait"


async def test_a_start_comes_as_a_trickle(rig, answers):
    handles = [f"creator{number:02}" for number in range(60)]
    for handle in handles:
        rig.tiktok.script(handle, answers.offline_of(handle))
    await rig.follow(*handles)
    asked = []
    async with rig.running(requests_per_second=4, asked_per_minute=0.01, start_ramp=20):
        for _ in range(20):
            await rig.at_rest()
            asked.append(len(rig.tiktok.asked))
            rig.clock.advance(1)
    assert asked[5] <= 10
    assert asked[19] - asked[14] > asked[5]


async def test_no_more_run_at_once_than_allowed(rig, answers):
    class Counting(FakeLiveStatusSource):
        now = most = 0

        async def live_status(self, handle, **known):
            self.now += 1
            self.most = max(self.most, self.now)
            await asyncio.sleep(0.002)
            self.now -= 1
            return await super().live_status(handle, **known)

    rig.tiktok = Counting()
    handles = [f"creator{number}" for number in range(20)]
    for handle in handles:
        rig.tiktok.script(handle, answers.offline_of(handle))
    await rig.follow(*handles)
    async with rig.running(requests_per_second=1000, max_concurrent_checks=3, claim_interval=0.1):

        async def done():
            rig.clock.advance(0.1)
            return rig.counted("offline") == 20

        await rig.until(done)
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


async def test_waits_are_jittered_and_after_trouble_only_longer(rig, answers):
    rig.tiktok.script("ann", answers.offline())
    rig.tiktok.script("bob", Unknown(why="timeout"))
    await rig.follow("ann", "bob")
    waits = {"ann": [], "bob": []}
    async with rig.running(jitter=0.4, backoff_limit=1):
        for times in range(1, 21):
            for handle, seen in waits.items():
                await rig.store.expedite(handle, rig.clock.now())
                rig.clock.advance(2)
                await rig.checked(handle, times)
                watch = await rig.store.get(handle)
                seen.append((watch.next_check_at - watch.last_checked_at) / timedelta(seconds=30))
    assert len(set(waits["ann"])) > 10
    assert all(0.6 <= wait <= 1 for wait in waits["ann"])
    assert all(1.0 <= wait <= 1.41 for wait in waits["bob"])


async def test_a_creator_of_an_egress_is_asked_about_over_no_other(rig, answers):
    own, other = FakeLiveStatusSource(), FakeLiveStatusSource()
    rig.sources |= {"direct": other, "de": own}
    for source in (own, other):
        source.script("ann", answers.offline())
        source.script("bob", answers.offline_of("bob"))
    await rig.follow("ann", "bob")
    egresses = [{"name": "direct"}, {"name": "de", "creators": ["ann"], "requests_per_second": 0.5}]
    async with rig.running(egresses=egresses):
        for times in range(1, 4):
            await rig.until(lambda times=times: own.asked == ["ann"] * times and other.asked == ["bob"] * times)
            await rig.at_rest()
            rig.clock.advance(31)
    assert (await rig.store.get("ann")).egress == "de"
    rig.registry = CollectorRegistry()
    async with rig.running(egresses=[{"name": "direct"}]):
        await rig.until(lambda: "ann" in other.asked)
        await rig.at_rest()
    assert (await rig.store.get("ann")).egress is None


async def test_what_is_asked_for_has_a_budget_of_its_own(rig, answers):
    handles = [f"creator{number:02}" for number in range(12)]
    for handle in handles:
        rig.tiktok.script(handle, answers.offline_of(handle))
    await rig.follow(*handles)
    async with rig.running(requests_per_second=0.001, asked_per_minute=60):
        await rig.until(lambda: len(rig.tiktok.asked) == 2)
        for second in range(1, 10):
            await rig.at_rest()
            rig.clock.advance(1)
            await rig.until(lambda second=second: len(rig.tiktok.asked) == 2 + second)
    assert rig.tiktok.asked[-1] in handles


async def refused(rig, name, why: BlockedHow = "waf"):
    source = rig.sources[name] = FakeLiveStatusSource()
    for handle in ("ann", "bob"):
        source.script(handle, Blocked(how=why))
    return source


async def test_a_refused_check_goes_over_another_egress(rig, answers):
    await refused(rig, "de")
    rig.sources["fr"] = FakeLiveStatusSource()
    rig.sources["fr"].script("ann", answers.live())
    await rig.follow("ann")
    async with rig.running():
        await rig.until(lambda: rig.counted("live") == 1)
        watch = await rig.store.get("ann")
        assert (watch.state, watch.trouble) == ("live", None)


async def test_without_another_egress_the_state_stays_and_says_why(rig, answers):
    rig.tiktok.script("ann", answers.live(), Blocked(how="login"))
    await rig.follow("ann")
    with structlog.testing.capture_logs() as logs:
        async with rig.running(block_backoff=600) as checks:
            for times in (1, 2, 3):
                await rig.checked("ann", times)
                rig.clock.advance(61)
                checks.due.set()
            await rig.at_rest()
            rig.clock.advance(300)
            await rig.at_rest()
            assert len(rig.tiktok.asked) == 3, "nobody is asked about while the egress rests"
            (report,) = rig.egresses.reports()
            assert (report.state, report.why) == ("open", "login")
            rig.tiktok.script("ann", answers.live())
            rig.clock.advance(360)
            checks.due.set()
            await rig.until(lambda: rig.egresses.reports()[0].state == "closed")
    watch = await rig.store.get("ann")
    assert watch.broadcast is not None
    names = [entry["event"] for entry in logs]
    assert names.count("egress_rests") == names.count("egress_works_again") == 1


async def test_once_refused_nobody_else_asks_until_it_has_rested(rig, answers):
    handles = [f"creator{number:02}" for number in range(40)]
    for handle in handles:
        rig.tiktok.script(handle, Blocked(how="rate_limited"))
    await rig.follow(*handles)
    async with rig.running(max_concurrent_checks=2, requests_per_second=1000) as checks:
        rig.clock.advance(1)
        checks.due.set()
        await rig.until(lambda: rig.egresses.reports()[0].state == "open" and not checks._running)
        assert len(rig.tiktok.asked) <= 3
        for handle in handles:
            rig.tiktok.script(handle, answers.offline_of(handle))
        for _ in range(12):
            await rig.at_rest()
            rig.clock.advance(10)
            checks.due.set()
        await rig.until(lambda: set(rig.tiktok.asked) == set(handles))


async def test_who_is_tied_to_an_egress_waits_for_it_and_no_one_else_does(rig, answers):
    resting = await refused(rig, "de", "rate_limited")
    rig.sources["fr"] = FakeLiveStatusSource()
    for handle in ("ann", "bob", "cid"):
        rig.sources["fr"].script(handle, answers.offline_of(handle))
    await rig.follow("ann", "cid")
    egresses = [{"name": "de", "creators": ["ann"]}, {"name": "fr"}]
    async with rig.running(egresses=egresses):
        await rig.until(lambda: "ann" in resting.asked and "cid" in [*resting.asked, *rig.sources["fr"].asked])
        await rig.until(lambda: rig.egresses.reports()[0].state == "open")
        for _ in range(3):
            await rig.at_rest()
            rig.clock.advance(10)
        watch = await rig.store.get("ann")
    assert resting.asked.count("ann") == 1
    assert rig.sources["fr"].asked.count("ann") == 0
    assert watch.trouble == "blocked: rate_limited"


async def test_more_than_an_egress_may_ask_about_are_given_back(rig, answers):
    """The other egress has budget to spare; it is no reason to ask over this one in a burst."""
    own, other = FakeLiveStatusSource(), FakeLiveStatusSource()
    rig.sources |= {"direct": other, "de": own}
    tied = [f"creator{number:02}" for number in range(10)]
    for handle in (*tied, "zoe"):
        own.script(handle, answers.offline_of(handle))
        other.script(handle, answers.offline_of(handle))
    await rig.follow(*tied, "zoe")
    egresses = [{"name": "direct"}, {"name": "de", "creators": tied, "requests_per_second": 0.5}]
    async with rig.running(egresses=egresses, asked_per_minute=0.01, check_interval=3600) as checks:
        for second in range(25):
            await rig.at_rest()
            assert len(own.asked) <= 2 + second / 2, "one that was asked for, one ordinary, then one each 2 s"
            rig.clock.advance(1)
            checks.due.set()
        await rig.until(lambda: len(own.asked) == len(tied))
    assert sorted(own.asked) == tied, "each once, none had to wait for its lease"
    assert other.asked == ["zoe"]


async def test_who_waits_for_a_resting_egress_stands_in_nobodys_way(rig, answers):
    own, other = FakeLiveStatusSource(), FakeLiveStatusSource()
    rig.sources |= {"direct": other, "de": own}
    other.script("bob", answers.offline_of("bob"))
    await rig.follow("ann")
    rig.clock.advance(1)
    await rig.follow("bob")
    egresses = [{"name": "direct", "requests_per_second": 0.5}, {"name": "de", "creators": ["ann"]}]
    async with rig.running(egresses=egresses, asked_per_minute=0.01, block_backoff=600) as checks:
        rig.egresses.take("de").learn(Blocked(how="rate_limited"))
        for _ in range(20):
            await rig.at_rest()
            rig.clock.advance(1)
            checks.due.set()
        await rig.until(lambda: "bob" in other.asked)
    assert (own.asked, "ann" in other.asked) == ([], False)


async def test_who_waited_too_long_for_a_free_hand_is_given_back(rig, answers):
    done = asyncio.Event()

    class Slow(FakeLiveStatusSource):
        async def live_status(self, handle, **known):
            answer = await super().live_status(handle, **known)
            if len(self.asked) == 1:
                await done.wait()
            return answer

    rig.tiktok = Slow()
    for handle in ("ann", "bob"):
        rig.tiktok.script(handle, answers.offline_of(handle))
    await rig.follow("ann", "bob")
    async with rig.running(max_concurrent_checks=1) as checks:
        rig.clock.advance(1)
        checks.due.set()
        await rig.until(lambda: len(rig.tiktok.asked) == 1 and len(checks._running) == 2)
        rig.clock.advance(6)
        done.set()
        await rig.until(lambda: rig.counted("claim_lost") == 1)
        await rig.at_rest()
        rig.clock.advance(1)
        checks.due.set()
        await rig.until(lambda: len(set(rig.tiktok.asked)) == 2)


async def test_one_creator_under_two_handles_is_looked_at_once(rig, answers):
    for handle in ("ann", "old.ann"):
        rig.tiktok.script(handle, answers.live())
    await rig.follow("ann", "old.ann")
    async with rig.running():
        await rig.until(lambda: len(set(rig.tiktok.asked)) == 2)

        async def merged():
            return "merged" in [watch.state for watch in await rig.store.list()]

        await rig.until(merged)
        by_state = {watch.state: watch for watch in await rig.store.list()}
        assert set(by_state) == {"live", "merged"}
        lives = [e for e in await rig.store.pending(10) if isinstance(e.data, BroadcastWentLive)]
        assert len(lives) == 1
        profiles = [e for e in await rig.store.pending(10) if isinstance(e.data, CreatorProfileChanged)]
        assert len(profiles) == 2, "the merged one's tells the catalog that the two are one"
        await rig.store.unfollow(by_state["live"].handle, rig.clock.now())
        heir = await rig.store.get(by_state["merged"].handle)
        assert heir.broadcast == by_state["live"].broadcast


async def test_a_merged_watch_that_is_left_alone_looks_itself(rig, answers):
    rig.tiktok.script("ann", answers.live())
    await rig.follow("ann")
    (claim,) = await rig.store.claim_due(rig.clock.now(), timedelta(seconds=30), 5, "test")
    await rig.store.save(claim, merged(claim.watch, "42", rig.clock.now()), [])
    async with rig.running():
        await rig.checked("ann")
    assert (await rig.store.get("ann")).state == "live"


async def test_a_clock_that_went_back_leaves_nobody_waiting(rig, answers):
    rig.tiktok.script("ann", answers.offline())
    await rig.follow("ann")
    async with rig.running():
        await rig.checked("ann")
        rig.clock.step(-86_400)
        for _ in range(2):
            await rig.at_rest()
            rig.clock.advance(61)
        await rig.until(lambda: len(rig.tiktok.asked) >= 2)


async def test_what_was_not_understood_is_kept_for_a_person(rig):
    rig.tiktok.script("ann", Unknown(why="UpstreamChanged", evidence="x" * 9000))
    await rig.follow("ann")
    async with rig.running():
        await rig.checked("ann")
    assert (await rig.store.get("ann")).evidence.text == "x" * 4096


async def test_what_is_known_is_asked_along(rig, answers):
    rig.tiktok.script("ann", answers.live())
    await rig.follow("ann")
    async with rig.running():
        await rig.checked("ann")
        await rig.at_rest()
        rig.clock.advance(60)
        await rig.checked("ann", 2)
    assert [tuple(question) for question in rig.tiktok.questions] == [("ann", None, None), ("ann", "42", "7001")]
