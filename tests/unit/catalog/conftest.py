"""A whole catalog without sockets: SQLite in a file, the bus in memory, storage that is only signed for."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from argon2 import PasswordHasher
from pydantic import SecretStr
from wentlive_catalog import passwords
from wentlive_catalog.bootstrap import CatalogApp, bootstrap
from wentlive_catalog.domain.sessions import SESSIONS, new_session
from wentlive_catalog.domain.tokens import Scope
from wentlive_catalog.domain.users import USERS, NoSuchUser, Role, User
from wentlive_catalog.settings import CatalogSettings
from wentlive_catalog.testing import FakeLinkResolver
from wentlive_common.bus.memory import InMemoryBus

PASSWORD = "correct horse battery"
TOKEN = "service-token-of-tests"
STORAGE = (
    "DefaultEndpointsProtocol=http;AccountName=wentlive;AccountKey=a2V5;BlobEndpoint=http://storage.test/wentlive;"
)


def settings_for(folder: Path, **more: object) -> CatalogSettings:
    values = {
        "port": 0, "store_url": SecretStr(f"sqlite://{folder}/catalog.db"), "admin_password": SecretStr(PASSWORD),
        "service_token": SecretStr(TOKEN), "storage_connection_string": SecretStr(STORAGE),
    }  # fmt: skip
    return CatalogSettings.model_validate(values | more)


@dataclass
class Catalog:
    app: CatalogApp
    bus: InMemoryBus
    links: FakeLinkResolver
    client: httpx.AsyncClient
    """A browser, not signed in."""

    async def person(self, username: str, role: Role = "member") -> httpx.AsyncClient:
        """Somebody with that role and a browser of their own, signed in. Closed with the catalog."""
        people = self.app.context.people
        try:
            await people.user(username)
        except NoSuchUser:
            await people.create(username, PASSWORD, role)
        asker, token = await self._session(username)
        assert asker.role == role
        return self.browser({"cookie": f"wentlive_session={token}"})

    async def program(self, username: str, *scopes: Scope) -> httpx.AsyncClient:
        """A program with an API token of that person."""
        text, _ = await self.app.context.access.create_token(username, "test", scopes, timedelta(days=1))
        return self.browser({"authorization": f"Bearer {text}"})

    def browser(self, headers: dict[str, str]) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(self.app.web, raise_app_exceptions=False)
        return httpx.AsyncClient(transport=transport, base_url="http://catalog.test", headers=headers)

    async def _session(self, username: str) -> tuple[User, str]:
        store = self.app.context.store
        token, session = new_session(username, datetime.now(UTC), timedelta(days=1))
        await store.documents(SESSIONS).save(session)
        user = await store.documents(USERS).get(username)
        assert user is not None
        return user, token

    async def sign_in(self) -> httpx.AsyncClient:
        answer = await self.client.post("/api/v1/session", json={"username": "admin", "password": PASSWORD})
        assert answer.status_code == 201
        return self.client


@pytest.fixture(autouse=True)
def quick_password_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A real hash takes a second and 64 MiB on purpose: nobody guesses passwords here."""
    monkeypatch.setattr(passwords, "PasswordHasher", lambda: PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))


@pytest.fixture
async def catalog(tmp_path: Path) -> AsyncGenerator[Catalog]:
    bus, links = InMemoryBus(), FakeLinkResolver()
    async with bootstrap(settings_for(tmp_path), bus=bus, resolver=links) as app:
        await app.projections.subscribe(bus)
        transport = httpx.ASGITransport(app.web, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://catalog.test") as client:
            yield Catalog(app, bus, links, client)
    await bus.close()
