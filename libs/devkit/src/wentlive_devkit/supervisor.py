"""Keeps processes running: services started and watched for readiness, and whatever dies brought back."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import httpx
import structlog
from wentlive_common.lifecycle import wait_any

from wentlive_devkit.servers import ServerFailed
from wentlive_devkit.servers.process import ChildProcess

log = structlog.get_logger(__name__)

READY_SECONDS = 60.0
WATCH_SECONDS = 0.5
MAX_BACKOFF_SECONDS = 30.0
LASTING_SECONDS = 60.0
"""What lived this long is restarted at once when it dies."""


class SupervisedService:
    """A process that is ready when `/readyz` under each of `health_urls` says so."""

    def __init__(
        self,
        name: str,
        argv: Sequence[str],
        env: Mapping[str, str],
        *,
        health_urls: Sequence[str],
        folder: Path,
        stop_seconds: float = 15.0,
    ) -> None:
        self.name = name
        self.health_urls = health_urls
        self.restarts = 0
        self._stop_seconds = stop_seconds
        self._child = ChildProcess(name, argv, cwd=folder, env=env, log_path=folder / "log" / f"{name}.log")

    @property
    def log_path(self) -> Path:
        return self._child.log_path

    @property
    def pid(self) -> int | None:
        return self._child.pid

    async def start(self) -> None:
        """Starts the process and returns when it is ready; raises `ServerFailed` with its last log lines."""
        await self._child.start()
        await self._child.wait_ready(self.ready, READY_SECONDS)

    async def ready(self) -> bool:
        try:
            async with httpx.AsyncClient(timeout=5, trust_env=False) as client:
                answers = [await client.get(f"{url}/readyz") for url in self.health_urls]
        except httpx.TransportError:
            return False
        return all(answer.is_success for answer in answers)

    @property
    def running(self) -> bool:
        return self._child.running

    async def restart(self) -> None:
        self.restarts += 1
        await self.start()

    async def kill(self) -> None:
        """SIGKILL, as a crash would; `watch` brings it back."""
        await self._child.kill()

    async def stop(self) -> None:
        await self._child.stop(self._stop_seconds)


class Supervised(Protocol):
    """A server or a service that can be brought back."""

    @property
    def name(self) -> str: ...

    @property
    def running(self) -> bool: ...

    @property
    def log_path(self) -> Path: ...

    async def restart(self) -> None:
        """Starts it where it was, with the data it had."""
        ...


async def keep_running(part: Supervised, stop: asyncio.Event) -> None:
    """Restarts `part` whenever it ends by itself, sooner or later by how long it had lived."""
    loop = asyncio.get_running_loop()
    born, backoff = loop.time(), 0.0
    while not stop.is_set():
        await wait_any(stop.wait(), asyncio.sleep(WATCH_SECONDS))
        if stop.is_set() or part.running:
            continue
        backoff = 0.0 if loop.time() - born > LASTING_SECONDS else min(MAX_BACKOFF_SECONDS, backoff * 2 + 1)
        log.warning("process_died", process=part.name, restart_in=backoff, log=str(part.log_path))
        await wait_any(stop.wait(), asyncio.sleep(backoff))
        if not stop.is_set():
            born = loop.time()
            await wait_any(stop.wait(), _brought_back(part))


async def _brought_back(part: Supervised) -> None:
    try:
        await part.restart()
    except (ServerFailed, OSError) as error:
        log.error("process_did_not_come_up", process=part.name, error=str(error))
