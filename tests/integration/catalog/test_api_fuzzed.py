"""Whatever is sent to the API by whomever: no 5xx, nothing undocumented, and no data of others (Schemathesis).

Each operation of the committed document is one test; each request is made by everybody. More of it:
`WENTLIVE_FUZZ_EXAMPLES=500 pytest tests/integration/catalog/test_api_fuzzed.py`.
"""

import os
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, get_args

import pytest
import schemathesis
from argon2 import PasswordHasher
from azure.storage.blob.aio import BlobServiceClient
from hypothesis import HealthCheck, settings
from pydantic import SecretStr
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from wentlive_catalog import passwords
from wentlive_catalog.api.context import Context
from wentlive_catalog.app import openapi_document
from wentlive_catalog.bootstrap import bootstrap
from wentlive_catalog.domain.tokens import Scope
from wentlive_catalog.domain.users import Role
from wentlive_catalog.settings import CatalogSettings
from wentlive_catalog.testing import RecordingStory
from wentlive_common.bus.memory import InMemoryBus
from wentlive_common.health import serve_http
from wentlive_common.ids import new_ulid

EXAMPLES = int(os.environ.get("WENTLIVE_FUZZ_EXAMPLES", "6"))
THOROUGH = "WENTLIVE_FUZZ_EXAMPLES" in os.environ
"""Every boundary of every field besides, which takes minutes."""
ANNS = "zz.anns.own"
"""In all that is Ann's alone. A handle too, so that it may stand wherever something of hers does."""
SCOPES: tuple[Scope, ...] = get_args(Scope)
ROLES: dict[str, Role] = {"viewer": "viewer", "member": "member", "admin": "admin"}
CHECKS = [
    not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance,
    response_headers_conformance,
]  # fmt: skip
AT = datetime(2026, 11, 20, 20, 0, tzinfo=UTC)
schema = schemathesis.openapi.from_dict(openapi_document())
schema.config.phases.coverage.enabled = THOROUGH


@dataclass
class Target:
    url: str
    tokens: dict[str, str]
    """By role; each of a person of their own."""
    recording_id: str


@pytest.fixture(scope="module")
def target(azurite: Any, server_thread: Any, tmp_path_factory: pytest.TempPathFactory) -> Generator[Target]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passwords, "PasswordHasher", lambda: PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
        manager = served(azurite.connection_string, tmp_path_factory.mktemp("fuzzed"))
        yield server_thread.enter(manager)
        server_thread.leave(manager)


@asynccontextmanager
async def served(storage: str, folder: Path) -> AsyncGenerator[Target]:
    chosen = CatalogSettings(
        port=0, store_url=SecretStr(f"sqlite://{folder}/catalog.db"), admin_password=SecretStr("correct horse"),
        service_token=SecretStr("service-token"), storage_container=f"fuzzed-{new_ulid()}",
        storage_connection_string=SecretStr(storage),
    )  # fmt: skip
    bus = InMemoryBus()
    async with BlobServiceClient.from_connection_string(storage) as service, bootstrap(chosen, bus=bus) as app:
        await service.create_container(chosen.storage_container)
        await app.projections.subscribe(bus)
        tokens = await people(app.context)
        story = RecordingStory("owl", "7", "8", AT, title="ramen")
        part = story.part(1, size=5000, duration=8, fragments=2, all_pictures=True)
        for event in (story.requested(), story.started(), story.part_opened(part)):
            await bus.publish(event)
        await bus.drain()
        async with serve_http(app.web, "127.0.0.1", 0) as port:
            yield Target(f"http://127.0.0.1:{port}", tokens, story.recording_id)
            app.context.changes.close()
    await bus.close()


async def people(here: Context) -> dict[str, str]:
    tokens: dict[str, str] = {}
    for name, role in ROLES.items():
        user = await here.people.create(f"{name}.person", "correct horse", role)
        tokens[name], _ = await here.access.create_token(user.username, "test", SCOPES, timedelta(days=1))
        await here.follows.follow("owl", user.username)
    ann = await here.people.create("ann", "correct horse", "member")
    await here.access.create_token(ann.username, ANNS, ("read",), timedelta(days=1))
    await here.follows.follow(ANNS, ann.username)
    return tokens


@schemathesis.hook
def map_path_parameters(_context: Any, parameters: dict[str, Any] | None) -> dict[str, Any] | None:
    """Every other time what is really there; made-up ids are all unknown ones."""
    if parameters and len(repr(parameters)) % 2:
        known = {"recording_id": "THE-RECORDING", "part": "a1-p1", "handle": "owl", "username": "viewer.person"}
        return {name: known.get(name, value) for name, value in parameters.items()}
    return parameters


@schema.parametrize()
@settings(
    max_examples=EXAMPLES, deadline=None, derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
    database=None,
)  # fmt: skip
def test_nothing_breaks_and_nothing_leaks(case: Any, target: Target) -> None:
    if case.path_parameters and case.path_parameters.get("recording_id") == "THE-RECORDING":
        case.path_parameters["recording_id"] = target.recording_id
    for who in ("nobody", *ROLES):
        headers = {"authorization": f"Bearer {target.tokens[who]}"} if who in target.tokens else {}
        response = case.call(base_url=target.url, headers=headers, allow_redirects=False)
        case.validate_response(response, checks=CHECKS)
        if who != "admin" and ANNS not in repr(case):
            assert ANNS not in response.text
