"""Input that means harm: a clear refusal, and nothing changed."""

from datetime import UTC, datetime
from typing import Any

import pytest
from wentlive_catalog.testing import RecordingStory

AT = datetime(2026, 11, 20, 20, 0, tzinfo=UTC)
OPERATORS = ({"$ne": ""}, {"$gt": ""}, {"$regex": ".*"}, {"$where": "1"}, ["root"], 1, None, True)


async def all_of_it(client: Any) -> list[Any]:
    paths = ("users", "tokens", "creators", "links", "recordings")
    return [(await client.get(f"/api/v1/{path}")).json() for path in paths]


@pytest.mark.parametrize("value", OPERATORS)
async def test_operators_in_json_are_no_text(catalog: Any, value: Any) -> None:
    admin = await catalog.sign_in()
    before = await all_of_it(admin)
    password = "correct horse battery"
    for method, path, body in (
        ("POST", "session", {"username": value, "password": password}),
        ("POST", "session", {"username": "admin", "password": value}),
        ("POST", "users", {"username": value, "password": password}),
        ("POST", "creators", {"creator": value}),
        ("POST", "tokens", {"name": value, "scopes": ["read"]}),
        ("POST", "tokens", {"name": "x", "scopes": value}),
        ("POST", "recordings/batch", {"action": "delete", "recording_ids": value}),
        ("POST", "creators/import", {"text": value}),
    ):
        answer = await admin.request(method, f"/api/v1/{path}", json=body)
        assert answer.status_code == 422, (path, body)
    assert await all_of_it(admin) == before


@pytest.mark.parametrize(
    "query",
    [
        "username[$ne]=x&limit=0",
        "username=$ne",
        "operation=$where",
        "cursor={$gt:''}",
        "cursor=' OR 1=1 --",
        "limit=9e9",
    ],
)
async def test_operators_in_addresses_are_refused(catalog: Any, query: str) -> None:
    admin = await catalog.sign_in()
    assert (await admin.get(f"/api/v1/audit?{query}")).status_code == 422


@pytest.mark.parametrize(
    "path",
    [
        "recordings/..%2f..%2fetc%2fpasswd", "recordings/%00",
        "recordings/01arz3ndektsv4rrffq69g5fav%0d%0aset-cookie:x=1",
        "creators/..", "creators/%2e%2e%2fowl", "creators/a%00b", "users/..%5c..%5cx",
        "recordings/01arz3ndektsv4rrffq69g5fav/parts/..%2f..%2fsecret/init.mp4",
    ],
)  # fmt: skip
async def test_path_tricks_lead_nowhere(catalog: Any, path: str) -> None:
    admin = await catalog.sign_in()
    answer = await admin.get(f"/api/v1/{path}")
    assert answer.status_code in (404, 422)
    assert "x=1" not in str(answer.headers)


@pytest.mark.parametrize("text", ["two\nlines", "a\r\nset-cookie: x=1", "nul\x00", "\x1b[2J"])
async def test_text_that_would_leave_its_line_is_refused(catalog: Any, text: str) -> None:
    admin = await catalog.sign_in()
    story = RecordingStory("owl", "7", "8", AT, title="ramen")
    await catalog.bus.publish(story.requested())
    await catalog.bus.drain()
    url = f"/api/v1/recordings/{story.recording_id}"
    for method, path, body in (
        ("PATCH", url, {"name": text}), ("POST", f"{url}/links", {"note": text}),
        ("POST", "/api/v1/tokens", {"name": text, "scopes": ["read"]}),
    ):  # fmt: skip
        assert (await admin.request(method, path, json=body)).status_code == 422
    assert (await admin.get(url)).json()["name"] is None


async def test_fields_that_are_not_known_are_refused(catalog: Any) -> None:
    admin = await catalog.sign_in()
    answer = await admin.post("/api/v1/creators", json={"creator": "owl", "paused": True})
    assert (answer.status_code, answer.json()["errors"][0]["where"]) == (422, "body.paused")
    assert (await admin.get("/api/v1/creators")).json()["items"] == []


@pytest.mark.parametrize(
    "body",
    [b"", b"[" * 50_000, b'{"creator": ', b"\xff\xfe", b'{"creator": "\\ud800"}', b'{"creator": 1e999}', b"null"],
)
async def test_bodies_that_are_no_json_are_refused(catalog: Any, body: bytes) -> None:
    admin = await catalog.sign_in()
    answer = await admin.post("/api/v1/creators", content=body, headers={"content-type": "application/json"})
    assert answer.status_code in (400, 422)
    assert answer.headers["content-type"] == "application/problem+json"
