"""Documents by key: what every database keeps and refuses."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from wentlive_catalog.adapters.mongo_catalog import open_mongo_catalog
from wentlive_catalog.adapters.sqlite_catalog import open_sqlite_catalog
from wentlive_catalog.documents import Documents
from wentlive_catalog.domain.audit import AUDIT, AuditEntry
from wentlive_catalog.domain.tokens import TOKENS, ApiToken, new_token
from wentlive_catalog.kinds import KINDS
from wentlive_common.errors import Conflict
from wentlive_common.ids import new_ulid

AT = datetime(2026, 11, 20, 20, 0, 0, 123_000, tzinfo=UTC)


@pytest.fixture(params=["sqlite", "mongo"])
async def tokens(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncGenerator[Documents[ApiToken]]:
    if request.param == "sqlite":
        async with open_sqlite_catalog(tmp_path / "catalog.db") as sqlite:
            yield sqlite.documents(TOKENS)
    else:
        url: str = request.getfixturevalue("mongodb_url")
        async with open_mongo_catalog(f"{url.rstrip('/')}/documents_{new_ulid()}") as mongo:
            yield mongo.documents(TOKENS)


def token(username: str = "ann", days: int = 1) -> ApiToken:
    return new_token(username, "öl ✏️ $where", ("read", "share"), AT, AT + timedelta(days=days))[1]


async def test_what_is_saved_comes_back_with_its_version(tokens: Documents[ApiToken]) -> None:
    given = token()
    saved = await tokens.save(given)
    assert (saved.version, saved) == (1, given.model_copy(update={"version": 1}))
    assert await tokens.get(given.token_id) == saved
    assert await tokens.get("nothing") is None
    again = await tokens.save(saved.model_copy(update={"used_at": AT}))
    assert await tokens.get(given.token_id) == again
    assert await tokens.remove(given.token_id)
    assert not await tokens.remove(given.token_id)


async def test_an_outdated_or_second_save_is_a_conflict(tokens: Documents[ApiToken]) -> None:
    given = token()
    saved = await tokens.save(given)
    newer = await tokens.save(saved)
    for outdated in (given, saved):
        with pytest.raises(Conflict):
            await tokens.save(outdated)
    assert await tokens.get(given.token_id) == newer
    await tokens.remove(given.token_id)
    with pytest.raises(Conflict):
        await tokens.save(newer)


async def test_of_racing_saves_one_wins(tokens: Documents[ApiToken]) -> None:
    saved = await tokens.save(token())
    for racing in (token(), saved):
        outcomes = await asyncio.gather(*(tokens.save(racing) for _ in range(8)), return_exceptions=True)
        assert sum(isinstance(outcome, ApiToken) for outcome in outcomes) == 1
        assert all(isinstance(outcome, ApiToken | Conflict) for outcome in outcomes)


async def test_pages_by_field_newest_first(tokens: Documents[ApiToken]) -> None:
    saved = [await tokens.save(token(name)) for name in ("ann", "bob", "ann", "ann")]
    ids = sorted((one.token_id for one in saved if one.username == "ann"), reverse=True)
    first = await tokens.page(2, username="ann")
    assert [one.token_id for one in first] == ids[:2]
    assert [one.token_id for one in await tokens.page(2, ids[1], username="ann")] == ids[2:]
    assert len(await tokens.page(10)) == 4
    assert await tokens.page(10, username="{'$ne': 1}") == []


async def test_removal_by_field_and_by_age(tokens: Documents[ApiToken]) -> None:
    for name, days in (("ann", 1), ("bob", 1), ("bob", 3), ("cat", 2)):
        await tokens.save(token(name, days))
    assert await tokens.remove_where(username="ann") == 1
    assert await tokens.remove_before(AT + timedelta(days=2)) == 1
    assert sorted(one.username for one in await tokens.page(10)) == ["bob", "cat"]


async def test_only_declared_fields_are_looked_up(tokens: Documents[ApiToken]) -> None:
    for equal in ({"name": "x"}, {"secret_hash": "x"}):
        with pytest.raises(TypeError):
            await tokens.page(1, **equal)
    for nothing in ({}, {"name": "x"}):
        with pytest.raises(TypeError):
            await tokens.remove_where(**nothing)


async def test_every_kind_has_its_place(tmp_path: Path) -> None:
    entry = AuditEntry(
        entry_id=new_ulid(), at=AT, username="", by="nobody", operation="signIn", target="", status=401, address="::1"
    )  # fmt: skip
    for _ in range(2):  # opening again finds it all in place
        async with open_sqlite_catalog(tmp_path / "catalog.db") as store:
            for kind in KINDS:
                await store.documents(kind).page(1)
            await store.documents(AUDIT).save(entry.model_copy(update={"entry_id": new_ulid()}))
    assert len({kind.name for kind in KINDS}) == len(KINDS)
