"""A whole recorder process among real neighbours: simulated TikTok, Azurite, and a receiver of reports."""

from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Any

import pytest
from wentlive_devkit.rig.recorder_run import make_job, recorder_process, target
from wentlive_devkit.rig.report_desk import Receiver, ReportDesk
from wentlive_devkit.rig.storage import Storage
from wentlive_devkit.servers import AzuriteServer
from wentlive_devkit.tiktok.server import TikTokSimulator

HANDLE = "ada.paints"


@pytest.fixture
def storage(azurite: AzuriteServer):
    storage = Storage(azurite)
    yield storage
    storage.close()


@pytest.fixture
async def receiver() -> AsyncGenerator[Receiver]:
    async with ReportDesk.open() as desk:
        yield desk.receiver()


@pytest.fixture
def recorder(storage: Storage, receiver: Receiver, tmp_path: Path) -> Callable[..., Any]:
    """Starts a recorder on what a simulator's only creator does: `async with recorder(simulator) as run`."""

    def start(simulator: TikTokSimulator, *, job_in_environment: bool = False, **settings: str) -> Any:
        live = target(simulator, HANDLE)
        job = make_job(live, storage, receiver)
        log = tmp_path / "recorder.log"
        return recorder_process(live, job, storage, receiver, log, settings, job_in_environment=job_in_environment)

    return start
