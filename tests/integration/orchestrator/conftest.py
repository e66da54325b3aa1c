"""An orchestrator process to start, kill and start again, and a look into what it keeps."""

import asyncio
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from wentlive_orchestrator.adapters.process_runtime import ProcessRuntime
from wentlive_orchestrator.domain import Recording

# Nothing listens there: the orchestrator must do without storage.
STORAGE = (
    "DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;AccountKey="
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==;"
    "BlobEndpoint=http://127.0.0.1:9/devstoreaccount1;"
)
DEADLINE = 60.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class OrchestratorProcess:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.control = folder / "control"
        self.control.mkdir(exist_ok=True)
        self.port = free_port()
        self.amqp_url: str | None = None
        self.azure: SimulatedAzure | None = None
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, **extra: str) -> None:
        prefix = "WENTLIVE_ORCHESTRATOR_"
        settings = {
            "STORE_URL": f"sqlite://{self.folder}/store.db",
            "STORAGE_CONNECTION_STRING": STORAGE,
            "PORT": str(self.port),
            "DATA_DIR": str(self.folder),
            "RECORDER__CONTROL": str(self.control),
            "POLICY__STEADY_MEDIA": "1",
            "POLICY__BACKOFF": "0.2",
            "POLICY__ENDED_GRACE": "300",
            "POLICY__ENDED_SILENCE": "0.5",
        } | ({"AMQP_URL": self.amqp_url} if self.amqp_url else {})
        settings |= self.azure.settings() if self.azure else {}
        env = os.environ | {prefix + name: value for name, value in settings.items()} | extra
        script = Path(__file__).with_name("orchestrator_under_test.py")
        with (self.folder / "orchestrator.log").open("ab") as log:
            self.process = subprocess.Popen([sys.executable, str(script)], env=env, stdout=log, stderr=log)

    def wait(self, timeout: float = DEADLINE) -> int:
        assert self.process
        return self.process.wait(timeout)

    def kill(self) -> None:
        if self.process:
            self.process.kill()
            self.process.wait()

    def terminate(self) -> int:
        assert self.process
        self.process.terminate()
        return self.wait()

    def standby(self) -> "OrchestratorProcess":
        """Another one over the same store."""
        return OrchestratorProcess(self.folder)

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def end_live(self) -> None:
        (self.control / "ended").touch()

    def recordings(self) -> list[Recording]:
        return [Recording.model_validate_json(body) for body in self._column("SELECT body FROM recordings")]

    def unpublished(self) -> int:
        return self._column("SELECT count(*) FROM outbox")[0]

    def _column(self, query: str) -> list[Any]:
        path = self.folder / "store.db"
        if not path.exists():
            return []
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5)) as connection:
            try:
                return [row[0] for row in connection.execute(query)]
            except sqlite3.OperationalError:
                # Its tables are being made.
                return []

    def recorders(self) -> list[int]:
        handles = asyncio.run(ProcessRuntime(self.folder, {}).list())
        return [handle.state["pid"] for handle in handles]

    def until(self, condition: Callable[[], object], what: str, seconds: float = DEADLINE) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                tail = (self.folder / "orchestrator.log").read_text()[-3000:]
                pytest.fail(f"{what} did not happen; {self.recordings()}\n{tail}")
            time.sleep(0.05)

    def only(self) -> Recording:
        [recording] = self.recordings()
        return recording


class SimulatedAzure:
    """A simulated Resource Manager as a process, so that it outlives the orchestrators that are killed."""

    def __init__(self, folder: Path, pace: str) -> None:
        recorder = Path(__file__).with_name("fake_recorder.py")
        argv = [sys.executable, "-m", "wentlive_devkit.azure", "--folder", str(folder / "containers"), "--pace", pace]
        argv += ["--command", f"{sys.executable} -P {recorder}"]
        self.process = subprocess.Popen(argv, stdout=subprocess.PIPE)
        assert self.process.stdout
        self.url = self.process.stdout.readline().decode().strip()

    def settings(self) -> dict[str, str]:
        return {
            "RUNTIME": "aci",
            "ACI__SUBSCRIPTION_ID": "sub",
            "ACI__RESOURCE_GROUP": "recorders",
            "ACI__REGIONS": '["westeurope"]',
            "ACI__IMAGE": f"registry.test/recorder@sha256:{'0' * 64}",
            "ACI__ARM_URL": self.url,
            "ACI__CREDENTIAL": "simulator",
            "POLICY__QUIET": "1",
            "ACI__LOOK_INTERVAL": "0.5",
        }

    def state(self) -> dict[str, Any]:
        return httpx.get(f"{self.url}/_sim/state", trust_env=False).json()

    def tell(self, path: str, **body: Any) -> None:
        httpx.post(f"{self.url}/_sim/{path}", json=body, trust_env=False).raise_for_status()

    def stop(self) -> None:
        self.process.terminate()
        assert self.process.stdout
        self.process.stdout.close()
        self.process.wait(20)


@pytest.fixture
def azure(tmp_path: Path) -> Iterator[SimulatedAzure]:
    simulated = SimulatedAzure(tmp_path, '{"create": 0.6, "pull": 0.1, "start": 0.1, "delete": 0.6}')
    yield simulated
    simulated.stop()


@pytest.fixture
def orchestrator(tmp_path: Path) -> Iterator[OrchestratorProcess]:
    process = OrchestratorProcess(tmp_path)
    yield process
    process.kill()
    for pid in process.recorders():
        os.kill(pid, signal.SIGKILL)
