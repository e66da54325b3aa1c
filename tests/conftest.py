"""The real servers that tests share: started once, when the first test asks, and named at the end of the run."""

import asyncio
import os
import threading
from collections.abc import Callable, Coroutine, Generator
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeVar

import httpx
import pytest
from hypothesis import HealthCheck, settings
from wentlive_common.ids import new_ulid
from wentlive_devkit.servers import AzuriteServer, MongoServer, RabbitMqNode, ServerUnavailable

ServerT = TypeVar("ServerT")
ResultT = TypeVar("ResultT")

# A timing is a benchmark, never an assertion: machines are slow when they have other work.
settings.register_profile("wentlive", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("wentlive")

served = pytest.StashKey[dict[str, str]]()


class ServerThread:
    """An event loop of its own, so that a server outlives the loops of the single tests."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="test-servers", daemon=True)
        self._thread.start()

    def enter(self, manager: AbstractAsyncContextManager[ServerT]) -> ServerT:
        return self.run(manager.__aenter__())

    def leave(self, manager: AbstractAsyncContextManager[Any]) -> None:
        self.run(manager.__aexit__(None, None, None))

    def run(self, work: Coroutine[Any, Any, ResultT]) -> ResultT:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=120)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


@pytest.fixture(scope="session")
def server_thread() -> Generator[ServerThread]:
    thread = ServerThread()
    yield thread
    thread.close()


def shared_server(
    role: str, start: Callable[[Any], AbstractAsyncContextManager[ServerT]]
) -> Callable[..., Generator[ServerT]]:
    @pytest.fixture(scope="session", name=role)
    def server(
        request: pytest.FixtureRequest, server_thread: ServerThread, tmp_path_factory: pytest.TempPathFactory
    ) -> Generator[ServerT]:
        try:
            manager = start(tmp_path_factory.mktemp(role))
            running = server_thread.enter(manager)
        except ServerUnavailable as error:
            request.config.stash[served][role] = f"none: {error}"
            if os.environ.get("CI"):
                pytest.fail(str(error))
            pytest.skip(str(error))
        request.config.stash[served][role] = running.name  # type: ignore[attr-defined]
        yield running
        # Its data is thrown away: a gentle stop would only take longer (RabbitMQ's about 6 s).
        if isinstance(running, RabbitMqNode):
            server_thread.run(running.kill())
        server_thread.leave(manager)

    return server


rabbitmq = shared_server("rabbitmq", RabbitMqNode.start)
azurite = shared_server("azurite", AzuriteServer.start)
mongodb = shared_server("mongodb", MongoServer.start)


@pytest.fixture
def rabbitmq_url(rabbitmq: RabbitMqNode) -> str:
    return rabbitmq.amqp_url


@pytest.fixture
def vhost_url(rabbitmq: RabbitMqNode) -> Generator[str]:
    """A virtual host of the test's own on the shared broker, so that no test meets another's queues."""
    name = f"test-{new_ulid()}"
    with httpx.Client(base_url=rabbitmq.management_url, auth=("guest", "guest"), trust_env=False) as console:
        console.put(f"/api/vhosts/{name}").raise_for_status()
        yield f"{rabbitmq.amqp_url.rstrip('/')}/{name}"
        console.delete(f"/api/vhosts/{name}").raise_for_status()


@pytest.fixture
def mongodb_url(mongodb: MongoServer) -> str:
    """A server's URL without a database: give each test a database of its own name."""
    return mongodb.url


@pytest.fixture(scope="session")
def servers_installed() -> None:
    """For tests that start servers of their own: fails in CI, skips elsewhere, when one is not installed."""
    try:
        RabbitMqNode.installed()
        AzuriteServer.installed()
    except ServerUnavailable as error:
        if os.environ.get("CI"):
            pytest.fail(str(error))
        pytest.skip(str(error))


def pytest_configure(config: pytest.Config) -> None:
    config.stash[served] = {}


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Each of several workers has servers of its own, and tells the process that began the run of them."""
    told: dict[str, Any] | None = getattr(session.config, "workeroutput", None)
    if told is not None:
        told["served"] = session.config.stash[served]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """A worker has ended; one that crashed told nothing."""
    node.config.stash[served].update(getattr(node, "workeroutput", {}).get("served", {}))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    ports = {
        "rabbitmq": "EventBus (RabbitBus)",
        "azurite": "blob ports (recorder's sink, grants, links, fragment index)",
        "mongodb": "MongoDB stores (watches, recordings, catalog)",
    }
    terminalreporter.section("real servers behind the ports")
    for role, port in ports.items():
        terminalreporter.write_line(f"{port}: {config.stash[served].get(role, 'not asked for in this run')}")
    terminalreporter.write_line("SQLite stores (watches, recordings, catalog): SQLite, in files of the tests' own")
