"""What people do to recordings, who may, and what the timeline tells of them afterwards."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from wentlive_catalog.domain.moments import FIRST, LAST, Moment, with_moment
from wentlive_catalog.testing import RecordingStory

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
        ("POST", f"{url}/restore", None),
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
