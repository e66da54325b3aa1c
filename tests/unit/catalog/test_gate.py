"""Who gets in, and what other sites may not do."""

import asyncio
import re
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import ValidationError
from starlette.routing import Mount
from wentlive_catalog.adapters.sqlite_documents import SqliteDocuments
from wentlive_catalog.bootstrap import bootstrap
from wentlive_catalog.domain.sessions import FREE_TRIES, LONGEST_LOCK, LoginThrottle, TooManyTries
from wentlive_catalog.settings import CatalogSettings
from wentlive_catalog.web.entry import local_path
from wentlive_common.bus.memory import InMemoryBus
from wentlive_common.errors import Transient

OPEN = {"/livez", "/readyz", "/metrics", "/login", "/setup", "/api/v1/setup", "/static/app.css"}
ULID = "01arz3ndektsv4rrffq69g5fav"
PLACES = {
    "recording_id": ULID, "token_id": ULID, "link_id": ULID, "target_id": ULID, "handle": "owl", "part": "a1-p1",
    "username": "ann",
    "session_id": "0" * 16, "token": "x" * 32, "form": "csv",
}  # fmt: skip


def all_routes(routes: Any) -> list[tuple[str, str]]:
    """Every method and path that the app answers, whatever kind of route it is."""
    found: list[tuple[str, str]] = []
    for route in routes:
        if hasattr(route, "effective_candidates"):  # a router within the app
            found += all_routes(route.effective_candidates())
        elif isinstance(route, Mount):
            found.append(("GET", f"{route.path}/app.css"))
        else:
            found += [(method, route.path) for method in route.methods or ()]
    return found


async def test_every_route_but_health_login_and_static_wants_somebody(catalog: Any) -> None:
    routes = all_routes(catalog.app.web.routes)
    assert len(routes) > 30
    for method, path in routes:
        url = re.sub(r"{(\w+)}", lambda match: PLACES[match[1]], path)
        answer = await catalog.client.request(method, url)
        if path in OPEN or (method, path) == ("POST", "/api/v1/session"):
            assert answer.status_code != 403, (method, path)
            assert not answer.headers.get("location", "").startswith("/login?"), (method, path)
        elif path.startswith("/l/"):  # whoever has a link is let in by it; nobody has this one
            assert answer.status_code == 404, (method, path)
        elif path.startswith(("/api/", "/feeds/")):
            assert answer.status_code == 401, (method, path)
            assert answer.headers["content-type"] == "application/problem+json"
        else:
            assert answer.status_code == 401 or answer.headers.get("location", "").startswith("/login"), (method, path)


async def test_signing_in_sets_a_cookie_that_scripts_and_other_sites_cannot_use(catalog: Any) -> None:
    answer = await catalog.client.post(
        "/api/v1/session", json={"username": "admin", "password": "correct horse battery"}
    )
    cookie = SimpleCookie(answer.headers["set-cookie"])["wentlive_session"]
    assert cookie["httponly"]
    assert cookie["samesite"] == "lax"
    assert cookie["path"] == "/"
    assert (await catalog.client.get("/api/v1/session")).json()["username"] == "admin"


@pytest.mark.parametrize("others", ['theme={"dark":true}', "a b=1", "x=[1,2]", "flag", 'n="q;z"', "ga=\xe9"])
async def test_odd_cookies_of_other_programs_keep_nobody_out(catalog: Any, others: str) -> None:
    client = await catalog.sign_in()
    ours = f"wentlive_session={client.cookies['wentlive_session']}"
    client.cookies.clear()
    for header in (f"{others}; {ours}", f"{ours}; {others}"):
        answer = await client.get("/api/v1/session", headers={"cookie": header.encode("latin-1")})
        assert answer.status_code == 200


async def test_no_redirect_leads_to_the_host_that_the_request_named(catalog: Any) -> None:
    for path in ("/internal/v1/follows/", "/livez/", "/login/"):
        answer = await catalog.client.get(path, headers={"host": "evil.example"})
        assert "evil.example" not in answer.headers.get("location", "")


async def test_over_https_the_cookie_stays_on_https(tmp_path: Path, catalog: Any) -> None:
    public = catalog.app.settings.model_dump() | {"public_url": "https://live.example"}
    settings = type(catalog.app.settings).model_validate(public | {"store_url": f"sqlite://{tmp_path}/other.db"})
    bus = InMemoryBus()
    async with bootstrap(settings, bus=bus) as app:
        transport = httpx.ASGITransport(app.web)
        async with httpx.AsyncClient(transport=transport, base_url="http://inside.test") as client:
            body = {"username": "admin", "password": "correct horse battery"}
            answer = await client.post("/api/v1/session", json=body)
    assert answer.headers["set-cookie"].startswith("__Host-wentlive_session=")
    assert "Secure" in answer.headers["set-cookie"]
    await bus.close()


async def test_signing_out_ends_the_session_itself(catalog: Any) -> None:
    client = await catalog.sign_in()
    cookie = client.cookies["wentlive_session"]
    assert (await client.delete("/api/v1/session")).status_code == 204
    client.cookies.set("wentlive_session", cookie, domain="catalog.test")
    assert (await client.get("/api/v1/session")).status_code == 401


async def test_the_store_holds_no_token(catalog: Any, tmp_path: Path) -> None:
    client = await catalog.sign_in()
    token = client.cookies["wentlive_session"].encode()
    files = await asyncio.to_thread(lambda: [file.read_bytes() for file in tmp_path.glob("catalog.db*")])
    assert files
    assert not any(token in content for content in files)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"origin": "http://evil.test"}, 403),
        ({"origin": "null"}, 403),
        ({"sec-fetch-site": "same-origin", "origin": "http://catalog.test"}, 201),
        ({"origin": "http://catalog.test"}, 201),
        ({}, 201),
    ],
)
async def test_other_sites_change_nothing(catalog: Any, headers: dict[str, str], status: int) -> None:
    client = await catalog.sign_in()
    answer = await client.post("/api/v1/creators", json={"creator": "@owl"}, headers=headers)
    assert answer.status_code == status
    followed = (await client.get("/api/v1/creators")).json()["items"]
    assert len(followed) == (1 if status == 201 else 0)


async def test_every_answer_carries_the_security_headers(catalog: Any) -> None:
    for path in ("/livez", "/login", "/static/app.css", "/api/v1/recordings", "/nothing"):
        headers = (await catalog.client.get(path)).headers
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert "http://storage.test" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"


async def test_wrong_passwords_are_refused_alike_and_slowed_down(catalog: Any) -> None:
    body = {"username": "admin", "password": "wrong"}
    answers = [await catalog.client.post("/api/v1/session", json=body) for _ in range(FREE_TRIES + 1)]
    assert [answer.status_code for answer in answers] == [401] * FREE_TRIES + [429]
    assert int(answers[-1].headers["retry-after"]) >= 1
    nobody = await catalog.client.post("/api/v1/session", json=body | {"username": "nobody"})
    assert nobody.json()["detail"] == answers[0].json()["detail"]


def test_each_lock_is_longer_than_the_last_up_to_a_bound() -> None:
    throttle, now, locks = LoginThrottle(), 0.0, []
    for _ in range(FREE_TRIES):
        throttle.begin("1.2.3.4", "admin", now)
    for _ in range(12):
        with pytest.raises(TooManyTries) as refused:
            throttle.begin("1.2.3.4", "admin", now)
        locks.append(refused.value.retry_after)
        now += refused.value.retry_after
        throttle.begin("1.2.3.4", "admin", now)
    assert locks == sorted(locks)
    assert locks[-1] == LONGEST_LOCK
    throttle.begin("5.6.7.8", "admin", now)
    throttle.succeeded("1.2.3.4", "admin")
    throttle.begin("1.2.3.4", "admin", now)


@pytest.mark.parametrize("wanted", ["//evil.test", "https://evil.test", "/\\evil.test", "", "/a\nb"])
def test_login_leads_nowhere_else(wanted: str) -> None:
    assert local_path(wanted) == "/"


async def test_the_follow_list_is_for_services_with_the_token(catalog: Any) -> None:
    client = await catalog.sign_in()
    await client.post("/api/v1/creators", json={"creator": "@owl"})
    assert (await client.get("/internal/v1/follows")).status_code == 401
    wrong = await client.get("/internal/v1/follows", headers={"authorization": "Bearer wrong"})
    assert wrong.status_code == 401
    right = await client.get("/internal/v1/follows", headers={"authorization": "Bearer service-token-of-tests"})
    assert right.json()["follows"] == [
        {"handle": "owl", "creator_id": None, "wishes": {"quality": None, "interval": "usual"}}
    ]
    assert right.json()["taken_at"].endswith("Z")


async def test_a_store_that_is_away_is_said_so_and_health_still_answers(
    catalog: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = await catalog.sign_in()

    async def away(*_: object) -> None:
        raise Transient("The database does not answer.")

    monkeypatch.setattr(SqliteDocuments, "get", away)
    answer = await client.get("/api/v1/creators")
    assert (answer.status_code, answer.json()["detail"]) == (503, "The database does not answer.")
    assert (await client.get("/livez")).status_code == 200


async def test_a_large_body_is_not_read(catalog: Any) -> None:
    client = await catalog.sign_in()

    async def pieces():
        for _ in range(200):
            yield b"x" * 1024

    assert (await client.post("/api/v1/creators", content=b"x" * 100_000)).status_code == 413
    assert (await client.post("/api/v1/creators", content=pieces())).status_code == 413


def test_weak_secrets_and_odd_image_sources_are_refused(catalog_values: dict[str, Any]) -> None:
    for bad in ({"admin_password": "short"}, {"service_token": ""}, {"image_sources": ["'unsafe-inline'; x"]}):
        with pytest.raises(ValidationError) as refused:
            CatalogSettings.model_validate(catalog_values | bad)
        assert "short" not in str(refused.value).replace("too short", "")


@pytest.fixture
def catalog_values() -> dict[str, Any]:
    return {
        "store_url": "sqlite:///x.db", "storage_connection_string": "AccountKey=a2V5", "admin_password": "long enough",
        "service_token": "long enough",
    }  # fmt: skip
