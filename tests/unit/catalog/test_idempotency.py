"""The same request twice, with one idempotency key: it happens once."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from wentlive_catalog.adapters.sqlite_documents import SqliteDocuments
from wentlive_catalog.domain.answers import ANSWERS, GIVEN_UP, KEPT
from wentlive_common.errors import Transient

CREATORS = "/api/v1/creators"
KEY = {"idempotency-key": "import of Monday"}


async def age(catalog: Any, by: timedelta, **update: Any) -> None:
    """Makes all kept answers older."""
    answers = catalog.app.context.store.documents(ANSWERS)
    for answer in await answers.page(10):
        await answers.save(answer.model_copy(update={"at": answer.at - by, **update}))


async def test_the_first_answer_is_given_again(catalog: Any) -> None:
    ann = await catalog.person("ann")
    first = await ann.post(CREATORS, json={"creator": "owl"}, headers=KEY)
    again = await ann.post(CREATORS, json={"creator": "owl"}, headers=KEY)
    assert (first.status_code, again.status_code) == (201, 201), "without the key it would say 200"
    assert (again.json(), again.headers["idempotency-replayed"]) == (first.json(), "true")
    assert "idempotency-replayed" not in first.headers
    assert again.headers["content-type"] == first.headers["content-type"]


async def test_a_key_is_one_persons_and_one_requests(catalog: Any) -> None:
    ann, bob = await catalog.person("ann"), await catalog.person("bob")
    await ann.post(CREATORS, json={"creator": "owl"}, headers=KEY)
    assert (await bob.post(CREATORS, json={"creator": "owl"}, headers=KEY)).json()["follow"] is not None
    other = await ann.post(CREATORS, json={"creator": "fox"}, headers=KEY)
    assert (other.status_code, other.json()["type"]) == (422, "urn:wentlive:problem:key-reused")
    assert (await ann.post(f"{CREATORS}/owl/check", headers=KEY)).status_code == 202


async def test_what_failed_can_be_tried_again_with_the_same_key(catalog: Any) -> None:
    ann = await catalog.person("ann")
    for _ in range(2):
        assert (await ann.post(CREATORS, json={"creator": "?"}, headers=KEY)).status_code == 422
    assert (await ann.post(CREATORS, json={"creator": "owl"}, headers=KEY)).status_code == 201


async def test_a_secret_is_told_once(catalog: Any, tmp_path: Any) -> None:
    ann = await catalog.person("ann")
    body = {"name": "backup", "scopes": ["read"]}
    token = (await ann.post("/api/v1/tokens", json=body, headers=KEY)).json()["token"]
    again = await ann.post("/api/v1/tokens", json=body, headers=KEY)
    assert (again.status_code, again.json()["type"]) == (409, "urn:wentlive:problem:secret-told")
    assert len((await ann.get("/api/v1/tokens")).json()["items"]) == 1
    assert not any(token.encode() in file.read_bytes() for file in tmp_path.glob("catalog.db*"))


async def test_of_many_at_once_one_is_carried_out(catalog: Any) -> None:
    ann = await catalog.person("ann")
    body = {"name": "backup", "scopes": ["read"]}
    answers = await asyncio.gather(*(ann.post("/api/v1/tokens", json=body, headers=KEY) for _ in range(5)))
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409, 409]
    assert len((await ann.get("/api/v1/tokens")).json()["items"]) == 1


async def test_after_a_day_a_key_is_new(catalog: Any) -> None:
    ann = await catalog.person("ann")
    await ann.post(CREATORS, json={"creator": "owl"}, headers=KEY)
    await age(catalog, KEPT + timedelta(minutes=1))
    assert (await ann.post(CREATORS, json={"creator": "owl"}, headers=KEY)).status_code == 200


async def test_a_request_that_died_with_its_process_is_carried_out_later(catalog: Any) -> None:
    ann = await catalog.person("ann")
    await ann.post(CREATORS, json={"creator": "owl"}, headers=KEY)
    await age(catalog, timedelta(), status=None)
    busy = await ann.post(CREATORS, json={"creator": "owl"}, headers=KEY)
    assert (busy.status_code, busy.json()["type"]) == (409, "urn:wentlive:problem:still-at-it")
    await age(catalog, GIVEN_UP + timedelta(seconds=1))
    assert (await ann.post(CREATORS, json={"creator": "owl"}, headers=KEY)).status_code == 200


@pytest.mark.parametrize("key", ["", " ", "x" * 256, "ü", "a\tb"])
async def test_odd_keys_are_refused(catalog: Any, key: str) -> None:
    ann = await catalog.person("ann")
    answer = await ann.post(CREATORS, json={"creator": "owl"}, headers={"idempotency-key": key.encode("latin-1")})
    assert (answer.status_code, answer.json()["type"]) == (422, "urn:wentlive:problem:unusable-key")


async def test_large_bodies_and_an_absent_store_are_said_so(catalog: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    ann = await catalog.person("ann")

    async def pieces():
        for _ in range(200):
            yield b"x" * 1024

    assert (await ann.post(CREATORS, content=pieces(), headers=KEY)).status_code == 413
    found = SqliteDocuments.get

    async def away(self: Any, *args: Any) -> Any:
        if self._kind is ANSWERS:
            raise Transient("The database does not answer.")
        return await found(self, *args)

    monkeypatch.setattr(SqliteDocuments, "get", away)
    assert (await ann.post(CREATORS, json={"creator": "owl"}, headers=KEY)).status_code == 503
