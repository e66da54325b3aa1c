"""Following for oneself, settings for all who follow, and lists."""

from datetime import UTC, datetime
from typing import Any

from wentlive_common.capture import Quality, Wishes
from wentlive_common.events import (
    BroadcastWentLive,
    CreatorFollowed,
    CreatorProfileChanged,
    CreatorSettingsChanged,
    CreatorUnfollowed,
    new_event,
)

AT = datetime(2026, 11, 20, 20, 0, tzinfo=UTC)
SETTINGS = "/api/v1/creators/owl/settings"
TOKEN = {"authorization": "Bearer service-token-of-tests"}


async def told(catalog: Any) -> list[Any]:
    return [event.data for event in await catalog.app.context.store.pending(100)]


async def names(client: Any, **query: Any) -> list[str]:
    answer = await client.get("/api/v1/creators", params=query)
    assert answer.status_code == 200
    return [creator["handle"] for creator in answer.json()["items"]]


async def test_each_follows_for_themselves_and_an_admin_sees_all(catalog: Any) -> None:
    admin, ann, bob = await catalog.sign_in(), await catalog.person("ann"), await catalog.person("bob")
    await ann.post("/api/v1/creators", json={"creator": "owl"})
    await bob.post("/api/v1/creators", json={"creator": "owl"})
    await bob.post("/api/v1/creators", json={"creator": "fox"})
    assert [await names(client) for client in (admin, ann, bob)] == [[], ["owl"], ["fox", "owl"]]
    assert await names(admin, everyones=True) == ["fox", "owl"]
    assert (await ann.get("/api/v1/creators", params={"everyones": True})).status_code == 403
    assert (await ann.get("/api/v1/creators/fox")).status_code == 404
    assert (await admin.get("/api/v1/creators/owl")).json()["followers"] == ["ann", "bob"]
    assert (await ann.get("/api/v1/creators/owl")).json()["followers"] is None
    # One watch serves both; it ends with the last of them.
    await ann.delete("/api/v1/creators/owl")
    assert [event.TYPE for event in await told(catalog)] == ["creator.followed"] * 2
    await bob.delete("/api/v1/creators/owl")
    assert isinstance((await told(catalog))[-1], CreatorUnfollowed)


async def test_what_is_wanted_of_a_creator_reaches_the_watcher(catalog: Any) -> None:
    ann = await catalog.person("ann")
    await ann.post("/api/v1/creators", json={"creator": "owl"})
    before = await ann.get(SETTINGS)
    assert before.json() == {"quality": None, "interval": "usual", "retention": None}
    wanted = {"quality": {"max_height": 720}, "interval": "eager", "retention": {"max_age_days": 30}}
    changed = await ann.patch(SETTINGS, json=wanted, headers={"if-match": before.headers["etag"]})
    assert changed.status_code == 200
    assert changed.json()["quality"] == {
        "prefer": "best", "max_height": 720, "codecs": ["h264", "h265"], "audio_only": False
    }  # fmt: skip
    wishes = Wishes(quality=Quality(max_height=720), interval="eager")
    assert (await told(catalog))[-1] == CreatorSettingsChanged(handle="owl", wishes=wishes)
    follows = (await ann.get("/internal/v1/follows", headers=TOKEN)).json()["follows"]
    assert follows[0]["wishes"] == wishes.model_dump(mode="json")
    # What is left out stays; null gives back what is usual.
    again = await ann.patch(SETTINGS, json={"quality": None})
    assert again.json() == {"quality": None, "interval": "eager", "retention": wanted["retention"] | {
        "max_count": None, "max_bytes": None}}  # fmt: skip
    lost = await ann.patch(SETTINGS, json={"interval": "relaxed"}, headers={"if-match": before.headers["etag"]})
    assert (lost.status_code, lost.json()["type"]) == (412, "urn:wentlive:problem:precondition-failed")


async def test_a_creator_who_goes_live_meanwhile_does_not_refuse_a_change(catalog: Any) -> None:
    ann = await catalog.person("ann")
    await ann.post("/api/v1/creators", json={"creator": "owl"})
    known = (await ann.get(SETTINGS)).headers["etag"]
    profile = CreatorProfileChanged(handle="owl", creator_id="7", nickname="Owl")
    await catalog.bus.publish(new_event(profile, "watcher", time=AT))
    await catalog.bus.drain()
    assert (await ann.patch(SETTINGS, json={"interval": "eager"}, headers={"if-match": known})).status_code == 200


async def test_only_who_follows_changes_what_is_wanted(catalog: Any) -> None:
    admin, ann, bob = await catalog.sign_in(), await catalog.person("ann"), await catalog.person("bob")
    await ann.post("/api/v1/creators", json={"creator": "owl"})
    assert (await bob.patch(SETTINGS, json={"interval": "eager"})).status_code == 404
    assert (await bob.patch("/api/v1/creators/owl/follow", json={"paused": True})).status_code == 404
    assert (await admin.patch(SETTINGS, json={"interval": "eager"})).status_code == 200
    for bad in ({"interval": "always"}, {"quality": {"max_height": 1}}, {"quality": {"codecs": []}},
                {"retention": {"max_count": 0}}, {"quality": {"codecs": ["h264", "h264"]}}):  # fmt: skip
        assert (await ann.patch(SETTINGS, json=bad)).status_code == 422, bad


async def test_nothing_is_watched_while_all_who_follow_have_paused(catalog: Any) -> None:
    ann, bob = await catalog.person("ann"), await catalog.person("bob")
    for client in (ann, bob):
        await client.post("/api/v1/creators", json={"creator": "owl"})
    live = BroadcastWentLive(creator_id="7", room_id="8", handle="owl", sequence=1, at=AT)
    await catalog.bus.publish(new_event(live, "watcher", time=AT))
    await catalog.bus.drain()
    paused = await ann.patch("/api/v1/creators/owl/follow", json={"paused": True, "notices": ["went_live"]})
    assert paused.json()["follow"] == {"paused": True, "notices": ["went_live"]}
    assert [type(event) for event in await told(catalog)] == [CreatorFollowed]
    assert (await bob.get("/api/v1/creators/owl")).json()["follow"] == {"paused": False, "notices": None}
    await bob.patch("/api/v1/creators/owl/follow", json={"paused": True})
    assert isinstance((await told(catalog))[-1], CreatorUnfollowed)
    assert (await ann.get("/internal/v1/follows", headers=TOKEN)).json()["follows"] == []
    await ann.patch("/api/v1/creators/owl/follow", json={"paused": False})
    assert isinstance((await told(catalog))[-1], CreatorFollowed)
    shown = (await ann.get("/api/v1/creators/owl")).json()
    # The live of then may be long over: nobody looked meanwhile.
    assert (shown["status"], shown["follow"]["notices"]) == ("checking", ["went_live"])


async def test_a_list_is_followed_line_by_line(catalog: Any) -> None:
    ann = await catalog.person("ann")
    await ann.post("/api/v1/creators", json={"creator": "owl"})
    text = "Date: 2026-01-01\nUsername: fox\n\n@owl,Night Owl\nnot a name!\nhttps://www.tiktok.com/@Elk/live\n@fox"
    answer = (await ann.post("/api/v1/creators/import", json={"text": text, "creators": ["@hen"]})).json()
    assert answer["followed"] == 3
    assert [(item["handle"], item["outcome"]) for item in answer["items"]] == [
        ("hen", "followed"), ("fox", "followed"), ("owl", "already"), (None, "refused"), ("elk", "followed"),
        ("fox", "already"),
    ]  # fmt: skip
    assert answer["items"][3]["why"]
    assert await names(ann) == ["elk", "fox", "hen", "owl"]
