"""All services in one process over the in-memory bus: for a machine without RabbitMQ, and for deterministic tests."""

import asyncio

from wentlive_catalog.bootstrap import bootstrap as bootstrap_catalog
from wentlive_catalog.settings import CatalogSettings
from wentlive_common.bus.memory import InMemoryBus
from wentlive_common.lifecycle import stop_on_signals
from wentlive_common.logging import configure_logging
from wentlive_orchestrator.bootstrap import bootstrap as bootstrap_orchestrator
from wentlive_orchestrator.settings import OrchestratorSettings
from wentlive_watcher.bootstrap import bootstrap as bootstrap_watcher
from wentlive_watcher.settings import WatcherSettings


async def run() -> None:
    """Runs until a signal. The catalog stops last, so that the last reports of the recorders reach it."""
    bus = InMemoryBus()
    try:
        async with (
            stop_on_signals() as stop,
            bootstrap_catalog(CatalogSettings(), bus=bus) as catalog,  # pyright: ignore[reportCallIssue]
            bootstrap_orchestrator(OrchestratorSettings(), bus=bus) as orchestrator,  # pyright: ignore[reportCallIssue]
            bootstrap_watcher(WatcherSettings(), bus=bus) as watcher,  # pyright: ignore[reportCallIssue]
            asyncio.TaskGroup() as services,
        ):
            catalog_stop = asyncio.Event()
            services.create_task(catalog.run(catalog_stop), name="catalog")
            services.create_task(watcher.run(stop), name="watcher")
            recording = services.create_task(orchestrator.run(stop), name="orchestrator")
            await asyncio.wait([recording])
            catalog_stop.set()
    finally:
        await bus.close()


def main() -> None:
    configure_logging("solo")
    asyncio.run(run())


if __name__ == "__main__":
    main()
