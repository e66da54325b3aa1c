"""What dies by itself is brought back on the same port and data; broker and storage as well as services."""

import asyncio
import os
import shutil
import signal
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import aio_pika
import pytest
from azure.storage.blob.aio import BlobServiceClient
from wentlive_devkit.servers import AzuriteServer, RabbitMqNode
from wentlive_devkit.supervisor import Supervised, keep_running

pytestmark = pytest.mark.timeout(120)


@asynccontextmanager
async def kept_running(part: Supervised) -> AsyncGenerator[None]:
    stop = asyncio.Event()
    keeping = asyncio.create_task(keep_running(part, stop))
    yield
    stop.set()
    await keeping


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.05)


async def ask_broker(node: RabbitMqNode) -> None:
    async with await aio_pika.connect(node.amqp_url) as connection:
        await connection.channel()


async def ask_storage(server: AzuriteServer) -> None:
    async with BlobServiceClient.from_connection_string(server.connection_string, retry_total=0) as service:
        await service.get_service_properties()


async def use_again(ask: Callable[[Any], Any], server: Any) -> None:
    async with asyncio.timeout(90):
        while True:
            try:
                await ask(server)
            except Exception:
                await asyncio.sleep(0.2)
            else:
                return


@pytest.mark.parametrize("wiped", [False, True])
@pytest.mark.parametrize(
    ("start", "ask"),
    [
        pytest.param(AzuriteServer.start, ask_storage, id="azurite"),
        pytest.param(RabbitMqNode.start, ask_broker, id="rabbitmq"),
    ],
)
async def test_a_killed_server_comes_back(
    start: Callable[[Path], AbstractAsyncContextManager[Any]],
    ask: Callable[[Any], Any],
    tmp_path: Path,
    wiped: bool,
) -> None:
    async with start(tmp_path) as server, kept_running(server):
        before = server.pid
        os.kill(before, signal.SIGKILL)
        if wiped:
            shutil.rmtree(tmp_path, ignore_errors=True)
        await until(lambda: server.pid != before)
        await use_again(ask, server)
