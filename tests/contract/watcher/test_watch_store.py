"""What every watch store promises, whichever database keeps it: two watchers on one database stand for many."""

import asyncio
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import uuid4

import pytest
from wentlive_common.events import BroadcastEnded, new_event
from wentlive_common.ids import new_ulid
from wentlive_tiktok.status import Profile, Room
from wentlive_watcher.adapters.mongo_watches import open_mongo_watches
from wentlive_watcher.adapters.sqlite_watches import open_sqlite_watches
from wentlive_watcher.domain import Follow, OpenBroadcast, Restriction
from wentlive_watcher.ports import ClaimLost

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
LEASE = timedelta(seconds=30)


def after(seconds):
    return NOW + timedelta(seconds=seconds)


def ended(sequence=1):
    data = BroadcastEnded(creator_id="42", room_id="7001", handle="ann", sequence=sequence, at=NOW)
    return new_event(data, "watcher")


@pytest.fixture(params=["sqlite", "mongodb"])
async def open_store(request, tmp_path):
    """Opens the same database once more, as another watcher would."""
    if request.param == "sqlite":
        opened = partial(open_sqlite_watches, tmp_path / "watches.db")
    else:
        url = f"{request.getfixturevalue('mongodb_url').rstrip('/')}/watches_{uuid4().hex}"
        opened = partial(open_mongo_watches, url)

    async with AsyncExitStack() as stack:

        async def enter():
            return await stack.enter_async_context(opened())

        yield enter


@pytest.fixture
async def store(open_store):
    return await open_store()


@pytest.fixture
async def other(open_store, store):
    return await open_store()


async def claim(store, now=NOW, limit=10):
    return list(await store.claim_due(now, LEASE, limit, "somebody"))


async def follow(store, *handles):
    for handle in handles:
        await store.follow(Follow(handle=handle), NOW, NOW)


def moved(claim, seconds, **fields):
    return claim.watch.model_copy(update={"next_check_at": after(seconds), **fields})


async def test_a_follow_is_due_at_once_and_new_only_once(store):
    assert await store.follow(Follow(handle="ann", creator_id="42"), NOW, NOW)
    assert not await store.follow(Follow(handle="ann", creator_id="42"), after(5), after(5))
    watch = await store.get("ann")
    assert (watch.handle, watch.creator_id, watch.state, watch.next_check_at) == ("ann", "42", "new", NOW)
    assert await store.watched() == {"ann": after(5)}


async def test_nobody_is_there_who_was_not_followed(store):
    assert await store.get("ann") is None
    assert await store.list() == []
    assert await store.watched() == {}
    assert await claim(store) == []
    assert not await store.expedite("ann", NOW)
    assert not await store.unfollow("ann", NOW)
    assert await store.open_broadcasts() == 0
    assert await store.ready()


async def test_everything_about_a_watch_is_kept(store):
    await follow(store, "ann")
    (got,) = await claim(store)
    full = moved(
        got,
        60,
        creator_id="42",
        profile=Profile(creator_id="42", handle="ann", nickname="Änn 🎂", verified=True, follower_count=3),
        profile_told_at=NOW,
        state="live",
        trouble="blocked: waf",
        broadcast=OpenBroadcast(
            creator_id="42",
            room=Room(room_id="7001", title="$where.a", started_at=NOW),
            sequence=1_790_000_000,
            told_at=after(1),
            end_confirmations=1,
            doubted_at=after(2),
        ),
        sequence=1_790_000_000,
        restriction=Restriction(reason="age", since=NOW),
        not_found_count=2,
        consecutive_failures=3,
        last_checked_at=after(3),
    )
    await store.save(got, full, [])
    assert await store.get("ann") == full
    assert await store.list() == [full]
    assert await store.open_broadcasts() == 1


async def test_a_follow_survives_the_process(store, open_store):
    await follow(store, "ann")
    again = await open_store()
    assert await again.get("ann") == await store.get("ann")


async def test_the_longest_due_are_claimed_first_and_no_more_than_asked_for(store):
    for number in range(5):
        await store.follow(Follow(handle=f"c{number}"), after(-number), after(-number))
    got = await claim(store, limit=3)
    assert [claim.watch.handle for claim in got] == ["c4", "c3", "c2"]


async def test_what_is_not_due_is_not_claimed(store):
    await follow(store, "ann")
    (got,) = await claim(store)
    await store.save(got, moved(got, 60), [])
    assert await claim(store, after(59)) == []
    assert len(await claim(store, after(60))) == 1


async def test_what_is_claimed_is_nobody_elses(store, other):
    await follow(store, "ann")
    assert len(await claim(store)) == 1
    assert await claim(other, after(29)) == []


async def test_watchers_at_once_share_without_overlap(store, other):
    handles = [f"creator{number}" for number in range(60)]
    await follow(store, *handles)
    taken = []

    async def work(own):
        while len(taken) < len(handles):
            taken.extend(one.watch.handle for one in await claim(own, limit=3))

    async with asyncio.timeout(20):
        await asyncio.gather(*(work(own) for own in (store, other) for _ in range(4)))
    assert sorted(taken) == sorted(handles)


async def test_a_dead_watchers_share_is_taken_over_after_one_lease(store, other):
    await follow(store, "ann")
    (dead,) = await claim(store)
    (taken,) = await claim(other, after(30))
    assert taken.watch == dead.watch
    assert taken.token != dead.token


async def test_whose_lease_was_taken_over_must_not_overwrite(store, other):
    await follow(store, "ann")
    (late,) = await claim(store)
    (taken,) = await claim(other, after(30))
    with pytest.raises(ClaimLost):
        await store.save(late, moved(late, 90, state="offline"), [ended()])
    assert await store.pending(10) == []
    await other.save(taken, moved(taken, 60, state="live"), [])
    with pytest.raises(ClaimLost):
        await store.save(late, moved(late, 90, state="offline"), [ended()])
    assert (await store.get("ann")).state == "live"


async def test_a_late_save_counts_while_nobody_else_took_over(store):
    await follow(store, "ann")
    (late,) = await claim(store)
    await store.save(late, moved(late, 90, state="live"), [])
    assert (await store.get("ann")).state == "live"


async def test_a_claim_saves_once(store):
    await follow(store, "ann")
    (got,) = await claim(store)
    await store.save(got, moved(got, 60), [])
    with pytest.raises(ClaimLost):
        await store.save(got, moved(got, 90), [])


async def test_events_wait_in_order_until_they_are_cleared(store, other):
    await follow(store, "ann")
    first, second, third = ended(1), ended(2), ended(3)
    (got,) = await claim(store)
    await store.save(got, moved(got, 0), [first, second])
    (got,) = await claim(store)
    await store.save(got, moved(got, 60), [third])
    assert list(await other.pending(10)) == [first, second, third]
    assert list(await other.pending(2)) == [first, second]
    await other.clear([first.id, third.id])
    assert list(await store.pending(10)) == [second]
    await store.clear([second.id, new_ulid()])
    assert list(await store.pending(10)) == []


async def test_an_unfollow_takes_the_watch_out_of_every_hand(store, other):
    await follow(store, "ann", "bob")
    got = next(claim for claim in await claim(store) if claim.watch.handle == "ann")
    assert await other.unfollow("ann", after(1))
    assert not await other.unfollow("ann", after(1))
    with pytest.raises(ClaimLost):
        await store.save(got, moved(got, 60), [ended()])
    assert await store.get("ann") is None
    assert [watch.handle for watch in await store.list()] == ["bob"]
    assert set(await store.watched()) == {"bob"}
    assert [claim.watch.handle for claim in await claim(store, after(60))] == ["bob"]


async def test_an_unfollow_loses_no_event_that_waits(store):
    await follow(store, "ann")
    event = ended()
    (got,) = await claim(store)
    await store.save(got, moved(got, 60), [event])
    await store.unfollow("ann", after(1))
    assert list(await store.pending(10)) == [event]
    assert await store.open_broadcasts() == 0
    assert await store.follow(Follow(handle="ann"), after(2), after(2)), "followed anew while the event waits"
    assert list(await store.pending(10)) == [event]
    assert (await store.get("ann")).state == "new"


async def test_an_unfollow_from_before_the_follow_is_ignored(store):
    await store.follow(Follow(handle="ann"), after(10), after(10))
    assert not await store.unfollow("ann", after(9))
    assert await store.get("ann") is not None


async def test_who_is_followed_again_is_watched_anew(store):
    await follow(store, "ann")
    (got,) = await claim(store)
    await store.save(got, moved(got, 600, state="offline"), [])
    await store.unfollow("ann", after(1))
    assert await store.follow(Follow(handle="ann"), after(2), after(2))
    watch = await store.get("ann")
    assert (watch.state, watch.next_check_at) == ("new", after(2))
    assert len(await claim(store, after(2))) == 1


async def test_expedite_makes_due_now_and_never_later(store):
    await follow(store, "ann")
    (got,) = await claim(store)
    await store.save(got, moved(got, 60), [])
    assert await store.expedite("ann", after(5))
    assert (await store.get("ann")).next_check_at == after(5)
    assert await store.expedite("ann", after(50))
    assert (await store.get("ann")).next_check_at == after(5)


async def test_pages_by_handle(store):
    await follow(store, "c", "a", "b")
    first = await store.list(limit=2)
    rest = await store.list(limit=2, after=first[-1].handle)
    assert [watch.handle for watch in [*first, *rest]] == ["a", "b", "c"]


async def test_one_handle_followed_at_once_by_many_is_new_once(store, other):
    new = await asyncio.gather(
        *(who.follow(Follow(handle="ann"), after(n), after(n)) for n in range(5) for who in (store, other))
    )
    assert new.count(True) == 1
    assert await store.watched() == {"ann": after(4)}
