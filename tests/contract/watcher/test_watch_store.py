"""What every watch store promises, whichever database keeps it: two watchers on one database stand for many."""

import asyncio
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import uuid4

import pytest
from wentlive_common.capture import Quality, Wishes
from wentlive_common.events import BroadcastEnded, new_event
from wentlive_common.ids import new_ulid
from wentlive_tiktok.status import Profile, Room
from wentlive_watcher.adapters.mongo_watches import open_mongo_watches
from wentlive_watcher.adapters.sqlite_watches import open_sqlite_watches
from wentlive_watcher.domain import Doubt, Evidence, Follow, OpenBroadcast, Restriction, merged
from wentlive_watcher.live_hours import LiveHours
from wentlive_watcher.ports import ClaimLost, SameCreator

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


async def claim(store, now=NOW, limit=10, **options):
    return list(await store.claim_due(now, LEASE, limit, "somebody", **options))


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
            over=Doubt(answers=2, seconds=10.5, at=after(2)),
            hidden=Doubt(at=after(2)),
        ),
        live_hours=LiveHours(seconds=tuple(range(48)), day=739_943),
        last_ended_at=NOW,
        current_handle="ann.new",
        egress="de",
        evidence=Evidence(text='{"$where": "\u0000"}', at=NOW),
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


async def test_what_is_given_back_is_anybodys_and_as_it_was(store, other):
    await follow(store, "ann", "bob")
    before = await store.get("ann")
    asked = await claim(store, asked_for=True)
    await store.give_back(asked)
    assert await store.get("ann") == before
    assert len(await claim(other, asked_for=True)) == 2, "they are still asked for"
    await store.give_back(asked)
    assert await claim(store) == [], "what somebody else has by now is not theirs to give back"
    await store.give_back([])


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


async def test_what_is_asked_for_is_claimed_before_it_is_due_and_once(store, other):
    await follow(store, "ann", "bob")
    for got in await claim(store):
        await store.save(got, moved(got, 600), [])
    assert await claim(store, asked_for=True) == []
    assert await store.expedite("bob", after(5))
    assert await store.expedite("ann", after(6))
    assert await store.expedite("bob", after(7))
    assert await claim(store, after(8)) == [], "its schedule is not touched"
    (first,) = await claim(store, after(8), limit=1, asked_for=True)
    assert first.watch.handle == "bob", "who has waited longest"
    (second,) = await claim(other, after(8), asked_for=True)
    assert second.watch.handle == "ann"
    await store.save(first, moved(first, 600), [])
    assert await claim(store, after(9), asked_for=True) == []
    (taken,) = await claim(store, after(38), asked_for=True)
    assert taken.watch.handle == "ann", "asked of a watcher that died, it is still asked for"


async def test_a_new_follow_is_asked_for(store):
    await follow(store, "ann")
    (got,) = await claim(store, asked_for=True)
    assert got.watch.handle == "ann"
    assert await claim(store) == []


async def test_an_ordinary_check_answers_who_asked_too(store):
    await follow(store, "ann")
    (got,) = await claim(store)
    await store.save(got, moved(got, 60), [])
    assert await claim(store, asked_for=True) == []


async def test_who_is_tied_to_a_busy_egress_is_left_out(store):
    await follow(store, "ann", "bob", "cid")
    ties = {"ann": "de", "bob": "fr", "cid": None}
    for got in await claim(store):
        await store.save(got, moved(got, 0, egress=ties[got.watch.handle]), [])
    got = await claim(store, busy={"de"})
    assert sorted(one.watch.handle for one in got) == ["bob", "cid"]
    assert await claim(store, busy={"de", "fr"}) == []
    assert [one.watch.handle for one in await claim(store)] == ["ann"]


async def test_one_creator_is_watched_once(store, other):
    await follow(store, "ann", "old.ann")
    first, second = await claim(store)
    await store.save(first, moved(first, 60, creator_id="42"), [])
    with pytest.raises(SameCreator):
        await other.save(second, moved(second, 60, creator_id="42"), [ended()])
    assert await store.pending(10) == [], "nothing is told twice"
    assert (await store.get(second.watch.handle)).state == "new"
    await other.save(second, merged(second.watch, "42", after(300)), [])
    assert (await store.holder("42")).handle == first.watch.handle
    assert await store.holder("43") is None
    assert set(await store.watched()) == {"ann", "old.ann"}


async def test_one_of_two_at_once_gets_the_creator(store):
    await follow(store, "ann", "old.ann", "bob")
    claims = await claim(store)
    ids = {"ann": "42", "old.ann": "42", "bob": "43"}
    outcomes = await asyncio.gather(
        *(store.save(one, moved(one, 60, creator_id=ids[one.watch.handle]), []) for one in claims),
        return_exceptions=True,
    )
    assert [type(outcome) for outcome in outcomes if outcome] == [SameCreator]
    assert await store.holder("43") is not None


async def test_who_is_followed_by_id_under_another_handle_is_merged_at_once(store):
    await store.follow(Follow(handle="ann", creator_id="42"), NOW, NOW)
    assert await store.follow(Follow(handle="old.ann", creator_id="42"), NOW, NOW)
    watch = await store.get("old.ann")
    assert (watch.state, watch.merged_with, watch.creator_id) == ("merged", "42", None)
    for got in await claim(store):
        await store.save(got, moved(got, 600), [])
    assert await store.expedite("old.ann", after(1))
    (asked,) = await claim(store, after(1), asked_for=True)
    assert asked.watch.handle == "ann", "the one that looks is asked"


async def test_the_last_one_left_takes_over_what_was_known(store):
    await store.follow(Follow(handle="ann", creator_id="42"), NOW, NOW)
    await store.follow(Follow(handle="old.ann", creator_id="42"), NOW, NOW)
    got = {one.watch.handle: one for one in await claim(store)}
    broadcast = OpenBroadcast(creator_id="42", room=Room(room_id="7001"), sequence=5, told_at=NOW)
    known = moved(got["ann"], 60, broadcast=broadcast, sequence=5, state="live")
    await store.save(got["ann"], known, [])
    assert await store.unfollow("ann", after(1))
    heir = await store.get("old.ann")
    assert (heir.broadcast, heir.sequence, heir.creator_id, heir.merged_with) == (broadcast, 5, "42", None)
    assert (heir.handle, heir.asks) == ("old.ann", "ann")
    assert await store.open_broadcasts() == 1
    with pytest.raises(ClaimLost):
        await store.save(got["old.ann"], moved(got["old.ann"], 300), [])
    assert await store.unfollow("old.ann", after(1))
    assert await store.holder("42") is None
    assert await store.follow(Follow(handle="ann", creator_id="42"), after(2), after(2))
    assert (await store.get("ann")).creator_id == "42"


async def test_what_a_wrong_clock_planned_is_recalled(store, other):
    await follow(store, "ann", "bob", "cid")
    got = {one.watch.handle: one for one in await claim(store, after(86_400))}
    await store.save(got["ann"], moved(got["ann"], 86_400 + 60), [])
    await store.save(got["bob"], moved(got["bob"], 60), [])
    assert await claim(other, after(10)) == []
    assert await other.recall(after(10), after(400), after(400)) == 1
    assert sorted(one.watch.handle for one in await claim(other, after(10))) == ["ann", "cid"]
    assert (await store.get("bob")).next_check_at == after(60)


async def test_some_are_found_by_handle(store):
    await follow(store, "c", "a", "b")
    assert [watch.handle for watch in await store.find(["b", "nobody", "a"])] == ["a", "b"]
    assert await store.find([]) == []


async def test_many_saves_at_once_each_have_their_own_outcome(store, other):
    handles = [f"creator{number:03}" for number in range(40)]
    await follow(store, *handles)
    claims = await claim(store, limit=40)
    await other.unfollow("creator007", after(1))
    outcomes = await asyncio.gather(
        *(store.save(one, moved(one, 60, state="offline"), [ended()]) for one in claims), return_exceptions=True
    )
    lost = [one.watch.handle for one, outcome in zip(claims, outcomes, strict=True) if outcome]
    assert lost == ["creator007"]
    assert len(await store.pending(100)) == 39
    assert {watch.state for watch in await store.list()} == {"offline"}


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


async def test_wishes_survive_a_check_that_was_under_way(store, other):
    wishes = Wishes(quality=Quality(max_height=720), interval="eager")
    await store.follow(Follow(handle="ann", wishes=Wishes(interval="relaxed")), NOW, NOW)
    assert (await store.get("ann")).wishes.interval == "relaxed"
    (claimed,) = await claim(store)
    assert await other.wish("ann", wishes)
    assert not await other.wish("ann", wishes)
    await store.save(claimed, moved(claimed, 60), [])
    assert (await store.get("ann")).wishes == wishes
    assert (await claim(store, after(60)))[0].watch.wishes == wishes
    assert await store.wishes() == {"ann": wishes}
    assert not await store.wish("bob", wishes)
