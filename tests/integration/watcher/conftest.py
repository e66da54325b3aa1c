"""The whole watcher as a process, between a simulated TikTok, a real broker and a listener to what it tells."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import TypeVar
from uuid import uuid4

import httpx
import pytest
from pydantic import SecretStr
from wentlive_common.bus.rabbit import RabbitBus
from wentlive_common.events import (
    AnyEvent,
    BroadcastData,
    BroadcastEnded,
    BroadcastPaused,
    BroadcastResumed,
    BroadcastWentLive,
    CreatorProfileChanged,
    CreatorRestricted,
    EventData,
)
from wentlive_devkit.servers.ports import free_port
from wentlive_devkit.tiktok import CreatorScript, MediaScript, Scenario, TikTokSimulator

DataT = TypeVar("DataT", bound=EventData)

TOLD = (
    BroadcastWentLive,
    BroadcastPaused,
    BroadcastResumed,
    BroadcastEnded,
    CreatorProfileChanged,
    CreatorRestricted,
)
QUICK = {
    "CHECK_INTERVAL": "0.3",
    "RESTRICTED_INTERVAL": "0.5",
    "CONFIRM_INTERVAL": "0.2",
    "REPEAT_INTERVAL": "0.6",
    "SNAPSHOT_INTERVAL": "0.5",
    "CLAIM_INTERVAL": "0.05",
    "CHECK_TIMEOUT": "1.5",
    "LEASE": "2",
    "ENDED_CONFIRMATIONS": "2",
    "END_GRACE": "0.2",
    "HIDDEN_GRACE": "1",
    "REQUESTS_PER_SECOND": "100",
    "ASKED_PER_MINUTE": "6000",
    "START_RAMP": "0",
    "BLOCK_BACKOFF": "0.5",
    "BLOCK_BACKOFF_LIMIT": "1",
}


async def until(condition: Callable[[], Awaitable[bool] | bool]) -> None:
    """Waits for a condition, 45 seconds at most."""
    async with asyncio.timeout(45):
        while True:
            met = condition()
            if met if isinstance(met, bool) else await met:
                return
            await asyncio.sleep(0.02)


class WatcherProcess:
    """`python -m wentlive_watcher`, started as often as a test likes."""

    def __init__(self, env: dict[str, str], log_path: Path) -> None:
        self._env = env
        self._log_path = log_path
        self._port = free_port()
        self._process: asyncio.subprocess.Process | None = None

    async def start(self, *, ready: bool = True, **settings: str) -> None:
        """Returns once it hears and stores, unless the test expects that it will not."""
        own = {"HEALTH_PORT": str(self._port), **QUICK, **self._env, **settings}
        env = {f"WENTLIVE_WATCHER_{name}": value for name, value in own.items()}
        with self._log_path.open("ab") as output:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "wentlive_watcher",
                env={"PATH": os.environ["PATH"], **env},
                stdout=output,
                stderr=output,
            )
        if ready:
            await until(partial(self.answers, "/readyz", 200))

    async def kill(self) -> None:
        await self._end(signal.SIGKILL)

    async def stop(self) -> int | None:
        return await self._end(signal.SIGTERM)

    async def exit_code(self) -> int:
        assert self._process is not None
        async with asyncio.timeout(15):
            return await self._process.wait()

    async def _end(self, how: signal.Signals) -> int | None:
        process, self._process = self._process, None
        if process is None:
            return None
        if process.returncode is None:
            process.send_signal(how)
        async with asyncio.timeout(20):
            return await process.wait()

    async def ask(self, path: str, **headers: str) -> httpx.Response | None:
        async with httpx.AsyncClient(trust_env=False) as http:
            try:
                return await http.get(f"http://127.0.0.1:{self._port}{path}", headers=headers)
            except httpx.TransportError:
                return None

    async def answers(self, path: str, status: int) -> bool:
        response = await self.ask(path)
        return response is not None and response.status_code == status

    @property
    def log(self) -> str:
        return self._log_path.read_text()


class Listener:
    """Everything that the watcher told, in the order it came."""

    def __init__(self) -> None:
        self.events: list[AnyEvent] = []

    async def hear(self, event: AnyEvent) -> None:
        self.events.append(event)

    def of(self, kind: type[DataT], room: str | None = None) -> list[DataT]:
        told = [event.data for event in self.events if isinstance(event.data, kind)]
        return (
            told
            if room is None
            else [data for data in told if isinstance(data, BroadcastData) and data.room_id == room]
        )


@pytest.fixture
async def bus(vhost_url: str) -> AsyncGenerator[RabbitBus]:
    opened = RabbitBus(SecretStr(vhost_url), "test")
    yield opened
    await opened.close()


@pytest.fixture
async def listener(bus: RabbitBus) -> Listener:
    told = Listener()
    await bus.subscribe("test.listener", TOLD, told.hear)
    return told


@pytest.fixture
async def tiktok() -> AsyncGenerator[TikTokSimulator]:
    creators = (
        CreatorScript(handle="ann", nickname="Ann"),
        CreatorScript(handle="bob", nickname="Bob", kind="private"),
    )
    media = MediaScript(width=64, height=64, fps=5, loop_s=8, bitrate=50_000)
    async with TikTokSimulator.start(Scenario(creators=creators, media=media)) as simulator:
        yield simulator


@pytest.fixture(params=["sqlite", "mongodb"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite://{tmp_path / 'watcher.db'}"
    return f"{request.getfixturevalue('mongodb_url').rstrip('/')}/watcher_{uuid4().hex}"


@pytest.fixture
async def watcher(tiktok: TikTokSimulator, vhost_url: str, tmp_path: Path) -> AsyncGenerator[WatcherProcess]:
    env = {
        "STORE_URL": f"sqlite://{tmp_path / 'watcher.db'}",
        "AMQP_URL": vhost_url,
        "TIKTOK_BASE_URL": tiktok.base_url,
    }
    process = WatcherProcess(env, tmp_path / "watcher.log")
    yield process
    await process.kill()


@pytest.fixture(name="until")
def until_fixture() -> Callable[[Callable[[], Awaitable[bool] | bool]], Awaitable[None]]:
    return until
