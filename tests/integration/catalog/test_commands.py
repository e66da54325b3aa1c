"""`wentlive catalog rebuild | check | move` over the folder of a `wentlive up`, as a person runs them."""

import asyncio
import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from azure.storage.blob.aio import BlobServiceClient
from wentlive_catalog.adapters.sqlite_catalog import open_sqlite_catalog
from wentlive_catalog.testing import RecordingStory
from wentlive_common.ids import new_ulid
from wentlive_common.manifest import Manifest
from wentlive_devkit.servers import AzuriteServer

AT = datetime(2026, 11, 20, 20, 0, tzinfo=UTC)


class Console:
    def __init__(self, folder: Path, container: str) -> None:
        self._folder = folder
        self._env = os.environ | {"WENTLIVE_CATALOG_STORAGE_CONTAINER": container}

    async def run(self, *task: str) -> tuple[int, list[dict[str, object]]]:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "wentlive_devkit.cli", "catalog", "--data", str(self._folder), *task,
            env=self._env, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        output, _ = await asyncio.wait_for(process.communicate(), 60)
        return process.returncode or 0, [json.loads(line) for line in output.splitlines()]


@pytest.fixture
def folder(tmp_path: Path, azurite: AzuriteServer) -> Path:
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    (secrets / "wentlive_catalog_service_token").write_text("service-token")
    (secrets / "wentlive_catalog_storage_connection_string").write_text(azurite.connection_string)
    return tmp_path


async def test_a_lost_index_is_found_out_and_made_again(folder: Path, azurite: AzuriteServer) -> None:
    container, story = f"test-{new_ulid()}", RecordingStory("owl", "7", "8", AT, title="ramen")
    console = Console(folder, container)
    manifest = Manifest(recording_id=story.recording_id, creator_id="7", room_id="8", handle="owl", updated_at=AT)
    async with BlobServiceClient.from_connection_string(azurite.connection_string) as service:
        await service.create_container(container)
        await service.get_blob_client(container, f"{story.prefix}/recording.json").upload_blob(manifest.to_json())
    code, said = await console.run("check")
    assert (code, [one["fault"] for one in said]) == (3, ["not_in_index"])
    code, said = await console.run("rebuild")
    assert code == 0
    assert said[0]["added"] == 1
    assert await console.run("check") == (0, [])
    code, said = await console.run("move", "--to", f"sqlite://{folder}/moved.db")
    assert (code, said[0]["recordings"]) == (0, 1)
    async with open_sqlite_catalog(folder / "moved.db") as moved:
        assert await moved.recording(story.recording_id) is not None
    assert (await console.run("move", "--to", f"sqlite://{folder}/moved.db"))[0] == 1
