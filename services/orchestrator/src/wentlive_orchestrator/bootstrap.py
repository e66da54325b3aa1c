"""Puts the orchestrator together: the only place that knows which adapters stand behind its ports."""

import asyncio
import socket
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import NamedTuple

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
from wentlive_orchestrator.adapters.aci_runtime import open_aci_runtime
from wentlive_orchestrator.adapters.azure_blob_grants import AzureBlobGrants, StorageUnavailable, open_blob_grants
from wentlive_orchestrator.adapters.process_runtime import ProcessRuntime
from wentlive_orchestrator.admission import AllOf
from wentlive_orchestrator.costs import Budget, CostMeter
from wentlive_orchestrator.finishing import FinishRequests
from wentlive_orchestrator.janitor import RegistryJanitor
from wentlive_orchestrator.jobs import JobOffice
from wentlive_orchestrator.leadership import Leadership
from wentlive_orchestrator.ledger import RecordingLedger
from wentlive_orchestrator.metrics import OrchestratorMetrics
from wentlive_orchestrator.open_janitor import open_janitor
from wentlive_orchestrator.open_store import open_store
from wentlive_orchestrator.operator_view import OperatorView
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
    leadership: Leadership
    budget: Budget
    janitor: RegistryJanitor | None
    leading: asyncio.Event
    """Set once this process has led: from then on it hears of broadcasts."""

    async def run(self, stop: asyncio.Event) -> None:
        """Works until `stop`, then ends the recorders, hears their last reports and publishes what follows."""
        said_all = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.relay.run(said_all), name="outbox")
            tasks.create_task(wait_any(stop.wait(), self._prepare_storage()), name="storage")
            tasks.create_task(wait_any(stop.wait(), self._hear_of_broadcasts()), name="subscribe")
            log.info("orchestrator_started", port=self.port)
            await self.leadership.run(self._lead, stop)
            said_all.set()
        log.info("orchestrator_stopped")

    async def _lead(self, over: asyncio.Event) -> None:
        """What only one of several orchestrators does."""
        self.leading.set()
        # Before anything is decided: until then every new recording would have to wait.
        await self.budget.refresh()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.budget.run(over), name="budget")
            if self.janitor and self.settings.registry:
                registry = self.settings.registry
                cleaning = self.janitor.run(over, registry.interval, dry_run=not registry.delete)
                tasks.create_task(cleaning, name="janitor")
            await self.reconciler.run(over)
        if self.leadership.leading:
            self.health.stopping()
            await self._stop_recorders()

    async def _hear_of_broadcasts(self) -> None:
        """Only where they are acted upon at once: one that waits for the lease would keep them from the leader."""
        await self.leading.wait()
        await handlers.subscribe(self.bus, self.ledger)

    async def _stop_recorders(self) -> None:
        if not self.settings.stops_recorders:
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
        store = await stack.enter_async_context(open_store(settings.store_url))
        storage = await stack.enter_async_context(
            open_blob_grants(
                settings.storage_connection_string, settings.storage_container, clock, settings.storage_cors_origins
            )
        )
        bus = bus or _open_bus(settings, stack)
        health = Health("orchestrator")
        ledger = RecordingLedger(store, clock, settings.effective_policy, settings.prices)
        relay = OutboxRelay(store, bus)
        ledger.on_change(lambda _: relay.wake())
        finishing = FinishRequests()
        runtime = runtime or await _open_runtime(settings, stack, finishing, clock)
        janitor = await _open_janitor(settings, stack, store, clock)
        opened = _Opened(store, storage, bus, health, ledger, relay, runtime, finishing, janitor, clock)
        yield await _assembled(settings, stack, opened)


class _Opened(NamedTuple):
    """What stands behind the ports."""

    store: RecordingStore
    storage: AzureBlobGrants
    bus: EventBus
    health: Health
    ledger: RecordingLedger
    relay: OutboxRelay
    runtime: RecorderRuntime
    finishing: FinishRequests
    janitor: RegistryJanitor | None
    clock: Clock


async def _assembled(settings: OrchestratorSettings, stack: AsyncExitStack, opened: _Opened) -> OrchestratorApp:
    store, storage, bus, health, ledger, relay, runtime, finishing, janitor, clock = opened
    metrics = OrchestratorMetrics(health.metrics)
    storage_ready = asyncio.Event()
    _add_checks(health, store, bus, storage_ready)
    jobs = JobOffice(storage, settings.grant_lifetime, clock)
    desk = ReportDesk(ledger, jobs, metrics.reports, finishing)
    meter = CostMeter(store, ledger.prices, clock)
    undeletable: dict[str, str] = {}
    view = OperatorView(ledger, runtime, meter, settings.budget, undeletable, lambda: janitor.last if janitor else None)
    # Complete before it is served: a recorder that outlived the last orchestrator takes a 404 for "leave".
    app = Starlette(routes=[*health_routes(health), *desk.routes(), *view.routes(settings.service_token)])
    port = await stack.enter_async_context(serve_http(app, settings.host, settings.port))
    budget = Budget(meter, settings.budget, metrics)
    reconciler = Reconciler(
        ledger, runtime, jobs, metrics, _report_base_url(settings, port),
        admission=AllOf((budget, runtime.room)), reap=settings.reap, undeletable=undeletable,
    )  # fmt: skip
    # The port is ours alone on this host: who starts with the same name takes the place of one that died.
    leadership = Leadership(store, f"{socket.gethostname()}:{port}", clock)
    return OrchestratorApp(
        settings, port, health, bus, ledger, relay, runtime, reconciler, storage, storage_ready,
        leadership, budget, janitor, asyncio.Event(),
    )  # fmt: skip


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


async def _open_runtime(
    settings: OrchestratorSettings, stack: AsyncExitStack, finishing: FinishRequests, clock: Clock
) -> RecorderRuntime:
    if settings.runtime == "process" or settings.aci is None:
        return ProcessRuntime(settings.data_dir, settings.recorder_env)
    return await stack.enter_async_context(
        open_aci_runtime(settings.aci, settings.data_dir, settings.recorder_env, finishing, clock)
    )


async def _open_janitor(
    settings: OrchestratorSettings, stack: AsyncExitStack, store: RecordingStore, clock: Clock
) -> RegistryJanitor | None:
    if settings.registry is None or settings.aci is None:
        return None
    return await stack.enter_async_context(open_janitor(settings.aci, settings.registry, store, clock))


def _open_bus(settings: OrchestratorSettings, stack: AsyncExitStack) -> EventBus:
    if settings.amqp_url is None:
        raise InvalidInput("Set WENTLIVE_ORCHESTRATOR_AMQP_URL to the broker's address.")
    bus = RabbitBus(settings.amqp_url, "orchestrator")
    stack.push_async_callback(bus.close)
    return bus
