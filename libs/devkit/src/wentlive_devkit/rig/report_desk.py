"""The orchestrator's end of the report channel, for as many recorders as there are."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Self

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from wentlive_common.health import serve_http
from wentlive_common.job import PartReport, Report, ReportAnswer

TOKEN = "job-token"  # noqa: S105 - of a world that is made for one test


@dataclass
class Receiver:
    """What one recorder reported, and what it is answered."""

    url: str = ""
    reports: list[Report] = field(default_factory=list[Report])
    answer: ReportAnswer = field(default_factory=ReportAnswer)
    parts: dict[int, PartReport] = field(default_factory=dict[int, PartReport])

    @property
    def last(self) -> Report:
        return self.reports[-1]

    def take(self, report: Report) -> None:
        self.reports.append(report)
        self.parts.update({part.part: part for part in report.parts})


class ReportDesk:
    """`async with ReportDesk.open() as desk: receiver = desk.receiver()`."""

    def __init__(self) -> None:
        self._url = ""
        self._receivers: dict[str, Receiver] = {}

    @classmethod
    @asynccontextmanager
    async def open(cls) -> AsyncGenerator[Self]:
        desk = cls()
        app = Starlette(routes=[Route("/report/{name}", desk._receive, methods=["POST"])])
        async with serve_http(app, "127.0.0.1", 0, drain_seconds=1) as port:
            desk._url = f"http://127.0.0.1:{port}/report"
            yield desk

    def receiver(self) -> Receiver:
        name = str(len(self._receivers) + 1)
        self._receivers[name] = Receiver(f"{self._url}/{name}")
        return self._receivers[name]

    async def _receive(self, request: Request) -> Response:
        if request.headers.get("authorization") != f"Bearer {TOKEN}":
            return Response(status_code=401)
        receiver = self._receivers[request.path_params["name"]]
        receiver.take(Report.model_validate_json(await request.body()))
        return Response(receiver.answer.to_secret_json(), media_type="application/json")
