"""`python -m wentlive_watcher`: the watcher as a process of its own."""

import asyncio
import sys

import structlog
from pydantic import ValidationError
from wentlive_common.errors import WentliveError
from wentlive_common.lifecycle import stop_on_signals
from wentlive_common.logging import configure_logging

from wentlive_watcher.bootstrap import bootstrap
from wentlive_watcher.settings import WatcherSettings

log = structlog.stdlib.get_logger(__name__)


async def run(settings: WatcherSettings) -> None:
    async with stop_on_signals() as stop, bootstrap(settings) as app:
        await app.run(stop)


def main() -> None:
    configure_logging("watcher")
    try:
        settings = WatcherSettings()  # pyright: ignore[reportCallIssue] - store_url comes from the environment
        log.info("settings_read", **settings.summary())
        asyncio.run(run(settings))
    except ValidationError as error:
        faults = [f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors()]
        log.error("settings_invalid", faults=faults)
        sys.exit(2)
    except WentliveError as error:
        log.error("watcher_failed", error=error.message, kind=type(error).__name__)
        sys.exit(1)


if __name__ == "__main__":
    main()
