"""Puts the orchestrator together: the only place that knows which adapters stand behind its ports."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import structlog
from starlette.applications import Starlette
from wentlive_common.bus import EventBus
from wentlive_common.bus.rabbit import RabbitBus
from wentlive_common.clock import Clock, SystemClock
from wentlive_common.errors import InvalidInput, WentliveError
from wentlive_common.health import Health, health_routes, serve_http
from wentlive_common.lifecycle import wait_any
from wentlive_common.outbox import OutboxRelay

from wentlive_orchestrator import handlers
from wentlive_orchestrator.adapters.azure_blob_grants import AzureBlobGrants, StorageUnavailable, open_blob_grants
from wentlive_orchestrator.adapters.mongo_recordings import open_mongo_recordings
from wentlive_orchestrator.adapters.process_runtime import ProcessRuntime
from wentlive_orchestrator.adapters.sqlite_recordings import open_sqlite_recordings
from wentlive_orchestrator.jobs import JobOffice
from wentlive_orchestrator.ledger import RecordingLedger
from wentlive_orchestrator.metrics import OrchestratorMetrics
from wentlive_orchestrator.ports import RecorderRuntime, RecordingStore
from wentlive_orchestrator.reconcile import Reconciler
from wentlive_orchestrator.reports import ReportDesk
from wentlive_orchestrator.settings import OrchestratorSettings
from wentlive_orchestrator.shutdown import stop_recorders

log = structlog.get_logger(__name__)

STORAGE_RETRY_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class OrchestratorApp:
    """The orchestrator, its HTTP up and everything else ready to `run`."""

    settings: OrchestratorSettings
    port: int
    health: Health
    bus: EventBus
    ledger: RecordingLedger
    relay: OutboxRelay
    runtime: RecorderRuntime
    reconciler: Reconciler
    storage: AzureBlobGrants
    storage_ready: asyncio.Event

    async def run(self, stop: asyncio.Event) -> None:
        """Works until `stop`, then ends the recorders, hears their last reports and publishes what follows."""
        said_all = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.relay.run(said_all), name="outbox")
            tasks.create_task(wait_any(stop.wait(), self._prepare_storage()), name="storage")
            tasks.create_task(wait_any(stop.wait(), handlers.subscribe(self.bus, self.ledger)), name="subscribe")
            log.info("orchestrator_started", port=self.port)
            await self.reconciler.run(stop)
            self.health.stopping()
            await self._stop_recorders()
            said_all.set()
        log.info("orchestrator_stopped")

    async def _stop_recorders(self) -> None:
        if not self.settings.stop_recorders:
            return
        try:
            await stop_recorders(self.ledger, self.runtime, self.settings.stop_seconds)
        except WentliveError as error:
            log.error("recorders_not_stopped", error=error.message)

    async def _prepare_storage(self) -> None:
        """Recorders may start meanwhile: they hold back what they cannot write yet."""
        while not self.storage_ready.is_set():
            try:
                await self.storage.ensure_container()
                self.storage_ready.set()
            except StorageUnavailable as error:
                log.warning("storage_not_ready", error=error.message, retry_in=STORAGE_RETRY_SECONDS)
                await asyncio.sleep(STORAGE_RETRY_SECONDS)


@asynccontextmanager
async def bootstrap(
    settings: OrchestratorSettings,
    *,
    bus: EventBus | None = None,
    clock: Clock | None = None,
    runtime: RecorderRuntime | None = None,
) -> AsyncGenerator[OrchestratorApp]:
    """Opens everything that the settings name. What is given is used instead, and is not closed."""
    clock = clock or SystemClock()
    async with AsyncExitStack() as stack:
        store = await _open_store(settings, stack)
        storage = await stack.enter_async_context(
            open_blob_grants(
                settings.storage_connection_string, settings.storage_container, clock, settings.storage_cors_origins
            )
        )
        bus = bus or _open_bus(settings, stack)
        health = Health("orchestrator")
        ledger = RecordingLedger(store, clock, settings.policy)
        relay = OutboxRelay(store, bus)
        ledger.on_change(lambda _: relay.wake())
        runtime = runtime or ProcessRuntime(settings.data_dir, settings.recorder_env)
        yield await _assembled(settings, stack, store, storage, bus, health, ledger, relay, runtime, clock)


async def _assembled(
    settings: OrchestratorSettings, stack: AsyncExitStack, store: RecordingStore, storage: AzureBlobGrants,
    bus: EventBus, health: Health, ledger: RecordingLedger, relay: OutboxRelay, runtime: RecorderRuntime, clock: Clock,
) -> OrchestratorApp:  # fmt: skip
    metrics = OrchestratorMetrics(health.metrics)
    storage_ready = asyncio.Event()
    _add_checks(health, store, bus, storage_ready)
    jobs = JobOffice(storage, settings.grant_lifetime, clock)
    desk = ReportDesk(ledger, jobs, metrics.reports)
    # Complete before it is served: a recorder that outlived the last orchestrator takes a 404 for "leave".
    app = Starlette(routes=[*health_routes(health), *desk.routes()])
    port = await stack.enter_async_context(serve_http(app, settings.host, settings.port))
    reconciler = Reconciler(ledger, runtime, jobs, metrics, _report_base_url(settings, port))
    return OrchestratorApp(settings, port, health, bus, ledger, relay, runtime, reconciler, storage, storage_ready)


def _add_checks(health: Health, store: RecordingStore, bus: EventBus, storage_ready: asyncio.Event) -> None:
    async def storage_is_ready() -> bool:
        return storage_ready.is_set()

    health.add("store", store.ready)
    health.add("bus", bus.ready)
    health.add("storage", storage_is_ready)


def _report_base_url(settings: OrchestratorSettings, port: int) -> str:
    if settings.report_base_url:
        return str(settings.report_base_url)
    host = "127.0.0.1" if settings.host in ("0.0.0.0", "") else settings.host  # noqa: S104 - compared, not bound
    return f"http://{host}:{port}"


async def _open_store(settings: OrchestratorSettings, stack: AsyncExitStack) -> RecordingStore:
    url = settings.store_url.get_secret_value()
    match urlsplit(url).scheme:
        case "sqlite":
            return await stack.enter_async_context(open_sqlite_recordings(Path(urlsplit(url).path)))
        case "mongodb" | "mongodb+srv":
            return await stack.enter_async_context(open_mongo_recordings(url))
        case _:
            raise InvalidInput("store_url must begin with sqlite:/// or mongodb://.")


def _open_bus(settings: OrchestratorSettings, stack: AsyncExitStack) -> EventBus:
    if settings.amqp_url is None:
        raise InvalidInput("Set WENTLIVE_ORCHESTRATOR_AMQP_URL to the broker's address.")
    bus = RabbitBus(settings.amqp_url, "orchestrator")
    stack.push_async_callback(bus.close)
    return bus
