"""Both buses behind one fixture; RabbitMQ's tests get a virtual host each, so that no test meets another's queues."""

from collections.abc import AsyncGenerator, Callable, Generator

import httpx
import pytest
from pydantic import SecretStr
from wentlive_common.bus import EventBus
from wentlive_common.bus.memory import InMemoryBus
from wentlive_common.bus.rabbit import RabbitBus
from wentlive_common.ids import new_ulid
from wentlive_devkit.servers import RabbitMqNode

Connect = Callable[[], EventBus]


@pytest.fixture
def vhost_url(rabbitmq: RabbitMqNode) -> Generator[str]:
    name = f"test-{new_ulid()}"
    with httpx.Client(base_url=rabbitmq.management_url, auth=("guest", "guest"), trust_env=False) as console:
        console.put(f"/api/vhosts/{name}").raise_for_status()
        yield f"{rabbitmq.amqp_url.rstrip('/')}/{name}"
        console.delete(f"/api/vhosts/{name}").raise_for_status()


@pytest.fixture(params=["memory", "rabbitmq"])
async def connect(request: pytest.FixtureRequest) -> AsyncGenerator[Connect]:
    """Gives a bus as one more process would have it: all of a test's buses reach the same queues."""
    buses: list[EventBus] = [InMemoryBus()] if request.param == "memory" else []
    url = request.getfixturevalue("vhost_url") if request.param == "rabbitmq" else ""

    def another() -> EventBus:
        if request.param == "rabbitmq":
            buses.append(RabbitBus(SecretStr(url), "test"))
        return buses[-1]

    yield another
    for bus in buses:
        await bus.close()


@pytest.fixture
def bus(connect: Connect) -> EventBus:
    return connect()
