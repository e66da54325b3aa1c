"""Both buses behind one fixture."""

from collections.abc import AsyncGenerator, Callable

import pytest
from pydantic import SecretStr
from wentlive_common.bus import EventBus
from wentlive_common.bus.memory import InMemoryBus
from wentlive_common.bus.rabbit import RabbitBus

Connect = Callable[[], EventBus]


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
