"""The catalog's list heals the watch list, and never empties it by mistake."""

import asyncio
from datetime import timedelta

import httpx
import pytest
from pydantic import SecretStr
from wentlive_common.capture import Wishes
from wentlive_common.lifecycle import wait_any
from wentlive_watcher.domain import Follow, FollowSnapshot
from wentlive_watcher.snapshot import MAX_BYTES, SnapshotLoop, SnapshotUnavailable, fetch_follows, reconcile

URL = "http://catalog.test/internal/v1/follows"


def snapshot(at, *handles):
    return FollowSnapshot(follows=tuple(Follow(handle=handle) for handle in handles), taken_at=at)


async def fetch(respond):
    async with httpx.AsyncClient(transport=httpx.MockTransport(respond)) as http:
        return await fetch_follows(http, URL, SecretStr("s3cret"))


async def test_the_list_is_asked_for_with_the_service_token():
    def respond(request):
        assert request.headers["authorization"] == "Bearer s3cret"
        return httpx.Response(
            200, json={"follows": [{"handle": "ann", "creator_id": "42"}], "taken_at": "2026-11-23T12:00:00Z"}
        )

    got = await fetch(respond)
    assert got.follows == (Follow(handle="ann", creator_id="42"),)


def _refuse(_request):
    raise httpx.ConnectError("refused")


@pytest.mark.parametrize(
    "respond",
    [
        pytest.param(_refuse, id="catalog down"),
        pytest.param(lambda _: httpx.Response(401), id="wrong token"),
        pytest.param(lambda _: httpx.Response(500), id="error"),
        pytest.param(lambda _: httpx.Response(302, headers={"location": "http://evil.test"}), id="redirect"),
        pytest.param(lambda _: httpx.Response(200, text=""), id="empty body"),
        pytest.param(lambda _: httpx.Response(200, text="<html>"), id="a page"),
        pytest.param(lambda _: httpx.Response(200, json=[]), id="a list"),
        pytest.param(lambda _: httpx.Response(200, json={"follows": []}), id="no time"),
        pytest.param(
            lambda _: httpx.Response(200, json={"follows": [{"handle": "A B"}], "taken_at": "2026-11-23T12:00:00Z"}),
            id="no handle",
        ),
        pytest.param(lambda _: httpx.Response(200, content=b" " * (MAX_BYTES + 1)), id="endless"),
    ],
)
async def test_whatever_is_not_a_whole_list_is_unavailable(respond):
    with pytest.raises(SnapshotUnavailable) as raised:
        await fetch(respond)
    assert "s3cret" not in str(raised.value)


async def test_missing_creators_are_watched_and_dropped_ones_are_not(store, start):
    await store.follow(Follow(handle="ann"), start, start)
    await store.follow(Follow(handle="bob"), start, start)
    later = start + timedelta(seconds=60)
    assert await reconcile(store, snapshot(later, "bob", "cid"), later) == 2
    assert set(await store.watched()) == {"bob", "cid"}
    assert await reconcile(store, snapshot(later, "bob", "cid"), later) == 0


async def test_who_was_followed_after_the_snapshot_stays(store, start):
    await store.follow(Follow(handle="ann"), start + timedelta(seconds=1), start)
    await reconcile(store, snapshot(start, "bob"), start)
    assert set(await store.watched()) == {"ann", "bob"}


async def test_what_a_wrong_clock_followed_can_be_dropped_again(store, start):
    await store.follow(Follow(handle="ann"), start + timedelta(days=365), start)
    await store.follow(Follow(handle="bob"), start, start)
    await reconcile(store, snapshot(start, "bob"), start)
    assert set(await store.watched()) == {"bob"}


async def test_a_catalog_whose_clock_is_ahead_makes_nobody_wait(store, start):
    await reconcile(store, snapshot(start + timedelta(hours=5), "ann"), start)
    assert (await store.get("ann")).next_check_at == start


async def test_an_empty_list_drops_nobody(store, start):
    await store.follow(Follow(handle="ann"), start, start)
    await reconcile(store, snapshot(start + timedelta(days=1)), start)
    assert set(await store.watched()) == {"ann"}


async def test_the_loop_survives_failures_and_tries_again_sooner(store, start, clock, until):
    answers = [SnapshotUnavailable(), ValueError("a bug"), snapshot(start, "ann")]
    asked, due, stop = [], asyncio.Event(), asyncio.Event()

    async def fetch_next():
        asked.append(clock.now())
        answer = answers[min(len(asked), len(answers)) - 1]
        if isinstance(answer, Exception):
            raise answer
        return answer

    loop = SnapshotLoop(store, fetch_next, interval=60, clock=clock, due=due.set)
    running = asyncio.create_task(loop.run(stop))
    for tries in (1, 2, 3):
        await until(lambda tries=tries: len(asked) == tries and clock.sleeping)
        clock.advance(5)
    await wait_any(due.wait(), asyncio.sleep(5))
    assert set(await store.watched()) == {"ann"}
    assert len(asked) == 3, "after a success it waits the whole interval"
    stop.set()
    await running


async def test_wishes_that_were_never_heard_of_are_learnt(store, start):
    await store.follow(Follow(handle="ann"), start, start)
    eager = Follow(handle="ann", wishes=Wishes(interval="eager"))
    told = FollowSnapshot(follows=(eager,), taken_at=start)
    assert [await reconcile(store, told, start) for _ in range(2)] == [1, 0]
    assert (await store.get("ann")).wishes.interval == "eager"
