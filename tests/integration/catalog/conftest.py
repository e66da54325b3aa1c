"""A catalog over real Blob Storage (Azurite), with a recording in it that grows."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from azure.storage.blob.aio import BlobServiceClient, ContainerClient
from pydantic import SecretStr
from wentlive_catalog.bootstrap import CatalogApp, bootstrap
from wentlive_catalog.settings import CatalogSettings
from wentlive_catalog.testing import RecordingStory
from wentlive_common.bus.memory import InMemoryBus
from wentlive_common.ids import new_ulid
from wentlive_common.job import PartReport
from wentlive_devkit.recorded import Sample, StoredPart, make_sample
from wentlive_devkit.servers import AzuriteServer

PASSWORD = "correct horse battery"


@pytest.fixture(scope="session")
def sample() -> Sample:
    return make_sample(8)


@dataclass
class Stage:
    """What a test acts on: the service, its bus and storage, and a signed-in client over ASGI."""

    app: CatalogApp
    bus: InMemoryBus
    container: ContainerClient
    client: httpx.AsyncClient
    sample: Sample

    async def part(self, story: RecordingStory, number: int) -> StoredPart:
        stored = StoredPart(self.container, story.stem(1, number), self.sample, datetime.now(UTC))
        await stored.open()
        return stored

    def report(self, story: RecordingStory, number: int, stored: StoredPart) -> PartReport:
        return story.part(
            number, size=stored.size, duration=self.sample.duration(stored.written), fragments=stored.written,
            closed=stored.closed, opened_at=stored.opened_at,
        )  # fmt: skip

    async def tell(self, *events: object) -> None:
        for event in events:
            await self.bus.publish(event)  # type: ignore[arg-type]
        await self.bus.drain()


@pytest.fixture
async def stage(azurite: AzuriteServer, sample: Sample, tmp_path: Path) -> AsyncGenerator[Stage]:
    name = f"test-{new_ulid()}"
    settings = CatalogSettings(
        port=0, store_url=SecretStr(f"sqlite://{tmp_path}/catalog.db"), admin_password=SecretStr(PASSWORD),
        service_token=SecretStr("service-token"), storage_container=name,
        storage_connection_string=SecretStr(azurite.connection_string),
    )  # fmt: skip
    bus = InMemoryBus()
    async with (
        BlobServiceClient.from_connection_string(azurite.connection_string) as service,
        bootstrap(settings, bus=bus) as app,
        httpx.AsyncClient(transport=httpx.ASGITransport(app.web), base_url="http://catalog.test") as client,
    ):
        container = service.get_container_client(name)
        await container.create_container()
        await app.projections.subscribe(bus)
        await client.post("/api/v1/session", json={"username": "admin", "password": PASSWORD})
        yield Stage(app, bus, container, client, sample)
    await bus.close()
