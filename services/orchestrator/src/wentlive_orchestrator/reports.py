"""The recorders' channel: a report comes in over HTTP, what to do comes back."""

import hmac
from collections.abc import Container
from datetime import datetime
from http import HTTPStatus

import structlog
from prometheus_client import Counter
from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from wentlive_common.blobs import part_blobs, recording_blobs
from wentlive_common.errors import Conflict, InvalidInput, NotFound, Transient, Unauthenticated, WentliveError
from wentlive_common.job import Report, ReportAnswer
from wentlive_common.logging import redact

from wentlive_orchestrator.domain import Attempt, Change, Recording, accepts, command_for, on_report
from wentlive_orchestrator.jobs import JobOffice, hash_token
from wentlive_orchestrator.ledger import RecordingLedger

log = structlog.get_logger(__name__)

MAX_BODY = 256 * 1024
STATUSES: tuple[tuple[type[WentliveError], HTTPStatus], ...] = (
    (InvalidInput, HTTPStatus.UNPROCESSABLE_ENTITY),
    (Unauthenticated, HTTPStatus.UNAUTHORIZED),
    (NotFound, HTTPStatus.NOT_FOUND),
    (Conflict, HTTPStatus.CONFLICT),
    (Transient, HTTPStatus.SERVICE_UNAVAILABLE),
)


class BodyTooLarge(InvalidInput):
    """A report has at most 256 KiB."""


class ForeignBlob(InvalidInput):
    """The report names a blob that its job holds no grant for."""


class Superseded(Conflict):
    """This attempt is over. Leave at once."""


class Busy(Transient):
    """Too much happens to this recording at once. Report again."""


class ReportDesk:
    """Takes reports: who may say it, what becomes of the recording, what the recorder is told."""

    def __init__(
        self, ledger: RecordingLedger, jobs: JobOffice, answers: Counter, finishing: Container[str] = ()
    ) -> None:
        """`finishing` names the recorders that are to finish although their recording goes on."""
        self._finishing = finishing
        self._ledger = ledger
        self._jobs = jobs
        self._answers = answers

    def routes(self) -> list[Route]:
        path = "/v1/recordings/{recording_id}/attempts/{attempt:int}/reports"
        return [Route(path, self._endpoint, methods=["POST"])]

    async def _endpoint(self, request: Request) -> Response:
        recording_id, number = str(request.path_params["recording_id"]), int(request.path_params["attempt"])
        with structlog.contextvars.bound_contextvars(recording_id=recording_id, attempt=number):
            try:
                await self._authenticated(recording_id, number, request.headers.get("authorization", ""))
                answer = await self.take(recording_id, number, await _read_report(request))
            except WentliveError as error:
                status = status_of(error)
                self._answers.labels(str(status.value)).inc()
                log.warning("report_refused", status=status.value, reason=error.message)
                return problem(status, error.message)
        self._answers.labels(answer.command).inc()
        headers = {"cache-control": "no-store"}
        return Response(answer.to_secret_json(), media_type="application/json", headers=headers)

    async def _authenticated(self, recording_id: str, number: int, authorization: str) -> None:
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise Unauthenticated("A report needs the job's token.")
        attempt = _attempt(await self._ledger.store.get(recording_id), number)
        if not hmac.compare_digest(hash_token(token.strip()), attempt.token_hash):
            raise Unauthenticated("This is not the token of this attempt's job.")

    async def take(self, recording_id: str, number: int, report: Report) -> ReportAnswer:
        """Raises `Superseded` when nothing that this attempt says matters any more."""
        refused = False

        def decide(recording: Recording, now: datetime) -> Change:
            nonlocal refused
            refused = not accepts(recording, _attempt(recording, number), report)
            _check_blobs(recording, number, report)
            return on_report(recording, number, report, now, self._ledger.policy)

        try:
            recording = await self._ledger.change(recording_id, decide)
        except Conflict as error:
            raise Busy from error
        if refused:
            raise Superseded
        attempt = _attempt(recording, number)
        command = command_for(recording, attempt, self._ledger.now(), self._ledger.policy)
        if command == "continue" and attempt.name in self._finishing:
            command = "finish"
        supplied = command != "abandon" and attempt.active
        grants = await self._jobs.top_up(recording, attempt, report) if supplied else ()
        return ReportAnswer(command=command, grants=grants)


def _attempt(recording: Recording | None, number: int) -> Attempt:
    attempt = recording.attempt(number) if recording else None
    if attempt is None:
        raise NotFound("There is no such attempt.")
    return attempt


def _check_blobs(recording: Recording, number: int, report: Report) -> None:
    """People get links to what a report names: another recording's blob must not be among it."""
    reported = [(number, part) for part in report.parts]
    reported += [(salvaged.attempt, salvaged.report) for salvaged in report.salvaged if salvaged.report]
    for attempt, part in reported:
        own = part_blobs(recording.blob_prefix, attempt, part.part)
        preview = recording_blobs(recording.blob_prefix, attempt).preview
        named = (part.blob, part.index_blob, part.poster_blob or own.poster, part.storyboard_blob or own.storyboard)
        named += (part.storyboard_track_blob or own.storyboard_track, part.preview_blob or preview)
        if named != (*own, preview):
            raise ForeignBlob
    if any(salvaged.report and salvaged.report.part != salvaged.part for salvaged in report.salvaged):
        raise ForeignBlob


async def _read_report(request: Request) -> Report:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY:
            raise BodyTooLarge
    try:
        report = Report.model_validate_json(bytes(body))
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'body'}: {e['type']}" for e in error.errors()[:5])
        raise InvalidInput(f"The report is not as its schema says: {faults}") from error
    # The reason may quote a stream's or a blob's URL, and people will read it.
    return report.model_copy(
        update={
            "reason": redact(report.reason) if report.reason else None,
            "salvaged": tuple(
                salvaged.model_copy(update={"problem": redact(salvaged.problem) if salvaged.problem else None})
                for salvaged in report.salvaged
            ),
        }
    )


def status_of(error: WentliveError) -> HTTPStatus:
    """What an error is in HTTP."""
    return next((status for kind, status in STATUSES if isinstance(error, kind)), HTTPStatus.INTERNAL_SERVER_ERROR)


def problem(status: HTTPStatus, detail: str) -> Response:
    """An error as RFC 9457 wants it."""
    body = {"type": "about:blank", "title": status.phrase, "status": status.value, "detail": detail}
    headers = {"www-authenticate": "Bearer"} if status is HTTPStatus.UNAUTHORIZED else None
    return JSONResponse(body, status_code=status, media_type="application/problem+json", headers=headers)
