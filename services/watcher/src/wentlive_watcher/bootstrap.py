"""Puts the watcher together: the only place that knows which database, which bus and which TikTok."""

import asyncio
import os
import socket
from collections.abc import AsyncGenerator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path

import httpx
import structlog
from starlette.applications import Starlette
from wentlive_common.bus import EventBus
from wentlive_common.bus.rabbit import RabbitBus
from wentlive_common.clock import Clock, SystemClock
from wentlive_common.errors import InvalidInput
from wentlive_common.health import Health, health_routes, serve_http
from wentlive_common.outbox import OutboxRelay
from wentlive_tiktok.client import TikTokClient, tiktok_http_client
from wentlive_tiktok.ports import TikTok

from wentlive_watcher.adapters.mongo_watches import open_mongo_watches
from wentlive_watcher.adapters.sqlite_watches import open_sqlite_watches
from wentlive_watcher.checks import Checks
from wentlive_watcher.egress import Connect, Egress, Egresses
from wentlive_watcher.gauges import WatcherGauges
from wentlive_watcher.handlers import QUEUE, TYPES, creator_handler
from wentlive_watcher.link_page import link_routes
from wentlive_watcher.ports import WatchStore
from wentlive_watcher.settings import EgressSettings, WatcherSettings
from wentlive_watcher.snapshot import SnapshotLoop, fetch_follows
from wentlive_watcher.status_page import status_routes

log = structlog.stdlib.get_logger(__name__)

SQLITE = "sqlite://"


class NoBroker(InvalidInput):
    """No broker is set: WENTLIVE_WATCHER_AMQP_URL is missing."""


class WatcherApp:
    """The watcher, ready to run."""

    def __init__(
        self,
        settings: WatcherSettings,
        *,
        store: WatchStore,
        bus: EventBus,
        connect: Mapping[str, Connect],
        catalog: httpx.AsyncClient,
        clock: Clock,
    ) -> None:
        self._settings = settings
        self._bus = bus
        self.store = store
        self.health = Health("watcher")
        self.health.add("store", store.ready)
        self.health.add("bus", self._hears)
        self._subscribed = False
        self._relay = OutboxRelay(store, bus)
        gauges = WatcherGauges(self.health.metrics)
        self.egresses = Egresses(
            [
                Egress(egress.name, settings.budget(egress), connect[egress.name], clock=clock, gauges=gauges)
                for egress in settings.egresses
            ]
        )
        self._checks = Checks(
            settings,
            store,
            self.egresses,
            clock=clock,
            gauges=gauges,
            owner=f"{socket.gethostname()}/{os.getpid()}",
            stored=self._relay.wake,
        )
        self._handler = creator_handler(store, clock, self._checks.due.set)
        self._snapshots = self._snapshot_loop(catalog, clock)
        self._pages = [
            *status_routes(self.store, self.egresses, settings, clock),
            *link_routes(self.egresses, settings.service_token),
        ]

    async def run(self, stop: asyncio.Event) -> None:
        """Watches until `stop`. What was found until then is published or kept in the store."""
        settings = self._settings
        app = Starlette(routes=[*health_routes(self.health), *self._pages])
        async with serve_http(app, settings.health_host, settings.health_port) as port:
            log.info("watcher_started", health_port=port)
            async with asyncio.TaskGroup() as tasks:
                # Beside the checks: while the broker is away there is still TikTok to be watched.
                subscribing = tasks.create_task(self._subscribe(), name="subscribe")
                relay = asyncio.Event()
                tasks.create_task(self._relay.run(relay), name="relay")
                if self._snapshots:
                    tasks.create_task(self._snapshots.run(stop), name="follow-snapshots")
                await self._checks.run(stop)
                self.health.stopping()
                subscribing.cancel()
                # Last, so that it publishes what the last checks found.
                relay.set()
        log.info("watcher_stopped")

    async def _subscribe(self) -> None:
        await self._bus.subscribe(QUEUE, TYPES, self._handler)
        self._subscribed = True

    async def _hears(self) -> bool:
        return self._subscribed and await self._bus.ready()

    def _snapshot_loop(self, catalog: httpx.AsyncClient, clock: Clock) -> SnapshotLoop | None:
        url, token = self._settings.follow_snapshot_url, self._settings.service_token
        if url is None or token is None:
            return None
        fetch = partial(fetch_follows, catalog, url, token)
        interval = self._settings.snapshot_interval
        return SnapshotLoop(self.store, fetch, interval=interval, clock=clock, due=self._checks.due.set)


@asynccontextmanager
async def bootstrap(
    settings: WatcherSettings,
    *,
    bus: EventBus | None = None,
    clock: Clock | None = None,
    tiktok: TikTok | None = None,
) -> AsyncGenerator[WatcherApp]:
    """The watcher over what `settings` name; a `bus` that is given stays the caller's to close."""
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(open_watch_store(settings.store_url.get_secret_value()))
        if bus is None:
            bus = _rabbit_bus(settings)
            stack.push_async_callback(bus.close)
        connect = {
            egress.name: always(tiktok) if tiktok else await _connect(stack, settings, egress)
            for egress in settings.egresses
        }
        catalog = await stack.enter_async_context(httpx.AsyncClient(timeout=10.0, trust_env=False))
        yield WatcherApp(settings, store=store, bus=bus, connect=connect, catalog=catalog, clock=clock or SystemClock())


async def _connect(stack: AsyncExitStack, settings: WatcherSettings, egress: EgressSettings) -> Connect:
    """A client of its own for each egress: connections, cookies and rests are not shared."""
    proxy = egress.proxy.get_secret_value() if egress.proxy else None
    base_url = settings.tiktok_base_url
    http = await stack.enter_async_context(tiktok_http_client(proxy=proxy, cookies=egress.cookies, base_url=base_url))
    return lambda may_ask: TikTokClient(http, base_url, before_request=may_ask)


def always(source: TikTok) -> Connect:
    """The same source whatever the egress."""
    return lambda _may_ask: source


def open_watch_store(url: str) -> AbstractAsyncContextManager[WatchStore]:
    """The store that `store_url` names."""
    if url.startswith(SQLITE):
        return open_sqlite_watches(Path(url.removeprefix(SQLITE)))
    return open_mongo_watches(url)


def _rabbit_bus(settings: WatcherSettings) -> RabbitBus:
    if settings.amqp_url is None:
        raise NoBroker
    return RabbitBus(settings.amqp_url, "watcher")
