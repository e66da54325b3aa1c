"""A live is told once in effect, whenever the watcher is killed."""

import asyncio
import random
from datetime import UTC, datetime
from functools import partial

import aio_pika
import pytest
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from wentlive_common.bus.memory import InMemoryBus
from wentlive_common.events import (
    BroadcastEnded,
    BroadcastPaused,
    BroadcastResumed,
    BroadcastWentLive,
    CreatorCheckRequested,
    CreatorFollowed,
    CreatorProfileChanged,
    CreatorRestricted,
    CreatorUnfollowed,
    new_event,
)
from wentlive_common.health import serve_http
from wentlive_devkit.servers import MongoServer
from wentlive_devkit.servers.ports import free_port
from wentlive_devkit.tiktok import LiveScript
from wentlive_devkit.tiktok.traps import RefusalScript, TrapScript
from wentlive_watcher.bootstrap import bootstrap, open_watch_store
from wentlive_watcher.domain import Follow
from wentlive_watcher.ports import WatchStore
from wentlive_watcher.settings import WatcherSettings


def told(event_data):
    return new_event(event_data, "catalog")


async def test_from_a_follow_to_the_end_of_a_live(watcher, listener, bus, tiktok, until):
    await watcher.start()
    await bus.publish(told(CreatorFollowed(handle="ann")))
    await until(lambda: bool(listener.of(CreatorProfileChanged)))
    assert listener.of(CreatorProfileChanged)[0].nickname == "Ann"

    room = tiktok.world.go_live("ann", LiveScript(title="Cooking")).room_id
    await until(lambda: len(listener.of(BroadcastWentLive, room)) >= 3)
    lives = listener.of(BroadcastWentLive, room)
    assert {(live.handle, live.title) for live in lives} == {("ann", "Cooking")}
    assert len({live.sequence for live in lives}) == 1, "repeats carry the same sequence"

    tiktok.world.pause("ann")
    await until(lambda: bool(listener.of(BroadcastPaused, room)))
    tiktok.world.resume("ann")
    await until(lambda: bool(listener.of(BroadcastResumed, room)))
    tiktok.world.end("ann")
    await until(lambda: bool(listener.of(BroadcastEnded, room)))
    assert await watcher.stop() == 0
    assert len(listener.of(BroadcastEnded)) == 1
    assert "Traceback" not in watcher.log


async def test_what_cannot_be_watched_is_said(watcher, listener, bus, until):
    await watcher.start()
    await bus.publish(told(CreatorFollowed(handle="bob")))
    await bus.publish(told(CreatorFollowed(handle="nobody.there")))
    await until(lambda: len(listener.of(CreatorRestricted)) >= 2)
    assert {(data.handle, data.reason) for data in listener.of(CreatorRestricted)} == {
        ("bob", "private"),
        ("nobody.there", "not_found"),
    }


async def test_an_unfollow_while_live_claims_no_end(watcher, listener, bus, tiktok, until):
    await watcher.start()
    await bus.publish(told(CreatorFollowed(handle="ann")))
    room = tiktok.world.go_live("ann", LiveScript()).room_id
    await until(lambda: bool(listener.of(BroadcastWentLive, room)))
    await bus.publish(told(CreatorUnfollowed(handle="ann")))
    await until(lambda: "creator_dropped" in watcher.log)
    tiktok.world.end("ann")
    assert await watcher.stop() == 0
    assert listener.of(BroadcastEnded) == []


async def test_a_check_that_is_asked_for_does_not_wait(watcher, listener, bus, tiktok, until):
    await watcher.start(CHECK_INTERVAL="3600")
    await bus.publish(told(CreatorFollowed(handle="ann")))
    await until(lambda: bool(listener.of(CreatorProfileChanged)))
    tiktok.world.go_live("ann", LiveScript())
    await bus.publish(told(CreatorCheckRequested(handle="ann")))
    await until(lambda: bool(listener.of(BroadcastWentLive)))


async def test_killed_at_any_moment_nothing_is_lost_or_told_twice(watcher, listener, bus, tiktok, store_url, until):
    chance = random.Random(7)
    await watcher.start(STORE_URL=store_url)
    await bus.publish(told(CreatorFollowed(handle="ann")))
    await until(lambda: bool(listener.of(CreatorProfileChanged)))
    rooms = []

    async def kill_and_restart():
        heard = len(listener.events) + chance.randrange(2)
        await until(lambda: len(listener.events) >= heard or not rooms)
        await watcher.kill()
        await watcher.start(STORE_URL=store_url)

    for _ in range(2):
        room = tiktok.world.go_live("ann", LiveScript()).room_id
        rooms.append(room)
        await kill_and_restart()
        await until(lambda room=room: bool(listener.of(BroadcastWentLive, room)))
        await kill_and_restart()
        heard = len(listener.of(BroadcastWentLive, room))
        await until(lambda room=room, heard=heard: len(listener.of(BroadcastWentLive, room)) > heard)
        tiktok.world.end("ann")
        await watcher.kill()
        await watcher.start(STORE_URL=store_url)
        await until(lambda room=room: bool(listener.of(BroadcastEnded, room)))
    await watcher.stop()

    last = 0
    for room in rooms:
        (live,) = {data.sequence for data in listener.of(BroadcastWentLive, room)}
        (ended,) = {data.sequence for data in listener.of(BroadcastEnded, room)}
        assert last < live < ended
        last = ended


async def test_a_creator_who_takes_another_handle_is_followed_through_kills(
    watcher, listener, bus, tiktok, store_url, until
):
    await watcher.start(STORE_URL=store_url)
    await bus.publish(told(CreatorFollowed(handle="ann")))
    room = tiktok.world.go_live("ann", LiveScript()).room_id
    await until(lambda: bool(listener.of(BroadcastWentLive, room)))
    tiktok.world.rename("ann", "ann.new")
    await watcher.kill()
    await watcher.start(STORE_URL=store_url)
    await until(lambda: "ann.new" in [data.handle for data in listener.of(CreatorProfileChanged)])
    await until(lambda: "ann.new" in [data.handle for data in listener.of(BroadcastWentLive, room)])
    await bus.publish(told(CreatorFollowed(handle="ann.new")))
    await until(lambda: "watches_merged" in watcher.log)
    await watcher.kill()
    tiktok.world.end("ann.new")
    await watcher.start(STORE_URL=store_url)
    await until(lambda: bool(listener.of(BroadcastEnded, room)))
    await bus.publish(told(CreatorUnfollowed(handle="ann")))
    await until(lambda: "creator_dropped" in watcher.log)
    again = tiktok.world.go_live("ann.new", LiveScript()).room_id
    await until(lambda: bool(listener.of(BroadcastWentLive, again)))
    assert len({data.sequence for data in listener.of(BroadcastWentLive, room)}) == 1
    assert len({data.sequence for data in listener.of(BroadcastEnded, room)}) == 1


async def test_killed_while_an_end_is_doubted_the_doubt_is_kept(watcher, listener, bus, tiktok, store_url, until):
    slow = {"STORE_URL": store_url, "ENDED_CONFIRMATIONS": "8", "CONFIRM_INTERVAL": "0.5", "END_GRACE": "1"}
    seen: list[int] = []

    async def doubted(store: WatchStore, answers: int) -> bool:
        watch = await store.get("ann")
        doubt = watch.broadcast.over if watch and watch.broadcast else None
        seen.append(doubt.answers if doubt else 0)
        return seen[-1] >= answers

    await watcher.start(**slow)
    await bus.publish(told(CreatorFollowed(handle="ann")))
    room = tiktok.world.go_live("ann", LiveScript()).room_id
    await until(lambda: bool(listener.of(BroadcastWentLive, room)))
    tiktok.world.end("ann")
    async with open_watch_store(store_url) as store:
        for answers in (1, 3):
            await until(partial(doubted, store, answers))
            await watcher.kill()
            await watcher.start(**slow)
        await until(partial(doubted, store, 5))
    assert seen == sorted(seen), "each start goes on from the doubt that was stored"
    assert not listener.of(BroadcastEnded)
    tiktok.world.reopen("ann")
    heard = len(listener.of(BroadcastWentLive, room))
    await until(lambda: len(listener.of(BroadcastWentLive, room)) > heard)
    tiktok.world.end("ann")
    await until(lambda: bool(listener.of(BroadcastEnded, room)))
    assert len({data.sequence for data in listener.of(BroadcastWentLive, room)}) == 1
    assert len(listener.of(BroadcastEnded)) == 1


async def status_of(watcher, query=""):
    response = await watcher.ask(f"/internal/v1/watches{query}", authorization="Bearer s3cret")
    return response.json()


async def test_a_refused_address_rests_and_another_carries_on(watcher, listener, bus, tiktok, until):
    through = tiktok.base_url.replace("http://", "http://second:pass@")
    egresses = f'[{{"name": "direct"}}, {{"name": "second", "proxy": "{through}"}}]'
    refuse = RefusalScript(how="waf", egress="direct")
    tiktok.world.set_traps(TrapScript(refuse=refuse))
    await watcher.start(EGRESSES=egresses, SERVICE_TOKEN="s3cret", BLOCK_BACKOFF="600", BLOCK_BACKOFF_LIMIT="600")
    await bus.publish(told(CreatorFollowed(handle="ann")))
    room = tiktok.world.go_live("ann", LiveScript()).room_id
    await until(lambda: bool(listener.of(BroadcastWentLive, room)))

    async def rests():
        states = {egress["name"]: egress["state"] for egress in (await status_of(watcher))["egresses"]}
        return states == {"direct": "open", "second": "closed"}

    await until(rests)
    (ann,) = (await status_of(watcher, "?handle=ann"))["watches"]
    assert (ann["state"], ann["trouble"], ann["room_id"]) == ("live", None, room)
    assert watcher.log.count("egress_rests") == 1
    assert "pass@" not in watcher.log


async def test_refused_everywhere_it_says_so_keeps_what_it_knows_and_comes_back(watcher, listener, bus, tiktok, until):
    await watcher.start(SERVICE_TOKEN="s3cret")
    await bus.publish(told(CreatorFollowed(handle="ann")))
    room = tiktok.world.go_live("ann", LiveScript()).room_id
    await until(lambda: bool(listener.of(BroadcastWentLive, room)))
    tiktok.world.set_traps(TrapScript(refuse=RefusalScript(how="rate_limited", retry_after_s=1)))

    async def troubled():
        (ann,) = (await status_of(watcher, "?handle=ann"))["watches"]
        return (ann["state"], ann["room_id"], ann["trouble"]) == ("live", room, "blocked: rate_limited")

    await until(troubled)
    assert await watcher.answers("/readyz", 200)
    tiktok.world.set_traps(TrapScript())
    heard = len(listener.of(BroadcastWentLive, room))
    await until(lambda: len(listener.of(BroadcastWentLive, room)) > heard)
    assert watcher.log.count("egress_rests") == watcher.log.count("egress_works_again") == 1
    assert not listener.of(BroadcastEnded)


async def test_what_nobody_understands_is_kept_for_a_person(watcher, bus, tiktok, until):
    tiktok.world.set_traps(TrapScript(changed_shape=True, answer=None))
    await watcher.start(SERVICE_TOKEN="s3cret")
    await bus.publish(told(CreatorFollowed(handle="ann")))

    async def shown():
        found = (await status_of(watcher, "?handle=ann"))["watches"]
        return bool(found and (found[0]["evidence"] or found[0]["state"] == "offline"))

    await until(shown)
    assert (await watcher.ask("/internal/v1/watches")).status_code == 401


async def test_what_was_found_without_a_broker_is_told_when_there_is_one(watcher, listener, vhost_url, tiktok, until):
    """The follow comes by the catalog's list, the broker is away, the watcher dies: the live is told all the same."""

    async def follows(request):
        if request.headers.get("authorization") != "Bearer s3cret":
            return Response(status_code=401)
        follow = {"handle": "ann", "creator_id": None}
        return JSONResponse({"follows": [follow], "taken_at": "2026-11-23T12:00:00Z"})

    room = tiktok.world.go_live("ann", LiveScript()).room_id
    async with serve_http(Starlette(routes=[Route("/follows", follows)]), "127.0.0.1", 0) as port:
        snapshot = {"FOLLOW_SNAPSHOT_URL": f"http://127.0.0.1:{port}/follows", "SERVICE_TOKEN": "s3cret"}
        await watcher.start(ready=False, AMQP_URL=f"amqp://guest:guest@127.0.0.1:{free_port()}/", **snapshot)
        await until(partial(watcher.answers, "/livez", 200))
        await until(lambda: "broadcast_changed" in watcher.log)
        assert await watcher.answers("/readyz", 503)
        metrics = await watcher.ask("/metrics")
        assert 'wentlive_watcher_checks_total{outcome="live"}' in metrics.text
        await watcher.kill()
    tiktok.world.end("ann")
    await watcher.start(AMQP_URL=vhost_url)
    await until(lambda: bool(listener.of(BroadcastEnded, room)))
    kinds = [event.data.TYPE for event in listener.events if event.data.TYPE.startswith("broadcast")]
    assert kinds[0] == "broadcast.went_live"
    assert kinds[-1] == "broadcast.ended"
    assert "s3cret" not in watcher.log
    assert "guest:guest" not in watcher.log


async def test_two_watchers_share_one_list(watcher, listener, bus, tiktok, store_url, tmp_path, vhost_url, until):
    second = type(watcher)(
        {"STORE_URL": store_url, "AMQP_URL": vhost_url, "TIKTOK_BASE_URL": tiktok.base_url}, tmp_path / "second.log"
    )
    await watcher.start(STORE_URL=store_url)
    await second.start()
    try:
        await bus.publish(told(CreatorFollowed(handle="ann")))
        await bus.publish(told(CreatorFollowed(handle="bob")))
        room = tiktok.world.go_live("ann", LiveScript()).room_id
        await until(lambda: len(listener.of(BroadcastWentLive, room)) >= 3)
        await watcher.kill()
        tiktok.world.end("ann")
        await until(lambda: bool(listener.of(BroadcastEnded, room)))
    finally:
        await second.kill()
    assert len({data.sequence for data in listener.of(BroadcastWentLive, room)}) == 1
    assert len({data.sequence for data in listener.of(BroadcastEnded, room)}) == 1


async def test_settings_that_cannot_work_are_named_and_end_the_process(watcher):
    await watcher.start(ready=False, CHECK_INTERVAL="soon")
    assert await watcher.exit_code() == 2
    assert "WENTLIVE_WATCHER_CHECK_INTERVAL" in watcher.log


async def test_without_a_broker_there_is_no_watcher(watcher):
    await watcher.start(ready=False, AMQP_URL="")
    assert await watcher.exit_code() == 1
    assert "WENTLIVE_WATCHER_AMQP_URL" in watcher.log


async def test_a_database_that_comes_back_finds_the_watcher_still_there(
    watcher, listener, bus, tiktok, mongodb, tmp_path, until
):
    if mongodb.pid is None:
        pytest.skip("the database that was named is not ours to kill")
    async with MongoServer.start(tmp_path / "mongodb") as database:
        await watcher.start(STORE_URL=f"{database.url}watcher")
        await bus.publish(told(CreatorFollowed(handle="ann")))
        await until(lambda: bool(listener.of(CreatorProfileChanged)))
        await database.kill()
        await until(lambda: "watch_store_failed" in watcher.log)
        room = tiktok.world.go_live("ann", LiveScript()).room_id
        await database.restart()
        await until(lambda: bool(listener.of(BroadcastWentLive, room)))
        assert await watcher.answers("/readyz", 200)


async def test_in_one_process_with_others_over_the_bus_they_share(tiktok, tmp_path, until):
    settings = WatcherSettings(
        store_url=SecretStr(f"sqlite://{tmp_path / 'solo.db'}"),
        tiktok_base_url=tiktok.base_url,
        check_interval=0.1,
        start_ramp=0,
        requests_per_second=100,
        claim_interval=0.02,
        health_port=0,
    )
    bus, listener, stop = InMemoryBus(), [], asyncio.Event()

    async def hear(event):
        listener.append(event.data)

    await bus.subscribe("test.listener", (BroadcastWentLive,), hear)
    tiktok.world.go_live("ann", LiveScript())
    async with bootstrap(settings, bus=bus) as app:
        running = asyncio.create_task(app.run(stop))
        await app.store.follow(Follow(handle="ann"), *[datetime.now(UTC)] * 2)
        await until(lambda: bool(listener))
        stop.set()
        async with asyncio.timeout(2):
            await running
        assert list(await app.store.pending(10)) == []
    assert await bus.ready(), "a bus that was given is left open"
    await bus.close()


async def test_a_malformed_event_is_put_aside_and_the_watcher_goes_on(watcher, listener, bus, vhost_url, until):
    await watcher.start()
    bad = told(CreatorFollowed(handle="ann")).to_json().replace(b'"ann"', b'"A B"')
    async with await aio_pika.connect(vhost_url) as connection:
        exchange = await (await connection.channel()).get_exchange("wentlive")
        await exchange.publish(aio_pika.Message(bad), "creator.followed")
    await bus.publish(told(CreatorFollowed(handle="ann")))
    await until(lambda: bool(listener.of(CreatorProfileChanged)))

    async def put_aside():
        return len(await bus.dead_letters("watcher.creators")) == 1

    await until(put_aside)
    (dead,) = await bus.dead_letters("watcher.creators")
    assert "data.handle" in dead.reason
