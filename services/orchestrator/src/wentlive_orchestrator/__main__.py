"""The orchestrator as a process of its own."""

import asyncio
import sys

import structlog
from pydantic import ValidationError
from wentlive_common.errors import WentliveError
from wentlive_common.lifecycle import stop_on_signals
from wentlive_common.logging import configure_logging

from wentlive_orchestrator.bootstrap import bootstrap
from wentlive_orchestrator.settings import OrchestratorSettings

log = structlog.get_logger(__name__)


def main() -> None:
    try:
        settings = OrchestratorSettings()  # pyright: ignore[reportCallIssue] - the environment fills it
    except ValidationError as error:
        faults = (f"WENTLIVE_ORCHESTRATOR_{'__'.join(map(str, e['loc'])).upper()}: {e['msg']}" for e in error.errors())
        sys.exit("\n".join(faults))
    configure_logging("orchestrator", level=settings.log_level)
    log.info("orchestrator_settings", settings=settings.summary())
    try:
        asyncio.run(_run(settings))
    except WentliveError as error:
        sys.exit(error.message)


async def _run(settings: OrchestratorSettings) -> None:
    async with stop_on_signals() as stop, bootstrap(settings) as app:
        await app.run(stop)


if __name__ == "__main__":
    main()
