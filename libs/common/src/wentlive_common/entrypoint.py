"""The way from `main` to a running service, the same for all: settings, log, signals, and exit codes people can use."""

import asyncio
import sys
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Protocol, TypeVar

import structlog
from pydantic import ValidationError

from wentlive_common.errors import WentliveError
from wentlive_common.lifecycle import stop_on_signals
from wentlive_common.logging import configure_logging
from wentlive_common.settings import Settings

log = structlog.get_logger(__name__)

SETTINGS_INVALID = 2
FAILED = 1


class App(Protocol):
    async def run(self, stop: asyncio.Event) -> None: ...


SettingsT = TypeVar("SettingsT", bound=Settings)


def run_service(
    name: str, settings_type: type[SettingsT], bootstrap: Callable[[SettingsT], AbstractAsyncContextManager[App]]
) -> None:
    """Runs until a signal. Exits with 2 when a setting is wrong, with 1 when the service cannot go on; says why."""
    settings = read_settings(name, settings_type)
    try:
        asyncio.run(_run(settings, bootstrap))
    except WentliveError as error:
        log.error("service_failed", error=error.message, kind=type(error).__name__)
        sys.exit(FAILED)


def read_settings(name: str, settings_type: type[SettingsT]) -> SettingsT:
    """Reads and logs the settings, secrets masked; a wrong one ends the process, named but never quoted."""
    try:
        settings = settings_type()
    except ValidationError as error:
        prefix = settings_type.model_config.get("env_prefix", "")
        faults = [
            f"{prefix}{'__'.join(map(str, e['loc'])).upper()}: {e['msg']}" for e in error.errors(include_input=False)
        ]
        configure_logging(name)
        log.error("settings_invalid", faults=faults)
        sys.exit(SETTINGS_INVALID)
    configure_logging(name, level=settings.log_level)
    log.info("settings_read", settings=settings.summary())
    return settings


async def _run(settings: SettingsT, bootstrap: Callable[[SettingsT], AbstractAsyncContextManager[App]]) -> None:
    async with stop_on_signals() as stop, bootstrap(settings) as app:
        await app.run(stop)
