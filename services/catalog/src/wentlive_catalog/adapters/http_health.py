"""Asks every service how it is, all at once, by the `/readyz` that all of them have."""

import asyncio
from collections.abc import Mapping, Sequence

import httpx
from pydantic import Field, ValidationError
from wentlive_common.health import Health
from wentlive_common.model import Model

from wentlive_catalog.domain.health import ServiceHealth

TIMEOUT_SECONDS = 4.0
"""Longer than a service gives its own checks."""
MOST_BYTES = 64 * 1024


class _Ready(Model):
    status: str
    service: str
    checks: dict[str, str] = Field(default_factory=dict[str, str])


class HttpHealth:
    """`HealthSource`: this process's own checks, and those of the services at `urls`."""

    def __init__(self, own: Health, http: httpx.AsyncClient, urls: Mapping[str, str]) -> None:
        self._own = own
        self._http = http
        self._urls = urls

    async def report(self) -> Sequence[ServiceHealth]:
        others = asyncio.gather(*(self._ask(name, url) for name, url in self._urls.items()))
        checks = await self._own.run_checks()
        return [ServiceHealth(name=self._own.service, answers=True, checks=checks), *await others]

    async def _ask(self, name: str, url: str) -> ServiceHealth:
        try:
            answer = await self._http.get(f"{url.rstrip('/')}/readyz?verbose", timeout=TIMEOUT_SECONDS)
            ready = _Ready.model_validate_json(answer.content[:MOST_BYTES])
        except (httpx.HTTPError, ValidationError):
            return ServiceHealth(name=name, answers=False)
        return ServiceHealth(name=name, answers=True, checks={key: how == "pass" for key, how in ready.checks.items()})
