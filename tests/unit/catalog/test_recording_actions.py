"""What people do to recordings, who may, and what the timeline tells of them afterwards."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from wentlive_catalog.domain.moments import FIRST, LAST, Moment, with_moment
from wentlive_catalog.testing import RecordingStory
from wentlive_catalog.web.words import RETRY, RETRY_ASKED
from wentlive_common.events import BroadcastEnded, BroadcastWentLive, new_event

AT = datetime(2026, 11, 20, 20, 0, tzinfo=UTC)
UNKNOWN = "01arz3ndektsv4rrffq69g5fav"


async def tell(catalog: Any, *events: Any) -> None:
    for event in events:
        await catalog.bus.publish(event)
    await catalog.bus.drain()


async def recording(catalog: Any, *, over: bool = True, room: str = "8") -> str:
    """Of owl, whom ann follows."""
    ann = await catalog.person("ann")
    await ann.post("/api/v1/creators", json={"creator": "owl"})
    story = RecordingStory("owl", "7", room, AT, title="ramen")
    part = story.part(1, size=5000, duration=8, fragments=2)
    await tell(catalog, story.requested(), story.started(), story.part_opened(part), story.progressed(part))
    if over:
        closed = story.part(1, size=5000, duration=8, fragments=2, closed=True)
        await tell(catalog, story.part_closed(closed), story.completed(AT + timedelta(minutes=5)))
    return f"/api/v1/recordings/{story.recording_id}"


async def test_a_recording_is_named_and_pinned_under_its_etag(catalog: Any) -> None:
    url, ann = await recording(catalog), await catalog.person("ann")
    seen = await ann.get(url)
    assert (await ann.get(url, headers={"if-none-match": seen.headers["etag"]})).status_code == 304
    match = {"if-match": seen.headers["etag"]}
    named = await ann.patch(url, json={"name": " The ramen night ", "pinned": True}, headers=match)
    assert (named.json()["name"], named.json()["pinned"]) == ("The ramen night", True)
    late = await ann.patch(url, json={"pinned": False}, headers=match)
    assert (late.status_code, late.json()["type"]) == (412, "urn:wentlive:problem:precondition-failed")
    assert (await ann.get(url, headers={"if-none-match": seen.headers["etag"]})).json()["pinned"]
    plain = await ann.patch(url, json={"name": ""}, headers={"if-match": "*"})
    assert (plain.json()["name"], plain.json()["pinned"]) == (None, True)
    assert (await ann.patch(url, json={"name": "x" * 201})).status_code == 422


async def test_only_who_follows_or_runs_it_acts_on_a_recording(catalog: Any) -> None:
    url, admin, ann, bob = (
        await recording(catalog), await catalog.sign_in(), await catalog.person("ann"), await catalog.person("bob"),
    )  # fmt: skip
    assert (await bob.get(url)).status_code == 200
    for method, path, body in (
        ("PATCH", url, {"pinned": True}), ("DELETE", url, None), ("POST", f"{url}/stop", None),
        ("POST", f"{url}/restore", None), ("POST", f"{url}/retry", None),
    ):  # fmt: skip
        refused = await bob.request(method, path, json=body)
        assert refused.status_code == 403, path
    assert (await bob.delete(url)).json()["type"] == "urn:wentlive:problem:others-follow"
    await bob.post("/api/v1/creators", json={"creator": "owl"})
    assert (await bob.patch(url, json={"pinned": True})).status_code == 200
    # Now both follow: neither may take it from the other.
    for client in (ann, bob):
        assert (await client.delete(url)).json()["type"] == "urn:wentlive:problem:others-follow"
    assert (await admin.delete(url)).status_code == 200


async def test_a_deleted_one_is_in_the_bin_until_it_is_taken_back(catalog: Any) -> None:
    url, ann = await recording(catalog), await catalog.person("ann")
    assert (await ann.post(f"{url}/restore")).json()["type"] == "urn:wentlive:problem:not-in-bin"
    gone = (await ann.delete(url)).json()
    assert gone["deleted_at"] is not None
    assert (await ann.delete(url)).status_code == 200, "a second wish changes nothing"
    assert (await ann.get("/api/v1/recordings")).json()["items"] == []
    assert len((await ann.get("/api/v1/recordings", params={"binned": True})).json()["items"]) == 1
    assert (await ann.post(f"{url}/restore")).json()["deleted_at"] is None
    assert len((await ann.get("/api/v1/recordings")).json()["items"]) == 1
    assert (await ann.delete(f"/api/v1/recordings/{UNKNOWN}")).status_code == 404


async def test_what_is_recorded_is_stopped_before_it_is_deleted(catalog: Any) -> None:
    url, ann = await recording(catalog, over=False), await catalog.person("ann")
    assert (await ann.delete(url)).json()["type"] == "urn:wentlive:problem:still-recording"
    assert (await ann.post(f"{url}/stop")).status_code == 202
    pending = [event.data for event in await catalog.app.context.store.pending(10)]
    assert [event.requested_by for event in pending if event.TYPE == "recording.stop_requested"] == ["ann"]


async def failed(catalog: Any) -> RecordingStory:
    """Of owl, who is live all the while and whom ann follows."""
    await (await catalog.person("ann")).post("/api/v1/creators", json={"creator": "owl"})
    live = BroadcastWentLive(creator_id="7", room_id="8", handle="owl", sequence=1, at=AT)
    story = RecordingStory("owl", "7", "8", AT)
    await tell(catalog, new_event(live, "watcher"), story.requested(), story.failed(AT, "It gave up."))
    return story


async def test_what_failed_is_tried_again_until_something_comes_of_it(catalog: Any) -> None:
    story, ann = await failed(catalog), await catalog.person("ann")
    url = f"/api/v1/recordings/{story.recording_id}"
    assert (await ann.get(url)).json()["can_retry"]
    asked = await ann.post(f"{url}/retry", headers={"idempotency-key": "once"})
    assert (asked.status_code, asked.json()["state"]) == (202, "failed")
    assert asked.headers["etag"] == (await ann.get(url)).headers["etag"]
    replayed = await ann.post(f"{url}/retry", headers={"idempotency-key": "once"})
    assert replayed.headers["idempotency-replayed"] == "true"
    pending = [event.data for event in await catalog.app.context.store.pending(10)]
    wishes = [event for event in pending if event.TYPE == "recording.retry_requested"]
    assert [(wish.recording_id, wish.ended_sequence, wish.requested_by) for wish in wishes] == [
        (story.recording_id, 2, "ann")
    ]
    await tell(catalog, story.tried_again())
    going_on = (await ann.get(url)).json()
    assert (going_on["state"], going_on["failure"], going_on["ended_at"]) == ("recovering", None, None)
    assert (await ann.post(f"{url}/retry")).json()["type"] == "urn:wentlive:problem:nothing-to-retry"
    steps = [item["what"] for item in (await ann.get(f"{url}/timeline")).json()["items"]]
    assert {"retry_asked", "failed", "recovering"} <= set(steps)
    assert (await ann.post(f"{url}/stop")).status_code == 202, "it can be stopped again"


async def test_what_went_well_or_is_in_the_bin_is_not_tried_again(catalog: Any) -> None:
    url, ann = await recording(catalog, room="9"), await catalog.person("ann")
    assert not (await ann.get(url)).json()["can_retry"]
    refused = await ann.post(f"{url}/retry")
    assert (refused.status_code, refused.json()["type"]) == (409, "urn:wentlive:problem:nothing-to-retry")
    story = await failed(catalog)
    broken = f"/api/v1/recordings/{story.recording_id}"
    await ann.delete(broken)
    refused = await ann.post(f"{broken}/retry")
    assert (refused.status_code, refused.json()["type"]) == (409, "urn:wentlive:problem:in-bin")
    assert (await ann.post(f"/api/v1/recordings/{UNKNOWN}/retry")).status_code == 404
    pending = [event.data.TYPE for event in await catalog.app.context.store.pending(10)]
    assert "recording.retry_requested" not in pending


async def test_the_page_offers_a_retry_where_more_can_be_had(catalog: Any) -> None:
    story, ann = await failed(catalog), await catalog.person("ann")
    page = f"/recordings/{story.recording_id}"
    assert RETRY in (await ann.get(page)).text
    assert (await ann.get(page)).text.count("hx-sse:connect") == 0
    asked = await ann.post(f"{page}/retry")
    assert (asked.status_code, asked.headers["location"]) == (303, page)
    after = (await ann.get(page)).text
    assert RETRY_ASKED in after
    assert "hx-sse:connect" in after, "what comes of it is seen"
    over = BroadcastEnded(creator_id="7", room_id="8", handle="owl", sequence=2, at=AT)
    await tell(catalog, new_event(over, "watcher"))
    assert RETRY not in (await ann.get(page)).text, "the live is over, and nothing was left open"


async def test_many_at_once_each_by_itself(catalog: Any) -> None:
    first, second = await recording(catalog), await recording(catalog, over=False, room="9")
    ann = await catalog.person("ann")
    ids = [url.rpartition("/")[2] for url in (first, second)]
    body = {"action": "delete", "recording_ids": [*ids, UNKNOWN, ids[0]]}
    answer = (await ann.post("/api/v1/recordings/batch", json=body)).json()
    problems = [item["problem"]["type"].rpartition(":")[2] if item["problem"] else None for item in answer["items"]]
    assert (answer["done"], problems) == (1, [None, "still-recording", "no-such-recording"])
    for action, done in (("restore", 1), ("pin", 2), ("unpin", 2), ("stop", 1)):
        body = {"action": action, "recording_ids": ids}
        assert (await ann.post("/api/v1/recordings/batch", json=body)).json()["done"] == done, action
    for bad in ({"action": "burn", "recording_ids": ids}, {"action": "pin", "recording_ids": []},
                {"action": "pin", "recording_ids": [UNKNOWN] * 201}):  # fmt: skip
        assert (await ann.post("/api/v1/recordings/batch", json=bad)).status_code == 422


async def test_the_timeline_tells_what_happened_but_not_each_growth(catalog: Any) -> None:
    url, ann = await recording(catalog), await catalog.person("ann")
    await ann.delete(url)
    items = (await ann.get(f"{url}/timeline")).json()["items"]
    assert sorted(item["what"] for item in items) == sorted([
        "live_began", "detected", "requested", "started", "part_opened", "first_seen", "part_closed", "completed",
        "deleted",
    ])  # fmt: skip
    assert [item["at"] for item in items] == sorted(item["at"] for item in items)
    assert next(item for item in items if item["what"] == "deleted")["by"] == "ann"
    assert next(item for item in items if item["what"] == "part_closed")["part"] == "a1-p1"


async def test_parts_by_name(catalog: Any) -> None:
    url, ann = await recording(catalog), await catalog.person("ann")
    parts = (await ann.get(f"{url}/parts")).json()["items"]
    assert [part["name"] for part in parts] == ["a1-p1"]
    assert (await ann.get(f"{url}/parts/a1-p1")).json() == parts[0]
    assert (await ann.get(f"{url}/parts/a1-p2")).status_code == 404


@pytest.mark.parametrize("count", [10, FIRST + LAST + 50])
def test_moments_are_kept_alike_in_any_order_and_bounded(count: int) -> None:
    told = [Moment(sequence=n, what="started", at=AT + timedelta(seconds=n)) for n in range(1, count + 1)]
    forwards: tuple[Moment, ...] = ()
    backwards: tuple[Moment, ...] = ()
    for one, other in zip(told, reversed(told), strict=True):
        forwards, backwards = with_moment(forwards, one), with_moment(with_moment(backwards, other), other)
    assert forwards == backwards
    assert len(forwards) == min(count, FIRST + LAST)
    assert max(moment.sequence for moment in forwards) == count
