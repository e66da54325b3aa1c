"""ReportChannel over HTTP: one POST with the job's own token."""

import httpx
from pydantic import SecretStr, ValidationError
from wentlive_common.errors import Transient
from wentlive_common.job import Report, ReportAnswer

_SUPERSEDED = frozenset({404, 409, 410})


class HttpReportChannel:
    """Speaks for one attempt; the client's owner closes it."""

    def __init__(self, http: httpx.AsyncClient, url: str, token: SecretStr) -> None:
        self._http = http
        self._url = url
        self._token = token

    async def send(self, report: Report) -> ReportAnswer:
        try:
            response = await self._http.post(
                self._url,
                content=report.model_dump_json(),
                headers={
                    "Authorization": f"Bearer {self._token.get_secret_value()}",
                    "Content-Type": "application/json",
                },
            )
        except httpx.HTTPError as error:
            raise Transient(f"The orchestrator did not answer: {type(error).__name__}") from error
        if response.status_code in _SUPERSEDED:
            return ReportAnswer(command="abandon")
        return _answer(response)


def _answer(response: httpx.Response) -> ReportAnswer:
    if not response.is_success:
        raise Transient(f"The orchestrator answered HTTP {response.status_code}.")
    try:
        return ReportAnswer.model_validate_json(response.content)
    except ValidationError as error:
        raise Transient("The orchestrator's answer could not be read.") from error
