"""What `/livez`, `/readyz` and `/metrics` answer."""

import asyncio
from collections.abc import AsyncGenerator

import httpx
import pytest
from prometheus_client import Counter
from wentlive_common import health as health_module
from wentlive_common.health import Health, health_app


@pytest.fixture
def health() -> Health:
    return Health("watcher")


@pytest.fixture
async def client(health: Health) -> AsyncGenerator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(health_app(health))
    async with httpx.AsyncClient(transport=transport, base_url="http://watcher") as client:
        yield client


async def passing() -> bool:
    return True


async def failing() -> bool:
    return False


async def raising() -> bool:
    raise OSError("away")


async def hanging() -> bool:
    await asyncio.Event().wait()
    return True


async def test_live_whatever_the_checks_say(health: Health, client: httpx.AsyncClient) -> None:
    health.add("bus", failing)
    answer = await client.get("/livez")
    assert (answer.status_code, answer.json()) == (200, {"status": "pass", "service": "watcher"})


async def test_ready_when_every_check_passes(health: Health, client: httpx.AsyncClient) -> None:
    health.add("bus", passing)
    answer = await client.get("/readyz?verbose")
    assert answer.status_code == 200
    assert answer.json()["checks"] == {"bus": "pass"}


async def test_not_ready_says_which(health: Health, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health_module, "CHECK_TIMEOUT", 0.02)
    for check in (passing, failing, raising, hanging):
        health.add(check.__name__, check)
    answer = await client.get("/readyz?verbose")
    assert answer.status_code == 503
    assert answer.json()["checks"] == {"passing": "pass", "failing": "fail", "raising": "fail", "hanging": "fail"}
    assert "checks" not in (await client.get("/readyz")).json()


async def test_a_stopping_service_is_not_ready(health: Health, client: httpx.AsyncClient) -> None:
    health.stopping()
    assert (await client.get("/readyz")).status_code == 503


async def test_metrics_are_served(health: Health, client: httpx.AsyncClient) -> None:
    Counter("lives_detected", "Lives seen", registry=health.metrics).inc()
    answer = await client.get("/metrics")
    assert "lives_detected_total 1.0" in answer.text
