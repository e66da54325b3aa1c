"""The catalog's composition root: the only place that knows which adapter stands behind which port."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

import httpx
import structlog
from fastapi import FastAPI
from wentlive_common.bus import EventBus
from wentlive_common.bus.rabbit import RabbitBus
from wentlive_common.clock import Clock, SystemClock
from wentlive_common.errors import Permanent
from wentlive_common.health import Health, serve_http
from wentlive_common.outbox import OutboxRelay

from wentlive_catalog.access import Access
from wentlive_catalog.adapters.apprise_carrier import AppriseCarrier
from wentlive_catalog.adapters.azure_fragment_index import AzureFragmentIndexReader
from wentlive_catalog.adapters.http_health import HttpHealth
from wentlive_catalog.adapters.http_link_resolver import HttpLinkResolver
from wentlive_catalog.adapters.http_watch_status import HttpWatchStatus
from wentlive_catalog.adapters.webhook_carrier import WebhookCarrier
from wentlive_catalog.api.context import Context
from wentlive_catalog.app import build_app
from wentlive_catalog.changes import Changes
from wentlive_catalog.clips import Clips
from wentlive_catalog.domain.answers import ANSWERS, KEPT
from wentlive_catalog.domain.audit import AUDIT
from wentlive_catalog.domain.links import LINKS
from wentlive_catalog.domain.notices import TargetKind
from wentlive_catalog.domain.retention import RETENTION
from wentlive_catalog.domain.sessions import SESSIONS, LoginThrottle
from wentlive_catalog.domain.tokens import TOKENS
from wentlive_catalog.domain.users import USERS
from wentlive_catalog.follows import Follows
from wentlive_catalog.gate import security_headers
from wentlive_catalog.keeping import Keeping
from wentlive_catalog.keepsakes import KeepsakeKeeper
from wentlive_catalog.metrics import CatalogMetrics
from wentlive_catalog.namesakes import Namesakes
from wentlive_catalog.notifications import Notifications, Targets
from wentlive_catalog.passwords import Passwords
from wentlive_catalog.people import People
from wentlive_catalog.playback import Playback
from wentlive_catalog.ports import CatalogStore, LinkResolver, WatchStatusSource
from wentlive_catalog.ports.notices import NewsCarrier
from wentlive_catalog.projections import Projections
from wentlive_catalog.retention import Retention
from wentlive_catalog.settings import CatalogSettings
from wentlive_catalog.sharing import Sharing
from wentlive_catalog.storage import Storage, open_storage
from wentlive_catalog.stores import open_store
from wentlive_catalog.trail import Trail
from wentlive_catalog.upkeep import Chore, Upkeep

log = structlog.get_logger(__name__)

SWEEP_SECONDS = 3600.0
KEEPSAKE_SECONDS = 300.0


class BadSetting(Permanent):
    """A setting cannot be used as it is."""


class CatalogApp:
    """The running service; `url` is known once `serving` is set."""

    def __init__(
        self, settings: CatalogSettings, web: FastAPI, context: Context, projections: Projections,
        bus: EventBus, relay: OutboxRelay, upkeep: Upkeep, health: Health,
    ) -> None:  # fmt: skip
        self.settings = settings
        self.web = web
        self.context = context
        self.url = ""
        self.serving = asyncio.Event()
        self.projections = projections
        self._bus = bus
        self._relay = relay
        self._upkeep = upkeep
        self._health = health

    async def run(self, stop: asyncio.Event) -> None:
        """Serves until `stop`; open streams end at once, other requests get a moment."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._relay.run(stop), name="outbox")
            tasks.create_task(self._serve(stop), name="serve")
            tasks.create_task(self._upkeep.run(stop), name="upkeep")
            tasks.create_task(self.context.notifications.run(stop), name="notifications")
            await self.projections.subscribe(self._bus)
            await self.context.notifications.subscribe(self._bus)

    async def _serve(self, stop: asyncio.Event) -> None:
        async with serve_http(self.web, self.settings.host, self.settings.port) as port:
            self.url = f"http://{self.settings.host}:{port}"
            self.serving.set()
            log.info("catalog_serving", url=self.url)
            await stop.wait()
            self._health.stopping()
            self.context.changes.close()


@asynccontextmanager
async def bootstrap(
    settings: CatalogSettings, *, bus: EventBus | None = None, clock: Clock | None = None,
    watches: WatchStatusSource | None = None, resolver: LinkResolver | None = None,
) -> AsyncGenerator[CatalogApp]:  # fmt: skip
    clock = clock or SystemClock()
    health = Health("catalog")
    metrics = CatalogMetrics(health.metrics)
    changes = Changes()
    async with AsyncExitStack() as stack:
        if bus is None:
            bus = _rabbit(settings)
            stack.push_async_callback(bus.close)
        store = await stack.enter_async_context(open_store(settings.store_url))
        storage = await stack.enter_async_context(open_storage(settings, clock))
        indexes = AzureFragmentIndexReader(storage.container, clock)
        relay = OutboxRelay(store, bus)
        watcher = await stack.enter_async_context(httpx.AsyncClient(trust_env=False))
        resolver = resolver or _link_resolver(settings, watcher)
        follows = Follows(store, changes, clock, relay.wake, resolver)
        sharing = Sharing(store.documents(LINKS), store, clock, settings.service_token)
        carriers = await stack.enter_async_context(_carriers(settings, clock))
        targets = Targets(store, carriers, clock)
        access, people = _access(settings, store, clock, metrics, follows, sharing, targets)
        if settings.admin_password:
            await people.manage_admin(settings.admin_username, settings.admin_password)
        elif await people.is_empty():
            log.warning("setup_needed", page="/setup")
        context = Context(
            store=store, access=access, people=people, follows=follows,
            keeping=Keeping(store, changes, clock, relay.wake), sharing=sharing,
            trail=Trail(store.documents(AUDIT), clock, settings.audit_lifetime),
            playback=Playback(storage.links, indexes, clock, settings.playback_lifetime),
            clips=Clips(indexes, storage.media), changes=changes, clock=clock,
            service_token=settings.service_token, setup_code=settings.setup_code,
            public_url=_site(settings),
            secure_cookies=settings.public_url is not None and settings.public_url.scheme == "https",
            retention=Retention(store, storage.library, store.documents(RETENTION), changes, clock),
            targets=targets, notifications=Notifications(store, carriers, clock, _site(settings)),
            container_name=settings.storage_container,
            storage_usd_per_gb_month=settings.storage_usd_per_gb_month,
            services=HttpHealth(health, watcher, _service_urls(settings)),
            watches=watches or _watch_status(settings, watcher, clock),
        )  # fmt: skip
        namesakes = Namesakes(store, changes, clock, relay.wake)
        health.add("store", store.ready)
        health.add("bus", bus.ready)
        web = build_app(context, health, metrics, security_headers(storage.links.origin, settings.image_sources))
        projections = Projections(store, changes, metrics, namesakes)
        upkeep = _upkeep(settings, context, storage, clock)
        yield CatalogApp(settings, web, context, projections, bus, relay, upkeep, health)


async def _forget_answers(context: Context) -> None:
    await context.store.documents(ANSWERS).remove_before(context.clock.now() - KEPT)


def _upkeep(settings: CatalogSettings, context: Context, storage: Storage, clock: Clock) -> Upkeep:
    keeper = KeepsakeKeeper(context.store, storage.library)

    async def watch_budget() -> None:
        if settings.budget_usd_per_month is not None:
            admins = [user.username for user in await context.people.all() if user.role == "admin"]
            await context.notifications.tell_budget(admins, settings.budget_usd_per_month)

    chores: dict[str, tuple[Chore, float]] = {
        "forget sessions and tokens": (context.access.forget_expired, SWEEP_SECONDS),
        "forget old audit entries": (context.trail.forget_old, SWEEP_SECONDS),
        "forget old links": (context.sharing.forget_old, SWEEP_SECONDS),
        "forget old answers": (partial(_forget_answers, context), SWEEP_SECONDS),
        "forget old deliveries": (context.notifications.forget_old, SWEEP_SECONDS),
        "retention": (context.retention.run, SWEEP_SECONDS),
        "budget": (watch_budget, SWEEP_SECONDS),
        "keepsakes": (keeper.keep, KEEPSAKE_SECONDS),
    }
    return Upkeep(chores, clock)


def _access(
    settings: CatalogSettings, store: CatalogStore, clock: Clock, metrics: CatalogMetrics, follows: Follows,
    sharing: Sharing, targets: Targets,
) -> tuple[Access, People]:  # fmt: skip
    users, sessions, tokens = store.documents(USERS), store.documents(SESSIONS), store.documents(TOKENS)
    passwords, throttle = Passwords(), LoginThrottle()

    async def farewell(username: str) -> None:
        await sharing.forget(username)
        await targets.forget(username)
        await follows.unfollow_all(username)

    access = Access(users, sessions, tokens, passwords, throttle, clock, metrics, settings.session_lifetime)
    return access, People(users, sessions, tokens, passwords, throttle, clock, farewell)


def _site(settings: CatalogSettings) -> str | None:
    return str(settings.public_url).rstrip("/") if settings.public_url else None


@asynccontextmanager
async def _carriers(settings: CatalogSettings, clock: Clock) -> AsyncGenerator[dict[TargetKind, NewsCarrier]]:
    """A client of their own, without cookies, redirects and proxies: it goes where people say."""
    async with httpx.AsyncClient(trust_env=False, follow_redirects=False) as http:
        webhooks = WebhookCarrier(http, clock, private_networks=settings.webhooks_into_private_networks)
        yield {"webhook": webhooks, "apprise": AppriseCarrier()}


def _rabbit(settings: CatalogSettings) -> EventBus:
    if settings.amqp_url is None:
        raise BadSetting("Set WENTLIVE_CATALOG_AMQP_URL to the broker's URL.")
    return RabbitBus(settings.amqp_url, "catalog")


def _watch_status(settings: CatalogSettings, http: httpx.AsyncClient, clock: Clock) -> WatchStatusSource | None:
    url = settings.watcher_url
    return HttpWatchStatus(http, str(url), settings.service_token, clock) if url else None


def _service_urls(settings: CatalogSettings) -> dict[str, str]:
    """The others, by name; the watcher's own address is known anyway."""
    watcher = {"watcher": str(settings.watcher_url)} if settings.watcher_url else {}
    return watcher | {name: str(url) for name, url in settings.service_urls.items()}


def _link_resolver(settings: CatalogSettings, http: httpx.AsyncClient) -> LinkResolver | None:
    return HttpLinkResolver(http, str(settings.watcher_url), settings.service_token) if settings.watcher_url else None
