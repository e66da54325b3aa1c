"""How quick the orchestrator is over a simulated Azure: `python tests/benchmarks/orchestrator/bench_orchestrator.py`.

The simulator is a process of its own and takes a second to answer a create, as Azure does; where single lives are
timed, 0.7 s for a list as well. What is measured ends when a create arrives there, by the clock that all processes of a
machine share.
"""

import asyncio
import logging
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import httpx
import structlog
from prometheus_client import CollectorRegistry
from wentlive_common.bus.memory import InMemoryBus
from wentlive_common.clock import SystemClock
from wentlive_common.events import BroadcastWentLive, new_event
from wentlive_common.job import PartReport, Report
from wentlive_orchestrator.adapters.aci_runtime import open_aci_runtime
from wentlive_orchestrator.adapters.sqlite_recordings import open_sqlite_recordings
from wentlive_orchestrator.bootstrap import OrchestratorApp, bootstrap
from wentlive_orchestrator.domain import (
    Change,
    Policy,
    Recording,
    on_attempt_planned,
    on_attempt_started,
    on_report,
)
from wentlive_orchestrator.finishing import FinishRequests
from wentlive_orchestrator.jobs import JobOffice
from wentlive_orchestrator.ledger import RecordingLedger
from wentlive_orchestrator.metrics import OrchestratorMetrics
from wentlive_orchestrator.ports import AttemptSpec
from wentlive_orchestrator.reconcile import Reconciler
from wentlive_orchestrator.settings import OrchestratorSettings
from wentlive_orchestrator.testing import FakeGrants

STORAGE = (
    "DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;AccountKey="
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==;"
    "BlobEndpoint=http://127.0.0.1:9/devstoreaccount1;"
)
ONE_BY_ONE = 200
AT_ONCE = 100
MANY = 1000
LIST_SECONDS = 0.7
"""A list of Azure's takes its time, and no new live may wait for it."""
PLENTY = {"groups": 5000, "cores": 5000, "creates_per_hour": 15000, "deletes_per_hour": 15000}


class Azure:
    def __init__(self, folder: Path) -> None:
        argv = [sys.executable, "-m", "wentlive_devkit.azure", "--folder", str(folder), "--command", "sleep 600"]
        self.process = subprocess.Popen([*argv, "--pace", '{"create": 1.0}'], stdout=subprocess.PIPE)
        assert self.process.stdout
        self.url = self.process.stdout.readline().decode().strip()
        self.http = httpx.Client(base_url=self.url, trust_env=False)
        # No process is started for any of them: only the orchestrator is to be measured.
        self.tell("fates", becomes="stuck", times=None)

    def tell(self, what: str, **body: object) -> None:
        self.http.post(f"/_sim/{what}", json=body).raise_for_status()

    def created(self) -> list[dict]:
        return self.http.get("/_sim/state", timeout=30).json()["created"]

    def close(self) -> None:
        self.http.close()
        self.process.terminate()
        self.process.wait(20)


def settings(folder: Path, azure: Azure) -> OrchestratorSettings:
    return OrchestratorSettings.model_validate(
        {
            "store_url": f"sqlite://{folder}/store.db",
            "storage_connection_string": STORAGE,
            "port": 0,
            "data_dir": folder,
            "runtime": "aci",
            "aci": {
                "subscription_id": "sub", "resource_group": "recorders", "regions": ["westeurope"],
                "image": "registry.test/recorder@sha256:" + "0" * 64, "arm_url": azure.url,
                "credential": "simulator", "most_groups": 5000,
            },
        }
    )  # fmt: skip


@asynccontextmanager
async def orchestrator(folder: Path, azure: Azure) -> AsyncGenerator[tuple[OrchestratorApp, InMemoryBus]]:
    bus, stop = InMemoryBus(queue_limit=10_000), asyncio.Event()
    async with bootstrap(settings(folder, azure), bus=bus) as app, asyncio.TaskGroup() as tasks:
        tasks.create_task(app.run(stop))
        await asyncio.sleep(1)
        yield app, bus
        stop.set()
    await bus.close()


def live(room: int) -> BroadcastWentLive:
    now = datetime.now(UTC)
    return BroadcastWentLive(creator_id=str(room), room_id=str(room), handle="ann", sequence=1, at=now, started_at=now)


async def created_at_least(azure: Azure, count: int, seconds: float = 60) -> list[dict]:
    async with asyncio.timeout(seconds):
        while len(created := await asyncio.to_thread(azure.created)) < count:
            await asyncio.sleep(0.2)
    return created


async def latencies(app: OrchestratorApp, created: list[dict], told: dict[str, float]) -> list[float]:
    rooms = {recording.recording_id: recording.broadcast.room_id for recording in await app.ledger.store.active()}
    return sorted((entry["at"] - told[rooms[entry["tags"]["recording"]]]) * 1000 for entry in created)


async def one_by_one(folder: Path, azure: Azure) -> str:
    azure.tell("quotas", **PLENTY)
    azure.tell("faults", on="list", trouble="slow", seconds=LIST_SECONDS, times=None)
    told: dict[str, float] = {}
    async with orchestrator(folder, azure) as (app, bus):
        # One create has learnt that the limit is high.
        await bus.publish(new_event(live(1), "watcher"))
        told["1"] = time.monotonic()
        await created_at_least(azure, 1)
        await asyncio.sleep(1.5)
        for room in range(2, ONE_BY_ONE + 2):
            told[str(room)] = time.monotonic()
            await bus.publish(new_event(live(room), "watcher"))
            await asyncio.sleep(random.expovariate(20))
        created = await created_at_least(azure, ONE_BY_ONE + 1)
        waits = await latencies(app, created[1:], told)
    p99 = waits[int(len(waits) * 0.99) - 1]
    return (
        f"went_live to create, {len(waits)} lives, 20 a second: p50 {statistics.median(waits):.0f} ms,"
        f" p99 {p99:.0f} ms, longest {waits[-1]:.0f} ms"
    )


async def all_at_once(folder: Path, azure: Azure, cores: int) -> str:
    """Each is told twice, as the bus may."""
    azure.tell("quotas", cores=cores)
    told: dict[str, float] = {}
    async with orchestrator(folder, azure) as (app, bus):
        for room in range(1, AT_ONCE + 1):
            told[str(room)] = time.monotonic()
            for _ in range(2):
                await bus.publish(new_event(live(room), "watcher"))
        created = await created_at_least(azure, min(cores, AT_ONCE))
        waits = await latencies(app, created, told)
        # Long enough for a double one to show, and for a waiting one to say so.
        await asyncio.sleep(3)
        recordings = await app.ledger.store.active()
        waiting = sum(bool(recording.waiting) for recording in recordings)
        created = await asyncio.to_thread(azure.created)
        if cores < AT_ONCE:
            azure.tell("quotas", cores=AT_ONCE)
            created = await created_at_least(azure, AT_ONCE, 90)
        doubled = len(created) - len({entry["tags"]["recording"] for entry in created})
    return (
        f"{AT_ONCE} at once, quota {cores}: {len(waits)} creates within {waits[-1]:.0f} ms"
        f" (p50 {statistics.median(waits):.0f}), {waiting} waited and said why;"
        f" in the end {len(created)} created, {AT_ONCE - len(created)} lost, {doubled} doubled"
    )


async def reconcile_many(folder: Path, azure: Azure) -> str:
    azure.tell("quotas", **PLENTY)
    azure.tell("pace", create=0)
    clock = SystemClock()
    configured = settings(folder, azure)
    async with open_sqlite_recordings(folder / "many.db") as store, orchestrator_runtime(configured) as runtime:
        ledger = RecordingLedger(store, clock, configured.effective_policy)
        jobs = JobOffice(FakeGrants(), 3600, clock)
        for room in range(1, MANY + 1):
            await make_recording(ledger, runtime, jobs, room)
        reconciler = Reconciler(ledger, runtime, jobs, OrchestratorMetrics(CollectorRegistry()), "http://127.0.0.1:9")
        # As recorders that live do: only a silent one is looked at by itself.
        for recording in await store.active():
            await ledger.change(recording.recording_id, partial(heard_again, policy=ledger.policy))
        figures = []
        for _ in range(3):
            began = time.process_time()
            await reconciler.full_pass()
            await reconciler.idle(60)
            figures.append(time.process_time() - began)
        stored = len(await store.active())
    told = ", ".join(f"{figure * 1000:.0f}" for figure in figures)
    return f"a reconcile pass over {stored} recordings and their groups: {told} ms CPU"


def heard_again(recording: Recording, now: datetime, policy: Policy) -> Change:
    report = Report(sequence=2, at=now, state="recording", parts=recording.attempts[0].parts)
    return on_report(recording, 1, report, now, policy)


@asynccontextmanager
async def orchestrator_runtime(configured: OrchestratorSettings):
    assert configured.aci
    async with open_aci_runtime(configured.aci, configured.data_dir, {}, FinishRequests(), SystemClock()) as runtime:
        yield runtime


async def make_recording(ledger: RecordingLedger, runtime, jobs: JobOffice, room: int) -> None:
    """One that records, with a part, as most do."""
    policy, now = ledger.policy, ledger.now()
    recording = await ledger.went_live(live(room))
    recording = await ledger.change(recording.recording_id, lambda r, at: on_attempt_planned(r, "hash", at, policy))
    attempt = recording.attempts[0]
    job = await jobs.job(recording, attempt, "token", "http://127.0.0.1:9")
    spec = AttemptSpec(name=attempt.name, recording_id=recording.recording_id, number=1)
    handle = await runtime.start(spec, job)
    stem = f"{recording.blob_prefix}/a1-p1"
    part = PartReport(
        part=1, state="open", blob=f"{stem}.mp4", index_blob=f"{stem}.index",
        opened_at=now, committed_at=now, bytes=1_000_000, duration=10, fragments=5, width=720, height=1280,
    )  # fmt: skip
    report = Report(sequence=1, at=now, state="recording", parts=(part,))
    await ledger.change(recording.recording_id, lambda r, at: on_attempt_started(r, 1, handle.state, at))
    await ledger.change(recording.recording_id, lambda r, at: on_report(r, 1, report, at, policy))


async def main() -> None:
    for bench in (one_by_one, lambda f, a: all_at_once(f, a, 100), lambda f, a: all_at_once(f, a, 10), reconcile_many):
        with tempfile.TemporaryDirectory() as folder:
            azure = Azure(Path(folder) / "containers")
            try:
                sys.stdout.write(await bench(Path(folder), azure) + "\n")
                sys.stdout.flush()
            finally:
                azure.close()


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    asyncio.run(main())
