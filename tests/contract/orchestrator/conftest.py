"""The orchestrator's stores, one in memory and two real, and a simulated Azure with recorders that only sleep."""

import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from wentlive_common.clock import SystemClock
from wentlive_common.health import serve_http
from wentlive_common.ids import new_ulid
from wentlive_devkit.azure.arm import ArmSimulator
from wentlive_orchestrator.aci_settings import AciSettings
from wentlive_orchestrator.adapters.aci_runtime import AciRuntime, open_aci_runtime
from wentlive_orchestrator.adapters.mongo_recordings import open_mongo_recordings
from wentlive_orchestrator.adapters.sqlite_recordings import open_sqlite_recordings
from wentlive_orchestrator.finishing import FinishRequests
from wentlive_orchestrator.ports import RecordingStore
from wentlive_orchestrator.testing import InMemoryRecordings


@pytest.fixture(params=["memory", "sqlite", "mongo"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[RecordingStore]:
    async with AsyncExitStack() as stack:
        match request.param:
            case "memory":
                yield InMemoryRecordings()
            case "sqlite":
                yield await stack.enter_async_context(open_sqlite_recordings(tmp_path / "store.db"))
            case _:
                url = request.getfixturevalue("mongodb_url").rstrip("/")
                yield await stack.enter_async_context(open_mongo_recordings(f"{url}/orchestrator_{new_ulid()}"))


class Azure:
    """The real SDK over real HTTP; what is asked to finish is told so when it reports."""

    def __init__(self, simulator: ArmSimulator, folder: Path, stack: AsyncExitStack) -> None:
        self.simulator = simulator
        self.finishing = FinishRequests()
        self._folder = folder
        self._stack = stack
        self.report_url = ""

    async def serve_reports(self) -> None:
        async def report(request):
            return PlainTextResponse("finish" if request.path_params["name"] in self.finishing else "continue")

        port = await self._stack.enter_async_context(
            serve_http(Starlette(routes=[Route("/{name}", report)]), "127.0.0.1", 0)
        )
        self.report_url = f"http://127.0.0.1:{port}"

    def settings(self, **settings) -> AciSettings:
        values = {
            "subscription_id": "sub", "resource_group": "recorders", "regions": ("westeurope", "northeurope"),
            "image": "registry.test/recorder@sha256:" + "0" * 64, "arm_url": self.simulator.base_url,
            "credential": "simulator", "look_interval": 0,
        } | settings  # fmt: skip
        return AciSettings.model_validate(values)

    async def runtime(self, mode: str = "", clock=None, **settings) -> AciRuntime:
        env = {"WENTLIVE_RECORDER_GIVEN": str(self._folder / "given"), "WENTLIVE_RECORDER_MODE": mode}
        opened = open_aci_runtime(self.settings(**settings), self._folder, env, self.finishing, clock or SystemClock())
        return await self._stack.enter_async_context(opened)


@pytest.fixture
async def azure(tmp_path: Path) -> AsyncIterator[Azure]:
    command = [sys.executable, str(Path(__file__).with_name("sleeper.py"))]
    async with AsyncExitStack() as stack:
        simulator = await stack.enter_async_context(ArmSimulator.start(tmp_path / "containers", command=command))
        made = Azure(simulator, tmp_path, stack)
        await made.serve_reports()
        yield made
