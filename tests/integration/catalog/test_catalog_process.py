"""The catalog as a process of its own, between a real broker, a real MongoDB-compatible server and real storage."""

import asyncio
import os
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from pydantic import SecretStr
from wentlive_catalog.testing import RecordingStory
from wentlive_common.bus.rabbit import RabbitBus
from wentlive_common.events import AnyEvent, CreatorFollowed, CreatorProfileChanged, new_event
from wentlive_common.ids import new_ulid
from wentlive_devkit.servers import AzuriteServer
from wentlive_devkit.servers.ports import free_port

PASSWORD = "correct horse battery"
SECONDS = 40.0


async def until_ready(process: asyncio.subprocess.Process, client: httpx.AsyncClient) -> None:
    async with asyncio.timeout(SECONDS):
        while True:
            assert process.returncode is None, "the catalog ended"
            try:
                if (await client.get("/readyz")).status_code == 200:
                    return
            except httpx.TransportError:
                pass  # it does not listen yet
            await asyncio.sleep(0.1)


async def recordings(client: httpx.AsyncClient, count: int) -> list[dict[str, Any]]:
    async with asyncio.timeout(SECONDS):
        while True:
            items: list[dict[str, Any]] = (await client.get("/api/v1/recordings")).json()["items"]
            if len(items) == count:
                return items
            await asyncio.sleep(0.05)


async def start(environment: dict[str, str], log: Path) -> asyncio.subprocess.Process:
    with log.open("ab") as output:
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", "wentlive_catalog", env=environment, stderr=output, stdout=output
        )


async def test_events_come_in_follows_go_out_and_it_stops_at_once(
    rabbitmq_url: Any, mongodb_url: str, azurite: AzuriteServer, tmp_path: Path
) -> None:
    amqp = rabbitmq_url if isinstance(rabbitmq_url, SecretStr) else SecretStr(str(rabbitmq_url))
    port, log = free_port(), tmp_path / "catalog.log"
    environment = {
        "PATH": os.environ["PATH"],
        "WENTLIVE_CATALOG_PORT": str(port),
        "WENTLIVE_CATALOG_STORE_URL": f"{mongodb_url.rstrip('/')}/catalog_{new_ulid()}",
        "WENTLIVE_CATALOG_AMQP_URL": amqp.get_secret_value(),
        "WENTLIVE_CATALOG_STORAGE_CONNECTION_STRING": azurite.connection_string,
        "WENTLIVE_CATALOG_ADMIN_PASSWORD": PASSWORD,
        "WENTLIVE_CATALOG_SERVICE_TOKEN": "service-token-of-tests",
    }
    bus = RabbitBus(amqp, "test")
    followed: asyncio.Queue[str] = asyncio.Queue()

    async def on_followed(event: AnyEvent) -> None:
        assert isinstance(event.data, CreatorFollowed)
        followed.put_nowait(event.data.handle)

    await bus.subscribe(f"test.{new_ulid()}", (CreatorFollowed,), on_followed)
    process = await start(environment, log)
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=10) as client:
            await until_ready(process, client)
            login = await client.post("/api/v1/session", json={"username": "admin", "password": PASSWORD})
            assert login.status_code == 201
            await client.post("/api/v1/creators", json={"creator": "@owl"})
            assert await asyncio.wait_for(followed.get(), SECONDS) == "owl"

            story = RecordingStory("owl", "7", "8", datetime.now(UTC))
            profile = CreatorProfileChanged(handle="owl", creator_id="7", nickname="Owl")
            for event in (new_event(profile, "watcher"), story.requested(), story.started()):
                await bus.publish(event)
            assert (await recordings(client, 1))[0]["recording_id"] == story.recording_id

            # Killed in the middle, nothing is lost: what came while it was away is there afterwards.
            process.kill()
            await process.wait()
            await bus.publish(story.part_opened(story.part(1, size=10, duration=2, fragments=1)))
            await bus.publish(RecordingStory("owl", "7", "9", datetime.now(UTC)).requested())
            process = await start(environment, log)
            await until_ready(process, client)
            assert (await recordings(client, 2))[1]["recording_id"] == story.recording_id
            assert (await client.get("/api/v1/creators")).json()["items"][0]["nickname"] == "Owl"

            # An open stream does not hold up the end.
            async with client.stream("GET", "/stream") as stream:
                assert stream.status_code == 200
                process.send_signal(signal.SIGTERM)
                async with asyncio.timeout(5):
                    assert [chunk async for chunk in stream.aiter_raw()]
            assert await asyncio.wait_for(process.wait(), 10) == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        await bus.close()
    written = await asyncio.to_thread(log.read_text)
    assert PASSWORD not in written
    assert azurite.account_key.get_secret_value() not in written
    assert "Traceback" not in written
