"""Everything that Wentlive needs, on one machine: servers, services, and TikTok's stand-in where one is wanted."""

import asyncio
import os
import shutil
import sys
from collections.abc import AsyncGenerator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Literal

import httpx
import structlog
from pydantic import SecretStr
from wentlive_common.errors import Conflict
from wentlive_common.ids import new_ulid
from wentlive_common.model import Model

from wentlive_devkit.configuration import Addresses, environment, write_secrets
from wentlive_devkit.folder import locked_folder
from wentlive_devkit.leftovers import RUN_MARK, end_marked_processes
from wentlive_devkit.servers import AzuriteServer, RabbitMqNode
from wentlive_devkit.servers.ports import HOST, can_listen, claimed, free_port, kept_port
from wentlive_devkit.servers.process import ChildProcess
from wentlive_devkit.supervisor import Supervised, SupervisedService, keep_running

log = structlog.get_logger(__name__)

USUAL_PORT = 8080
SIMULATOR_READY_SECONDS = 60.0
AZURE_PACE = '{"create": 0.3, "pull": 0.5, "start": 0.5, "delete": 1.5}'
"""Quicker than Azure, so that a demo is not spent waiting, yet slow enough to be seen."""


class StackOptions(Model):
    folder: Path
    scenario: str | None = None
    """A scenario for the TikTok simulator; None means TikTok itself."""
    runtime: Literal["process", "aci"] = "process"
    """Recorders as processes, or as container groups of a simulated Azure."""
    solo: bool = False
    """All services in this process over an in-memory bus, without RabbitMQ."""
    port: int | None = None
    """The web app's port; None takes 8080 or, when that is in use, any free one."""
    fresh: bool = False
    """Starts from nothing and leaves nothing: the folder is emptied before and removed afterwards."""


class Stack:
    """What runs, and where to find it."""

    def __init__(self, options: StackOptions) -> None:
        self.options = options
        self.run = new_ulid()
        self.servers: dict[str, str] = {}
        self.services: dict[str, SupervisedService] = {}
        self._supervised: list[Supervised] = []
        self.management_url: str | None = None
        self.password = SecretStr("")
        self.addresses: Addresses

    @classmethod
    @asynccontextmanager
    async def start(cls, options: StackOptions) -> AsyncGenerator["Stack"]:
        """Yields once every part is ready. Leaving stops all of it, newest first, and ends what is left."""
        stack = cls(options)
        async with AsyncExitStack() as resources:
            resources.enter_context(locked_folder(options.folder, fresh=options.fresh))
            resources.push_async_callback(stack._sweep)
            await stack._start_servers(resources)
            await stack._start_services(resources)
            yield stack

    async def _start_servers(self, resources: AsyncExitStack) -> None:
        folder = self.options.folder
        node: RabbitMqNode | None = None
        if not self.options.solo:
            node = await resources.enter_async_context(RabbitMqNode.start(folder / "rabbitmq"))
            self.management_url = node.management_url
            self._supervised.append(node)
        azurite = await resources.enter_async_context(AzuriteServer.start(folder / "azurite"))
        self._supervised.append(azurite)
        self.servers = {"bus": node.name if node else "memory", "storage": azurite.name, "stores": "SQLite"}
        tiktok = await self._start_tiktok(resources) if self.options.scenario else None
        arm = await self._start_azure(resources) if self.options.runtime == "aci" else None
        self.addresses = Addresses(
            catalog_port=self._catalog_port(resources),
            # Recorders that outlived the last run report to where they did.
            orchestrator_port=kept_port(folder / "orchestrator.port"),
            watcher_port=free_port(),
            amqp_url=SecretStr(node.amqp_url) if node else None,
            storage=SecretStr(azurite.connection_string),
            tiktok_url=tiktok,
            arm_url=arm,
        )
        self.password = write_secrets(self.addresses, folder)

    async def _start_tiktok(self, resources: AsyncExitStack) -> str:
        url = await self._start_simulator(resources, "tiktok", "--scenario", str(self.options.scenario), "--wait")
        self.servers["tiktok"] = "simulator"
        return url

    async def _start_azure(self, resources: AsyncExitStack) -> str:
        containers = self.options.folder / "containers"
        url = await self._start_simulator(resources, "azure", "--folder", str(containers), "--pace", AZURE_PACE)
        self.servers["containers"] = "simulated Azure Container Instances"
        return url

    async def _start_simulator(self, resources: AsyncExitStack, name: str, *arguments: str) -> str:
        port = free_port()
        argv = [sys.executable, "-m", f"wentlive_devkit.{name}", "--port", str(port), *arguments]
        folder = self.options.folder
        env = os.environ | {RUN_MARK: self.run}
        simulator = ChildProcess(name, argv, cwd=folder, env=env, log_path=folder / "log" / f"{name}.log")
        resources.push_async_callback(simulator.stop)
        await simulator.start()
        url = f"http://{HOST}:{port}"
        async with httpx.AsyncClient(timeout=2, trust_env=False) as client:
            await simulator.wait_ready(lambda: _answers(client, f"{url}/_sim/state"), SIMULATOR_READY_SECONDS)
        return url

    async def _start_services(self, resources: AsyncExitStack) -> None:
        """A process for each service, or one for all of them."""
        options, urls = self.options, self.addresses.health_urls
        env = environment(self.addresses, options.folder, self.run, brisk=options.scenario is not None)
        modules = {"solo": "wentlive_devkit.solo"} if options.solo else {name: f"wentlive_{name}" for name in urls}
        for name, module in modules.items():
            health = list(urls.values()) if options.solo else [urls[name]]
            argv = [sys.executable, "-m", module]
            service = SupervisedService(name, argv, env, health_urls=health, folder=options.folder)
            self.services[name] = service
            resources.push_async_callback(service.stop)
        await asyncio.gather(*(service.start() for service in self.services.values()))
        await resources.enter_async_context(_watched([*self._supervised, *self.services.values()]))

    def _catalog_port(self, resources: AsyncExitStack) -> int:
        wanted = self.options.port
        if wanted is not None and not can_listen(wanted):
            raise Conflict(f"Port {wanted} is in use: stop what holds it, or choose another by --port.")
        return wanted or (USUAL_PORT if resources.enter_context(claimed(USUAL_PORT)) else free_port())

    async def _sweep(self) -> None:
        left = await end_marked_processes(self.run)
        if left:
            log.warning("processes_were_left", count=left)
        if self.options.fresh:
            shutil.rmtree(self.options.folder, ignore_errors=True)


@asynccontextmanager
async def _watched(parts: Iterable[Supervised]) -> AsyncGenerator[None]:
    """Brings back what dies while the body runs."""
    stop = asyncio.Event()
    watching = asyncio.gather(*(keep_running(part, stop) for part in parts))
    try:
        yield
    finally:
        stop.set()
        await watching


async def _answers(client: httpx.AsyncClient, url: str) -> bool:
    try:
        return (await client.get(url)).is_success
    except httpx.TransportError:
        return False
