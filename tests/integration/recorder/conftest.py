"""A whole recorder process among real neighbours: simulated TikTok, Azurite, and a receiver of reports."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from azure.core.exceptions import ResourceNotFoundError
from azure.storage.blob import BlobSasPermissions, BlobServiceClient, generate_blob_sas
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from wentlive_common.fragment_index import FragmentIndex, read_index
from wentlive_common.health import serve_http
from wentlive_common.ids import new_ulid
from wentlive_common.job import BlobGrant, PartReport, RecordingJob, Report, ReportAnswer
from wentlive_common.model import part_name
from wentlive_devkit.servers import AzuriteServer
from wentlive_devkit.tiktok.server import TikTokSimulator

TOKEN = "job-token"
HANDLE = "ada.paints"


class Storage:
    """Azurite's container of this test, as an account holder sees it."""

    def __init__(self, server: AzuriteServer) -> None:
        self._server = server
        self.container = f"recordings-{uuid4().hex[:8]}"
        self._service = BlobServiceClient.from_connection_string(server.connection_string)
        self._service.create_container(self.container)

    def close(self) -> None:
        self._service.close()

    def read(self, blob: str) -> bytes:
        try:
            return self._service.get_blob_client(self.container, blob).download_blob().readall()
        except ResourceNotFoundError:
            return b""

    def names(self) -> list[str]:
        return [blob.name for blob in self._service.get_container_client(self.container).list_blobs()]

    def index(self, blob: str) -> FragmentIndex:
        return read_index(self.read(blob))

    def grant(self, blob: str) -> BlobGrant:
        expires_at = datetime.now(UTC) + timedelta(hours=1)
        sas = generate_blob_sas(
            self._server.account_name,
            self.container,
            blob,
            account_key=self._server.account_key.get_secret_value(),
            permission=BlobSasPermissions(create=True, write=True, add=True),
            expiry=expires_at,
        )
        url = f"{self._server.blob_endpoint}/{self.container}/{blob}?{sas}"
        return BlobGrant.model_validate({"blob": blob, "url": url, "expires_at": expires_at})

    def grants(self, prefix: str, parts: range) -> tuple[BlobGrant, ...]:
        stems = [f"{prefix}/{part_name(1, part)}" for part in parts]
        return tuple(self.grant(f"{stem}{ending}") for stem in stems for ending in (".mp4", ".index", ".jpg"))


@pytest.fixture
def storage(azurite: AzuriteServer):
    storage = Storage(azurite)
    yield storage
    storage.close()


@dataclass
class Receiver:
    """The orchestrator's end of the report channel."""

    url: str = ""
    reports: list[Report] = field(default_factory=list[Report])
    answer: ReportAnswer = field(default_factory=ReportAnswer)
    parts: dict[int, PartReport] = field(default_factory=dict[int, PartReport])

    async def receive(self, request: Request) -> Response:
        if request.headers.get("authorization") != f"Bearer {TOKEN}":
            return Response(status_code=401)
        report = Report.model_validate_json(await request.body())
        self.reports.append(report)
        self.parts.update({part.part: part for part in report.parts})
        return Response(self.answer.to_secret_json(), media_type="application/json")

    @property
    def last(self) -> Report:
        return self.reports[-1]


@pytest.fixture
async def receiver() -> AsyncGenerator[Receiver]:
    receiver = Receiver()
    app = Starlette(routes=[Route("/report", receiver.receive, methods=["POST"])])
    async with serve_http(app, "127.0.0.1", 0, drain_seconds=1) as port:
        receiver.url = f"http://127.0.0.1:{port}/report"
        yield receiver


@dataclass
class Run:
    """One recorder process on one live."""

    process: asyncio.subprocess.Process
    job: RecordingJob
    receiver: Receiver
    storage: Storage
    log: Path

    def stem(self, part: int = 1) -> str:
        return f"{self.job.blob_prefix}/{part_name(self.job.attempt, part)}"

    async def exit(self, timeout: float = 40) -> int:
        async with asyncio.timeout(timeout):
            return await self.process.wait()

    async def until(self, condition: Callable[[], bool], timeout: float = 40) -> None:
        """Polls until it holds; fails with the recorder's log when it does not."""
        deadline = time.monotonic() + timeout
        while not condition():
            if time.monotonic() > deadline or self.process.returncode is not None:
                pytest.fail(f"It did not come to that (exit {self.process.returncode}):\n{self.log.read_text()}")
            await asyncio.sleep(0.1)


@asynccontextmanager
async def recorder_process(
    simulator: TikTokSimulator,
    storage: Storage,
    receiver: Receiver,
    folder: Path,
    *,
    job_in_environment: bool = False,
    **settings: str,
) -> AsyncGenerator[Run]:
    creator = simulator.world.creators[HANDLE]
    recording_id = new_ulid()
    prefix = f"{creator.user_id}/2026/11/23/{recording_id}"
    job = RecordingJob.model_validate(
        {
            "recording_id": recording_id,
            "attempt": 1,
            "creator_id": creator.user_id,
            "room_id": creator.broadcasts[-1].room_id,
            "handle": HANDLE,
            "blob_prefix": prefix,
            "report_url": receiver.url,
            "report_token": TOKEN,
            "grants": storage.grants(prefix, range(1, 5)),
        }
    )
    settings["tiktok_base_url"] = simulator.base_url
    if job_in_environment:
        settings["job"] = job.to_secret_json().decode()
    log = folder / "recorder.log"
    with log.open("wb") as errors:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "wentlive_recorder",
            stdin=subprocess.PIPE, stdout=errors, stderr=errors,
            env={**os.environ, **{f"WENTLIVE_RECORDER_{name.upper()}": value for name, value in settings.items()}},
        )  # fmt: skip
    assert process.stdin is not None
    if not job_in_environment:
        process.stdin.write(job.to_secret_json())
    process.stdin.close()
    await process.stdin.wait_closed()
    try:
        yield Run(process, job, receiver, storage, log)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@pytest.fixture
def recorder(storage: Storage, receiver: Receiver, tmp_path: Path):
    """Starts a recorder on what a simulator's only creator does: `async with recorder(simulator) as run`."""
    return lambda simulator, **options: recorder_process(simulator, storage, receiver, tmp_path, **options)
