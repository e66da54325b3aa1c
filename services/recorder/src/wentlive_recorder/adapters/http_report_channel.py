"""ReportChannel over HTTP: one POST with the job's own token."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import aiohttp
from pydantic import SecretStr, ValidationError
from wentlive_common.errors import Transient
from wentlive_common.job import Report, ReportAnswer

from wentlive_recorder.adapters.proxy import proxy_to

_SUPERSEDED = frozenset({404, 409, 410})


class HttpReportChannel:
    """Speaks for one attempt; the session's owner closes it."""

    def __init__(self, http: aiohttp.ClientSession, url: str, token: SecretStr) -> None:
        self._http, self._url = http, url
        self._headers = {"Authorization": f"Bearer {token.get_secret_value()}", "Content-Type": "application/json"}

    async def send(self, report: Report) -> ReportAnswer:
        try:
            async with self._http.post(
                self._url,
                data=report.model_dump_json().encode(),
                headers=self._headers,
                allow_redirects=False,
                proxy=proxy_to(self._url),
            ) as response:
                return _answer(response.status, await response.read())
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Transient(f"The orchestrator did not answer: {type(error).__name__}") from error


@asynccontextmanager
async def http_report_channel(url: str, token: SecretStr, timeout: float) -> AsyncGenerator[HttpReportChannel]:
    async with aiohttp.ClientSession(
        timeout=aiohttp.ClientTimeout(timeout), cookie_jar=aiohttp.DummyCookieJar()
    ) as http:
        yield HttpReportChannel(http, url, token)


def _answer(status: int, body: bytes) -> ReportAnswer:
    if status in _SUPERSEDED:
        return ReportAnswer(command="abandon")
    if not 200 <= status < 300:
        raise Transient(f"The orchestrator answered HTTP {status}.")
    try:
        return ReportAnswer.model_validate_json(body)
    except ValidationError as error:
        raise Transient("The orchestrator's answer could not be read.") from error
