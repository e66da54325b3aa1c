"""The API's OpenAPI document, with what FastAPI cannot know: problems, who may, and what every request may meet."""

from collections.abc import Sequence
from typing import Any

from fastapi.openapi.utils import get_openapi
from starlette.routing import BaseRoute

from wentlive_catalog.api.examples import PARAMETERS, SHAPES
from wentlive_catalog.api.problems import Problem, documented
from wentlive_catalog.domain.rights import RIGHTS
from wentlive_catalog.gate import COOKIE
from wentlive_catalog.idempotency import LONGEST_KEY

TITLE = "Wentlive catalog"
VERSION = "0.1.0"
DESCRIPTION = """Follow TikTok creators; watch, link and download what was recorded.

Errors are RFC 9457 problems; programs tell them apart by `type`. Programs send an API token (`createToken`) as
`Authorization: Bearer`. Moments are RFC 3339 in UTC, sizes bytes, durations seconds, ids ULIDs, which sort by time.
"""
IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key", "in": "header", "required": False,
    "schema": {"type": "string", "minLength": 1, "maxLength": LONGEST_KEY},
    "description": (
        "A name of your own for this request. Asked again with the same one within a day, it is not carried out again: "
        "the first answer is given once more. An answer that told a secret is not: then it is a 409."
    ),
}  # fmt: skip


def document_of(routes: Sequence[BaseRoute]) -> dict[str, Any]:
    document = get_openapi(title=TITLE, version=VERSION, description=DESCRIPTION, routes=list(routes))
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas |= problem.pop("$defs", {}) | {"Problem": problem}
    for name, example in SHAPES.items():
        schemas[name]["examples"] = [example]
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    document["components"]["securitySchemes"] = {
        "session": {"type": "apiKey", "in": "cookie", "name": COOKIE},
        "token": {"type": "http", "scheme": "bearer", "description": "An API token, made by `createToken`."},
    }
    for path in document["paths"].values():
        for method, operation in path.items():
            _say_who_may(operation)
            _say_what_else(method, operation)
    return document


def _say_who_may(operation: dict[str, Any]) -> None:
    right = RIGHTS[operation["operationId"]]
    if right.role is None:
        operation["security"] = []
        return
    operation["security"] = [{"session": []}] + ([{"token": []}] if right.scope else [])
    operation["x-role"] = right.role
    by_token = f" A token needs the scope `{right.scope}`." if right.scope else " Not with an API token."
    operation["description"] = f"{operation.get('description', '')}\n\nFor: {right.role}.{by_token}".strip()


def _say_what_else(method: str, operation: dict[str, Any]) -> None:
    """Answers that come from before the operation itself: the gate, the store, a repeated request."""
    for parameter in operation.get("parameters", ()):
        if parameter["in"] == "path":
            parameter["example"] = PARAMETERS[parameter["name"]]
    statuses = {503, *([400, 413] if "requestBody" in operation else [])}
    if method == "post" and operation["security"]:
        statuses |= {409, 422}
        operation.setdefault("parameters", []).append(IDEMPOTENCY_KEY)
    for status, answer in documented(*statuses).items():
        operation["responses"].setdefault(str(status), answer)
