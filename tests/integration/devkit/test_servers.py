"""The local servers start, answer, crash, come back and leave nothing behind."""

import asyncio
import re
import sys
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import aio_pika
import aio_pika.exceptions
import httpx
import pytest
from azure.storage.blob.aio import BlobServiceClient
from pymongo import AsyncMongoClient
from wentlive_common.ids import new_ulid
from wentlive_devkit.servers import AzuriteServer, MongoServer, RabbitMqNode, ServerFailed
from wentlive_devkit.servers.ports import claimed, free_port, free_ports, listening
from wentlive_devkit.servers.process import ChildProcess, tail

GONE_SECONDS = 10.0
QUEUE = "devkit-servers"

Start = Callable[[Path], AbstractAsyncContextManager[Any]]
SERVERS = [
    pytest.param(AzuriteServer.start, id="azurite"),
    pytest.param(MongoServer.start, id="mongodb"),
    pytest.param(RabbitMqNode.start, id="rabbitmq"),
]


def processes_of(folder: Path) -> list[str]:
    """Command lines of living processes that were started for `folder`; a zombie that nobody reaps has ended."""
    found: list[str] = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            state = (process / "stat").read_text().rpartition(")")[2].split()[0]
            mentioned = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
        except OSError:
            continue
        if state != "Z" and str(folder).encode() in mentioned:
            found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace"))
    return found


async def assert_nothing_left(folder: Path) -> None:
    deadline = time.monotonic() + GONE_SECONDS
    while left := await asyncio.to_thread(processes_of, folder):
        assert time.monotonic() < deadline, f"still running: {left}"
        await asyncio.sleep(0.05)


@pytest.mark.parametrize("start", SERVERS)
async def test_no_process_is_left_when_the_body_raises(start: Start, tmp_path: Path) -> None:
    async def use() -> None:
        async with start(tmp_path) as server:
            assert server.pid is None or processes_of(tmp_path)
            assert re.fullmatch(r"[\w-]+ \d+\.\d+.*", server.name)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await use()
    await assert_nothing_left(tmp_path)


@pytest.mark.parametrize("start", SERVERS)
async def test_nor_when_cancelled_while_it_starts(start: Start, tmp_path: Path) -> None:
    async def use() -> None:
        async with start(tmp_path):
            pytest.fail("was ready too early for this test")

    task = asyncio.create_task(use())
    await asyncio.sleep(0.2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await assert_nothing_left(tmp_path)


class TestAzurite:
    async def test_stores_a_blob_and_lets_a_browser_read_a_range(self, azurite: AzuriteServer) -> None:
        container = f"devkit-{new_ulid()}"
        async with BlobServiceClient.from_connection_string(azurite.connection_string) as service:
            await service.create_container(container, public_access="blob")
            await service.get_blob_client(container, "a.mp4").upload_blob(b"0123456789")
        origin = {"Origin": "http://127.0.0.1:8080"}
        async with httpx.AsyncClient(base_url=azurite.blob_endpoint, headers=origin, trust_env=False) as browser:
            asks = {"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "range"}
            preflight = await browser.options(f"/{container}/a.mp4", headers=asks)
            part = await browser.get(f"/{container}/a.mp4", headers={"Range": "bytes=2-4"})
        assert preflight.status_code == httpx.codes.OK
        assert "range" in preflight.headers["access-control-allow-headers"]
        assert (part.status_code, part.content) == (httpx.codes.PARTIAL_CONTENT, b"234")
        assert part.headers["access-control-allow-origin"] == "*"
        assert {"content-range", "etag"} <= set(part.headers["access-control-expose-headers"].lower().split(","))

    async def test_keeps_its_key_and_blobs_over_a_restart(self, tmp_path: Path) -> None:
        async with AzuriteServer.start(tmp_path) as server:
            key = server.account_key
            async with BlobServiceClient.from_connection_string(server.connection_string) as service:
                await service.create_container("recordings")
        async with AzuriteServer.start(tmp_path) as server:
            assert server.account_key == key
            async with BlobServiceClient.from_connection_string(server.connection_string) as service:
                assert [container.name async for container in service.list_containers()] == ["recordings"]


class TestRabbitMq:
    async def test_a_quorum_queue_keeps_its_messages_over_a_kill(self, tmp_path: Path) -> None:
        async with RabbitMqNode.start(tmp_path) as node:
            await publish(node, b"kept")
            await node.sync()
            await node.kill()
            assert not await listening(httpx.URL(node.amqp_url).port or 0)
            await node.restart()
            assert await consume(node) == b"kept"
            console = await asyncio.to_thread(httpx.get, node.management_url, trust_env=False)
            assert "RabbitMQ" in console.text
            await node.kill()  # a gentle stop takes six seconds, and the first test above makes one

    async def test_two_nodes_do_not_meet(self, rabbitmq: RabbitMqNode, tmp_path: Path) -> None:
        async with RabbitMqNode.start(tmp_path) as other:
            await publish(other, b"other")
            assert await consume(other) == b"other"
            assert str(tmp_path) in await other.control("eval", "rabbit_mnesia:dir().")
            async with await aio_pika.connect(rabbitmq.amqp_url) as connection:
                channel = await connection.channel()
                with pytest.raises(aio_pika.exceptions.ChannelNotFoundEntity):
                    await channel.get_queue(QUEUE)
            await other.kill()
        await assert_nothing_left(tmp_path)


async def publish(node: RabbitMqNode, body: bytes) -> None:
    async with await aio_pika.connect(node.amqp_url) as connection:
        channel = await connection.channel()
        await channel.declare_queue(QUEUE, durable=True, arguments={"x-queue-type": "quorum"})
        message = aio_pika.Message(body, delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
        await channel.default_exchange.publish(message, QUEUE)


async def consume(node: RabbitMqNode) -> bytes:
    async with await aio_pika.connect(node.amqp_url) as connection:
        channel = await connection.channel()
        queue = await channel.get_queue(QUEUE)
        deadline = time.monotonic() + GONE_SECONDS
        while (message := await queue.get(fail=False)) is None:
            assert time.monotonic() < deadline, "the message did not come back"
            await asyncio.sleep(0.05)
        await message.ack()
        return message.body


class TestMongo:
    async def test_stores_and_finds(self, mongodb: MongoServer) -> None:
        name = f"devkit_{new_ulid()}"
        async with AsyncMongoClient[Any](mongodb.url) as client:
            await client[name].c.insert_one({"_id": 1})
            assert await client[name].c.find_one() == {"_id": 1}
            await client.drop_database(name)


class TestPorts:
    async def test_no_port_is_given_out_twice(self) -> None:
        ports = [port for _ in range(50) for port in free_ports(4)]
        assert len(set(ports)) == len(ports)

    async def test_a_port_that_is_listened_on_is_not_free(self) -> None:
        port = free_port()
        assert not await listening(port)
        async with await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", port):
            assert await listening(port)


class TestChildProcess:
    async def test_a_program_that_ends_early_is_reported_with_its_last_words(self, tmp_path: Path) -> None:
        child = ChildProcess(
            "Broken", ["sh", "-c", "echo first; echo the port is taken >&2; exit 3"], cwd=tmp_path,
            log_path=tmp_path / "out",
        )  # fmt: skip
        await child.start()
        with pytest.raises(ServerFailed, match=r"(?s)Broken ended with exit code 3.*the port is taken"):
            await child.wait_ready(never, within=10)
        await child.stop()

    async def test_a_program_that_takes_too_long_is_reported(self, tmp_path: Path) -> None:
        child = ChildProcess("Slow", ["sleep", "60"], cwd=tmp_path, log_path=tmp_path / "out")
        await child.start()
        with pytest.raises(ServerFailed, match=r"Slow was not ready within 0\.2 s"):
            await child.wait_ready(never, within=0.2)
        await child.stop()

    async def test_one_that_ignores_sigterm_is_killed_with_its_children(self, tmp_path: Path) -> None:
        log_path = tmp_path / "out"

        async def says_ready() -> bool:
            return tail(log_path) == ["ready"]

        stubborn = "trap '' TERM; sleep 60 & sleep 60 & echo ready; wait; wait"
        child = ChildProcess("Stubborn", ["sh", "-c", stubborn], cwd=tmp_path, log_path=log_path)
        await child.start()
        await child.wait_ready(says_ready, within=10)
        await child.stop(grace=0.2)
        await assert_nothing_left(tmp_path)

    async def test_it_dies_with_its_parent(self, tmp_path: Path) -> None:
        code = (
            "import asyncio, os, pathlib, sys\n"
            "from wentlive_devkit.servers.process import ChildProcess\n"
            "folder = pathlib.Path(sys.argv[1])\n"
            "async def main():\n"
            "    argv = ['tail', '-f', f'{folder}/out']\n"
            "    await ChildProcess('Orphan', argv, cwd=folder, log_path=folder / 'out').start()\n"
            "    os.kill(os.getpid(), 9)\n"
            "asyncio.run(main())\n"
        )
        parent = await asyncio.create_subprocess_exec(sys.executable, "-c", code, str(tmp_path))
        assert await parent.wait() == -9
        await assert_nothing_left(tmp_path)

    async def test_it_does_not_start_when_its_parent_died_first(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with monkeypatch.context() as patched:
            patched.setattr("os.getpid", lambda: 1)
            orphan = ChildProcess("Orphan", ["tail", "-f", "out"], cwd=tmp_path, log_path=tmp_path / "out")
        await orphan.start()
        with pytest.raises(ServerFailed, match="ended with exit code 1"):
            await orphan.wait_ready(never, within=10)
        await orphan.stop()


def test_a_port_is_claimed_by_one_run_at_a_time() -> None:
    """Two that begin together both find it free: the second must not take it too."""
    port = free_port()
    with claimed(port) as first, claimed(port) as second:
        assert (first, second) == (True, False)
    with claimed(port) as again:
        assert again


async def never() -> bool:
    return False
