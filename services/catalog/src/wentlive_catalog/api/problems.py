"""Every error as `application/problem+json` (RFC 9457), the framework's own included."""

import re
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from wentlive_common.errors import (
    Conflict,
    Forbidden,
    InvalidInput,
    NotFound,
    Transient,
    Unauthenticated,
    WentliveError,
)

from wentlive_catalog.api.shapes import Output
from wentlive_catalog.domain.sessions import TooManyTries

log = structlog.get_logger(__name__)

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:wentlive:problem:"


class PreconditionFailed(Conflict):
    """It was changed since you read it: read it again, then decide anew."""


STATUS: tuple[tuple[type[WentliveError], int], ...] = (
    (TooManyTries, 429),
    (PreconditionFailed, 412),
    (InvalidInput, 422),
    (NotFound, 404),
    (Conflict, 409),
    (Unauthenticated, 401),
    (Forbidden, 403),
    (Transient, 503),
)


class Fault(Output):
    """One field that was not as it should be; its value is never repeated."""

    where: str
    message: str


class Problem(Output):
    """What went wrong, in words for people."""

    type: str = "about:blank"
    """What programs tell problems apart by: `urn:wentlive:problem:` and a name; each is listed in docs/api.md."""
    title: str
    status: int
    detail: str
    errors: list[Fault] | None = None


def problem_response(
    status: int, detail: str, *, slug: str | None = None, errors: list[Fault] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:  # fmt: skip
    kind = TYPE_PREFIX + slug if slug else "about:blank"
    problem = Problem(type=kind, title=HTTPStatus(status).phrase, status=status, detail=detail, errors=errors)
    body = problem.model_dump(exclude_none=True)
    return JSONResponse(body, status, headers=dict(headers or {}), media_type=MEDIA_TYPE)


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """`responses=` for a route that may answer so; 401 and 403 come with every route behind the gate."""
    return {
        status: {
            "description": HTTPStatus(status).phrase,
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status in sorted({401, 403, *statuses})
    }


def status_of(error: WentliveError) -> int:
    return next((status for kind, status in STATUS if isinstance(error, kind)), 500)


def slug_of(error: type[WentliveError]) -> str:
    """`NoSuchRecording` is `no-such-recording`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "-", error.__name__).lower()


def problem_of(error: WentliveError) -> Problem:
    status = status_of(error)
    kind = TYPE_PREFIX + slug_of(type(error))
    return Problem(type=kind, title=HTTPStatus(status).phrase, status=status, detail=error.message)


def answer_to(error: WentliveError) -> Response:
    return problem_response(
        status_of(error), error.message, slug=slug_of(type(error)), headers=retry_headers(error)
    )  # fmt: skip


def retry_headers(error: WentliveError) -> dict[str, str]:
    return {"retry-after": str(error.retry_after)} if isinstance(error, TooManyTries) else {}


def faults(error: RequestValidationError) -> list[Fault]:
    return [
        Fault(where=".".join(str(step) for step in fault["loc"]), message=str(fault["msg"]))
        for fault in error.errors()[:20]
    ]


ErrorPage = Callable[[Request, int, str, str], Response]
"""Shows an error to a person: the request, the status, its name, and what happened."""


def add_problem_handlers(app: FastAPI, error_page: ErrorPage) -> None:
    """Programs get problems; a browser that asked for a page gets one."""

    def answer(
        request: Request, status: int, detail: str, *, slug: str | None = None, found: list[Fault] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Response:  # fmt: skip
        if not _wants_page(request):
            return problem_response(status, detail, slug=slug, errors=found, headers=headers)
        page = error_page(request, status, HTTPStatus(status).phrase, detail)
        page.headers.update(headers or {})
        return page

    async def on_ours(request: Request, error: Exception) -> Response:
        ours = error if isinstance(error, WentliveError) else WentliveError()
        status = status_of(ours)
        if status == HTTPStatus.INTERNAL_SERVER_ERROR:
            log.error("request_failed", exc_info=error)
        return answer(request, status, ours.message, slug=slug_of(type(ours)), headers=retry_headers(ours))

    async def on_invalid(request: Request, error: Exception) -> Response:
        found = faults(error) if isinstance(error, RequestValidationError) else []
        return answer(request, 422, "The request is not as it should be.", slug="invalid-request", found=found)

    async def on_http(request: Request, error: Exception) -> Response:
        http = error if isinstance(error, HTTPException) else HTTPException(500)
        return answer(request, http.status_code, WORDS.get(http.status_code, http.detail), headers=http.headers)

    async def on_bug(request: Request, _error: Exception) -> Response:
        # Starlette raises it on to the server's log afterwards; the answer itself tells nothing of the inside.
        return answer(request, 500, "Something broke on our side. It was written to the log.")

    app.add_exception_handler(WentliveError, on_ours)
    app.add_exception_handler(RequestValidationError, on_invalid)
    app.add_exception_handler(HTTPException, on_http)
    app.add_exception_handler(Exception, on_bug)


def _wants_page(request: Request) -> bool:
    is_api = request.url.path.startswith(("/api/", "/feeds/", "/internal/"))
    return not is_api and "text/html" in request.headers.get("accept", "")


WORDS = {
    400: "The body cannot be read: send JSON in UTF-8.",
    404: "There is nothing at this address.",
    405: "This address does not take that method.",
}
