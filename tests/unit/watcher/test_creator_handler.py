"""Events about creators arrive twice, late and out of order; the watch list is right all the same."""

from datetime import timedelta

import pytest
from wentlive_common.capture import Quality, Wishes
from wentlive_common.events import (
    CreatorCheckRequested,
    CreatorFollowed,
    CreatorSettingsChanged,
    CreatorUnfollowed,
    new_event,
)
from wentlive_watcher.handlers import creator_handler


class Desk:
    def __init__(self, store, clock):
        self.due = 0
        self._clock = clock
        self._handle = creator_handler(store, clock, self._count)

    def _count(self):
        self.due += 1

    async def tell(self, data, at=None):
        await self._handle(new_event(data, "catalog", time=at or self._clock.now()))


@pytest.fixture
def desk(store, clock):
    return Desk(store, clock)


async def test_a_follow_makes_a_watch_that_is_due(desk, store, clock):
    await desk.tell(CreatorFollowed(handle="ann", creator_id="42"))
    watch = await store.get("ann")
    assert (watch.creator_id, watch.state, watch.next_check_at) == ("42", "new", clock.now())
    assert desk.due == 1


async def test_a_follow_told_again_changes_nothing(desk, store, clock):
    await desk.tell(CreatorFollowed(handle="ann"))
    first = await store.get("ann")
    clock.advance(5)
    await desk.tell(CreatorFollowed(handle="ann"))
    assert await store.get("ann") == first
    assert desk.due == 1


async def test_an_unfollow_ends_the_watch_however_often_it_is_told(desk, store):
    await desk.tell(CreatorFollowed(handle="ann"))
    await desk.tell(CreatorUnfollowed(handle="ann"))
    await desk.tell(CreatorUnfollowed(handle="ann"))
    assert await store.get("ann") is None


async def test_an_unfollow_that_comes_late_does_not_undo_a_newer_follow(desk, store, clock):
    early = clock.now()
    await desk.tell(CreatorFollowed(handle="ann"))
    clock.advance(60)
    await desk.tell(CreatorFollowed(handle="ann"))
    await desk.tell(CreatorUnfollowed(handle="ann"), at=early + timedelta(seconds=30))
    assert await store.get("ann") is not None


async def test_a_check_that_is_asked_for_is_due_now(desk, store, clock):
    await desk.tell(CreatorFollowed(handle="ann"))
    (claim,) = await store.claim_due(clock.now(), timedelta(seconds=30), 10, "w")
    later = clock.now() + timedelta(seconds=300)
    await store.save(claim, claim.watch.model_copy(update={"next_check_at": later}), [])
    clock.advance(1)
    await desk.tell(CreatorCheckRequested(handle="ann"))
    assert await store.claim_due(clock.now(), timedelta(seconds=30), 10, "w") == []
    (asked,) = await store.claim_due(clock.now(), timedelta(seconds=30), 10, "w", asked_for=True)
    assert asked.watch.handle == "ann"
    assert desk.due == 2


async def test_a_check_of_somebody_unknown_is_ignored(desk, store):
    await desk.tell(CreatorCheckRequested(handle="nobody"))
    assert await store.get("nobody") is None
    assert desk.due == 0


async def test_wishes_come_with_the_follow_and_later(desk, store):
    small = Wishes(quality=Quality(prefer="smallest"))
    await desk.tell(CreatorFollowed(handle="ann", wishes=small))
    assert (await store.get("ann")).wishes == small
    await desk.tell(CreatorSettingsChanged(handle="ann", wishes=Wishes(interval="eager")))
    await desk.tell(CreatorSettingsChanged(handle="nobody", wishes=small))
    assert (await store.get("ann")).wishes == Wishes(interval="eager")
