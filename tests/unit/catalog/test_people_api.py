"""Users, set-up, sessions, API tokens and the audit trail, as the REST API shows them."""

from collections.abc import AsyncGenerator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from wentlive_catalog.bootstrap import bootstrap
from wentlive_catalog.domain.sessions import SESSIONS
from wentlive_catalog.domain.tokens import TOKENS
from wentlive_catalog.domain.users import USERS
from wentlive_catalog.settings import CatalogSettings
from wentlive_common.bus.memory import InMemoryBus
from wentlive_common.errors import Transient

PASSWORD = "correct horse battery"


async def test_an_admin_makes_and_changes_people(catalog: Any) -> None:
    admin = await catalog.sign_in()
    made = await admin.post("/api/v1/users", json={"username": " Ann ", "password": PASSWORD, "role": "viewer"})
    assert (made.status_code, made.json()["username"], made.json()["role"]) == (201, "ann", "viewer")
    assert "password" not in made.text
    again = await admin.post("/api/v1/users", json={"username": "ann", "password": PASSWORD})
    assert (again.status_code, again.json()["type"]) == (409, "urn:wentlive:problem:user-exists")
    ann = await catalog.person("ann", "viewer")
    assert (await ann.post("/api/v1/creators", json={"creator": "owl"})).status_code == 403
    changed = await admin.patch(
        "/api/v1/users/ann", json={"role": "member"}, headers={"if-match": made.headers["etag"]}
    )
    assert changed.json()["role"] == "member"
    outdated = await admin.patch("/api/v1/users/ann", json={"disabled": True}, headers={"if-match": '"1"'})
    assert outdated.status_code == 412
    # Whose role changed signs in again.
    assert (await ann.get("/api/v1/session")).status_code == 401
    names = [user["username"] for user in (await admin.get("/api/v1/users")).json()["items"]]
    assert names == ["admin", "ann"]


@pytest.mark.parametrize(
    "body", [{"username": "a b"}, {"username": ""}, {"username": "x" * 65}, {"password": "short"}, {"role": "root"}]
)
async def test_odd_people_are_refused(catalog: Any, body: dict[str, str]) -> None:
    admin = await catalog.sign_in()
    answer = await admin.post("/api/v1/users", json={"username": "ann", "password": PASSWORD} | body)
    assert answer.status_code == 422
    assert "short" not in answer.text


async def test_whoever_is_disabled_or_deleted_is_out_at_once(catalog: Any) -> None:
    admin, ann = await catalog.sign_in(), await catalog.person("ann")
    program = await catalog.program("ann", "read", "follow")
    await program.post("/api/v1/creators", json={"creator": "owl"})
    assert (await admin.patch("/api/v1/users/ann", json={"disabled": True})).status_code == 200
    login = await catalog.browser({}).post("/api/v1/session", json={"username": "ann", "password": PASSWORD})
    assert [(await client.get("/api/v1/session")).status_code for client in (ann, program)] == [401, 401]
    assert login.status_code == 401
    assert (await admin.patch("/api/v1/users/ann", json={"disabled": False})).status_code == 200
    assert (await program.get("/api/v1/session")).status_code == 200
    assert (await admin.delete("/api/v1/users/ann")).status_code == 204
    assert (await admin.delete("/api/v1/users/ann")).status_code == 404
    assert (await program.get("/api/v1/session")).status_code == 401
    store = catalog.app.context.store
    assert [await store.documents(kind).page(10, username="ann") for kind in (SESSIONS, TOKENS)] == [[], []]
    assert await store.followed_creators() == ()


async def test_the_last_admin_and_the_one_of_the_settings_stay(catalog: Any) -> None:
    admin = await catalog.sign_in()
    for answer in (
        await admin.patch("/api/v1/users/admin", json={"role": "viewer"}),
        await admin.delete("/api/v1/users/admin"),
        await admin.put("/api/v1/session/password", json={"current": PASSWORD, "wanted": "another one"}),
    ):
        assert (answer.status_code, answer.json()["type"]) == (409, "urn:wentlive:problem:managed-user")
    users = catalog.app.context.store.documents(USERS)
    await users.save((await users.get("admin")).model_copy(update={"managed": False}))
    alone = await admin.patch("/api/v1/users/admin", json={"disabled": True})
    assert (alone.status_code, alone.json()["type"]) == (409, "urn:wentlive:problem:last-admin")
    await catalog.person("bob", "admin")
    assert (await admin.patch("/api/v1/users/admin", json={"role": "member"})).status_code == 200


async def test_a_password_is_changed_by_who_knows_it_and_ends_other_sessions(catalog: Any) -> None:
    here, there = await catalog.person("ann"), await catalog.person("ann")
    assert len((await here.get("/api/v1/sessions")).json()["items"]) == 2
    wrong = await here.put("/api/v1/session/password", json={"current": "wrong", "wanted": "another one"})
    assert (wrong.status_code, wrong.json()["type"]) == (422, "urn:wentlive:problem:wrong-password")
    right = await here.put("/api/v1/session/password", json={"current": PASSWORD, "wanted": "another one"})
    assert right.status_code == 204
    assert [(await client.get("/api/v1/session")).status_code for client in (here, there)] == [200, 401]
    login = {"username": "ANN", "password": "another one"}
    assert (await catalog.browser({}).post("/api/v1/session", json=login)).status_code == 201


async def test_sessions_are_listed_and_closed_by_whose_they_are(catalog: Any) -> None:
    ann, bob = await catalog.person("ann"), await catalog.person("bob")
    other = await catalog.person("ann")
    items = (await ann.get("/api/v1/sessions")).json()["items"]
    assert sorted(item["current"] for item in items) == [False, True]
    gone = next(item["session_id"] for item in items if not item["current"])
    assert (await bob.delete(f"/api/v1/sessions/{gone}")).status_code == 404
    assert (await ann.delete(f"/api/v1/sessions/{gone}")).status_code == 204
    assert (await other.get("/api/v1/session")).status_code == 401


async def test_a_token_is_told_once_and_ends_when_revoked(catalog: Any, tmp_path: Path) -> None:
    ann, bob = await catalog.person("ann"), await catalog.person("bob")
    made = await ann.post("/api/v1/tokens", json={"name": "backup", "scopes": ["read"], "lifetime_days": 1})
    assert made.status_code == 201
    told, token_id = made.json()["token"], made.json()["token_id"]
    program = catalog.browser({"authorization": f"Bearer {told}"})
    assert (await program.get("/api/v1/session")).json()["scopes"] == ["read"]
    listed = await ann.get("/api/v1/tokens")
    assert told not in listed.text
    assert listed.json()["items"][0]["used_at"] is not None
    assert not any(told.encode() in file.read_bytes() for file in tmp_path.glob("catalog.db*"))  # noqa: ASYNC240
    assert (await bob.delete(f"/api/v1/tokens/{token_id}")).status_code == 404
    assert (await ann.delete(f"/api/v1/tokens/{token_id}")).status_code == 204
    assert (await program.get("/api/v1/session")).status_code == 401


@pytest.mark.parametrize("token", ["", "x", "wl_", "wl_01arz3ndektsv4rrffq69g5fav_x", "wl_'_\"", "ü"])
async def test_what_is_no_token_opens_nothing(catalog: Any, token: str) -> None:
    stranger = catalog.browser({})
    headers = {"authorization": f"Bearer {token}".encode()}
    assert (await stranger.get("/api/v1/session", headers=headers)).status_code == 401


async def test_an_expired_token_opens_nothing(catalog: Any) -> None:
    await catalog.person("ann")
    text, token = await catalog.app.context.access.create_token("ann", "t", ("read",), timedelta(days=1))
    past = token.model_copy(update={"expires_at": token.created_at - timedelta(seconds=1)})
    await catalog.app.context.store.documents(TOKENS).save(past)
    program = catalog.browser({"authorization": f"Bearer {text}"})
    assert (await program.get("/api/v1/session")).status_code == 401
    assert (await program.get("/api/v1/session")).headers["www-authenticate"] == "Bearer"


async def test_the_trail_says_who_did_what_and_how_it_went(catalog: Any) -> None:
    admin, ann = await catalog.sign_in(), await catalog.person("ann")
    await ann.post("/api/v1/creators", json={"creator": "@Owl"})
    await ann.delete("/api/v1/users/admin")
    await ann.post("/creators", data={"creator": "fox"})
    await catalog.browser({}).post("/api/v1/session", json={"username": "ann", "password": "guess"})
    items = (await admin.get("/api/v1/audit")).json()["items"]
    told = [(item["username"], item["operation"], item["target"], item["status"]) for item in items]
    assert told[:4] == [
        ("", "signIn", "username=ann", 401),
        ("ann", "followCreator", "handle=fox", 303),
        ("ann", "deleteUser", "username=admin", 403),
        ("ann", "followCreator", "handle=owl", 201),
    ]
    assert "guess" not in str(items)
    page = (await admin.get("/api/v1/audit", params={"username": "ann", "limit": 2})).json()
    rest = (await admin.get("/api/v1/audit", params={"username": "ann", "cursor": page["next_cursor"]})).json()
    assert [item["status"] for item in page["items"] + rest["items"]] == [303, 403, 201]
    assert rest["next_cursor"] is None
    only = (await admin.get("/api/v1/audit", params={"operation": "deleteUser"})).json()
    assert len(only["items"]) == 1


async def test_a_trail_that_cannot_be_written_is_in_the_log(
    catalog: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ann = await catalog.person("ann")

    async def away(*_: object) -> None:
        raise Transient("The database does not answer.")

    monkeypatch.setattr(catalog.app.context.trail._entries, "save", away)
    assert (await ann.post("/api/v1/creators", json={"creator": "@owl"})).status_code == 201
    assert "audit_entry_not_stored" in capsys.readouterr().out


@pytest.fixture
async def new_catalog(tmp_path: Path, catalog: Any) -> AsyncGenerator[Any]:
    """Without an admin in the settings: opened as often as asked, over one store."""
    bus = InMemoryBus()

    def opened(**more: object) -> Any:
        values = catalog.app.settings.model_dump() | {"store_url": f"sqlite://{tmp_path}/new.db"}
        settings = CatalogSettings.model_validate(values | {"admin_password": None} | more)
        return bootstrap(settings, bus=bus)

    yield opened
    await bus.close()


def from_address(app: Any, address: str, **headers: str) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app.web, client=(address, 1))
    return httpx.AsyncClient(transport=transport, base_url="http://catalog.test", headers=headers)


FIRST = {"username": "eve", "password": PASSWORD}


async def test_the_first_admin_is_made_once_and_from_this_machine(new_catalog: Any) -> None:
    async with new_catalog() as app, from_address(app, "127.0.0.1") as here:
        assert (await here.get("/login")).headers["location"] == "/setup"
        for far in (from_address(app, "192.0.2.7"), from_address(app, "127.0.0.1", **{"x-forwarded-for": "192.0.2.7"})):
            assert (await far.post("/api/v1/setup", json=FIRST)).status_code == 403
        assert (await here.get("/api/v1/setup")).json() == {"needed": True}
        weak = await here.post("/setup", data={"username": "eve", "password": "short"})
        assert (weak.status_code, "at least 8" in weak.text) == (422, True)
        done = await here.post("/setup", data=FIRST)
        assert (done.status_code, done.headers["location"]) == (303, "/")
        assert (await here.get("/api/v1/session")).json()["role"] == "admin"
        assert (await here.post("/api/v1/setup", json=FIRST)).status_code == 409
        assert (await here.get("/setup")).headers["location"] == "/login"
        assert (await here.get("/api/v1/setup")).json() == {"needed": False}


async def test_with_a_code_it_is_set_up_from_anywhere_and_guessing_is_slowed_down(new_catalog: Any) -> None:
    async with new_catalog(setup_code=SecretStr("open sesame")) as app, from_address(app, "192.0.2.7") as far:
        assert "Set-up code" in (await far.get("/setup")).text
        guesses = [(await far.post("/api/v1/setup", json=FIRST | {"code": "guess"})).status_code for _ in range(6)]
        assert guesses == [403] * 5 + [429]
        async with from_address(app, "192.0.2.8") as other:
            assert (await other.post("/api/v1/setup", json=FIRST | {"code": "open sesame"})).status_code == 201


async def test_the_admin_of_the_settings_follows_the_settings(new_catalog: Any) -> None:
    async def signs_in(app: Any, password: str) -> int:
        async with from_address(app, "192.0.2.7") as client:
            return (await client.post("/api/v1/session", json={"username": "admin", "password": password})).status_code

    async with new_catalog(admin_password=SecretStr("the first one")) as app:
        assert await signs_in(app, "the first one") == 201
    async with new_catalog(admin_password=SecretStr("the second one")) as app:
        assert [await signs_in(app, word) for word in ("the first one", "the second one")] == [401, 201]
