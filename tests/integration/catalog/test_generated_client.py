"""The document alone is enough to write a client: a public generator makes one, and it runs an evening over HTTP."""

import importlib
import sys
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from openapi_python_client import generate
from openapi_python_client.config import Config, ConfigFile, MetaType
from pydantic import SecretStr
from wentlive_catalog.bootstrap import bootstrap
from wentlive_catalog.settings import CatalogSettings
from wentlive_catalog.testing import RecordingStory
from wentlive_common.bus.memory import InMemoryBus
from wentlive_common.health import serve_http

DOCUMENT = Path(__file__).parents[3] / "docs" / "openapi.json"
PACKAGE = "generated_wentlive_client"
STORAGE = "DefaultEndpointsProtocol=http;AccountName=w;AccountKey=a2V5;BlobEndpoint=http://storage.test/w;"
AT = datetime(2026, 11, 20, 20, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Generator[str]:
    folder = tmp_path_factory.mktemp("client")
    file = ConfigFile(package_name_override=PACKAGE, post_hooks=[])
    config = Config.from_sources(
        file, MetaType.NONE, document_source=DOCUMENT, file_encoding="utf-8", overwrite=True,
        output_path=folder / PACKAGE,
    )  # fmt: skip
    # A playlist, a media segment, a clip and a feed are no JSON: a client fetches those by their address.
    complaints = [complaint.detail or "" for complaint in generate(config=config)]
    assert [complaint for complaint in complaints if "Unsupported content_type" not in complaint] == []
    assert len(complaints) == 4
    sys.path.insert(0, str(folder))
    yield PACKAGE
    sys.path.remove(str(folder))


@pytest.fixture(scope="module")
def address(server_thread: Any, tmp_path_factory: pytest.TempPathFactory) -> Generator[tuple[str, str]]:
    manager = served(tmp_path_factory.mktemp("catalog"))
    yield server_thread.enter(manager)
    server_thread.leave(manager)


@asynccontextmanager
async def served(folder: Path) -> AsyncGenerator[tuple[str, str]]:
    chosen = CatalogSettings(
        port=0, store_url=SecretStr(f"sqlite://{folder}/catalog.db"), service_token=SecretStr("service-token"),
        storage_connection_string=SecretStr(STORAGE), admin_password=SecretStr("correct horse"),
    )  # fmt: skip
    bus = InMemoryBus()
    async with bootstrap(chosen, bus=bus) as app:
        await app.projections.subscribe(bus)
        token, _ = await app.context.access.create_token(
            "admin", "client", ("read", "follow", "record", "share", "admin"), timedelta(days=1)
        )
        story = RecordingStory("owl", "7", "8", AT, title="ramen")
        part = story.part(1, size=5000, duration=8, fragments=2, closed=True)
        for event in (story.requested(), story.part_opened(part), story.part_closed(part), story.completed(AT)):
            await bus.publish(event)
        await bus.drain()
        async with serve_http(app.web, "127.0.0.1", 0) as port:
            yield f"http://127.0.0.1:{port}", token
    await bus.close()


def test_a_generated_client_runs_an_evening(package: str, address: tuple[str, str]) -> None:
    url, token = address
    with importlib.import_module(package).AuthenticatedClient(base_url=url, token=token) as client:
        run_evening(package, client, url)


def run_evening(package: str, client: Any, url: str) -> None:
    models = importlib.import_module(f"{package}.models")

    def call(tag: str, operation: str, **arguments: Any) -> Any:
        return importlib.import_module(f"{package}.api.{tag}.{operation}").sync(client=client, **arguments)

    assert call("session", "get_session").username == "admin"
    followed = call("creators", "follow_creator", body=models.FollowIn(creator="@owl"), idempotency_key="evening")
    assert (followed.handle, followed.status) == ("owl", "checking")
    wanted = models.CreatorSettingsIn(quality=models.QualityIn(max_height=720), interval="eager")
    settings = call("creators", "update_creator_settings", handle="owl", body=wanted)
    assert (settings.quality.max_height, settings.interval) == (720, "eager")
    [recording] = call("recordings", "list_recordings").items
    assert (recording.title, recording.live_started_at) == ("ramen", AT)
    change = models.RecordingChange(name="The ramen night", pinned=True)
    assert call("recordings", "update_recording", recording_id=recording.recording_id, body=change).pinned
    link = call("links", "create_link", recording_id=recording.recording_id, body=models.SharedLinkIn(max_uses=3))
    assert link.url.startswith(f"{url}/l/")
    assert call("links", "list_links").items[0].works
    timeline = call("recordings", "get_timeline", recording_id=recording.recording_id)
    assert timeline.items[0].what == "live_began"
    problem = call("recordings", "get_recording", recording_id="01arz3ndektsv4rrffq69g5fav")
    assert (problem.status, problem.type_) == (404, "urn:wentlive:problem:no-such-recording")
    assert call("audit", "list_audit").items[0].operation == "createLink"
