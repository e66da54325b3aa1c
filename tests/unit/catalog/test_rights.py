"""Every operation, asked for by everybody: who may, may, and who may not is told why."""

import re
from collections.abc import Iterator
from typing import Any, get_args

import httpx
import pytest
from wentlive_catalog.app import openapi_document
from wentlive_catalog.domain.rights import RIGHTS, Right, RoleTooLow, ScopeMissing, SessionNeeded, check
from wentlive_catalog.domain.tokens import Scope
from wentlive_catalog.domain.users import ROLES

ULID = "01arz3ndektsv4rrffq69g5fav"
PLACES = {
    "recording_id": ULID, "token_id": ULID, "link_id": ULID, "handle": "owl", "part": "a1-p1", "username": "nobody",
    "session_id": "0" * 16,
}  # fmt: skip
PEOPLE = {"viewer": "vic", "member": "meg", "admin": "ada"}
SCOPES: tuple[Scope, ...] = get_args(Scope)


def operations() -> Iterator[tuple[str, str, str]]:
    for path, methods in openapi_document()["paths"].items():
        for method, operation in methods.items():
            yield operation["operationId"], method.upper(), path


def routes(found: Any) -> Iterator[Any]:
    for route in found:
        if hasattr(route, "effective_candidates"):  # a router within the app
            yield from routes(route.effective_candidates())
        elif hasattr(route, "operation_id"):
            yield route


def address(path: str) -> str:
    return re.sub(r"{(\w+)}", lambda match: PLACES.get(match[1], "x"), path)


async def ask(client: httpx.AsyncClient, method: str, path: str) -> httpx.Response:
    body = {} if method in ("POST", "PUT", "PATCH") else None
    async with client:
        return await client.request(method, address(path), json=body)


def test_every_operation_of_the_document_is_in_the_table() -> None:
    named = [name for name, _, _ in operations()]
    assert len(named) == len(set(named))
    assert set(named) <= RIGHTS.keys()


def test_every_route_of_pages_is_in_the_table(catalog: Any) -> None:
    # Health, static files and the services' own pages have no operation; the gate knows them by their paths.
    named = {route.operation_id for route in routes(catalog.app.web.routes) if not route.path.startswith("/internal/")}
    assert named <= RIGHTS.keys()
    assert RIGHTS.keys() <= named, "the table names operations that are not there"


async def test_who_may_and_who_may_not(catalog: Any) -> None:
    for operation, method, path in operations():
        await check_people(catalog, operation, method, path)


async def check_people(catalog: Any, operation: str, method: str, path: str) -> None:
    right = RIGHTS[operation]
    nobody = await ask(catalog.browser({}), method, path)
    assert (nobody.status_code == 401) == (right.role is not None), operation
    for role in ROLES:
        answer = await ask(await catalog.person(PEOPLE[role], role), method, path)
        may = right.role is None or ROLES.index(role) >= ROLES.index(right.role)
        assert (answer.status_code in (401, 403)) == (not may), (operation, role, answer.text)
        if not may:
            assert answer.json()["type"] == "urn:wentlive:problem:role-too-low"
    if right.role is not None:
        await check_tokens(catalog, right, method, path)


async def check_tokens(catalog: Any, right: Right, method: str, path: str) -> None:
    others = [scope for scope in SCOPES if scope != right.scope]
    refused = await ask(await catalog.program("ada", *others), method, path)
    wanted = "scope-missing" if right.scope else "session-needed"
    assert (refused.status_code, refused.json()["type"]) == (403, f"urn:wentlive:problem:{wanted}")
    if right.scope:
        answer = await ask(await catalog.program("ada", right.scope), method, path)
        assert answer.status_code not in (401, 403), (method, path)
    if right.role != "viewer":
        # A scope never gives more than its owner's role.
        assert (await ask(await catalog.program("vic", *SCOPES), method, path)).status_code == 403


def test_what_is_not_in_the_table_is_refused_to_everybody() -> None:
    for operation in (None, "", "somethingNew"):
        with pytest.raises(RoleTooLow):
            check(operation, "admin", None)
    with pytest.raises(ScopeMissing):
        check("listCreators", "admin", ("admin",))
    with pytest.raises(SessionNeeded):
        check("createToken", "admin", SCOPES)
