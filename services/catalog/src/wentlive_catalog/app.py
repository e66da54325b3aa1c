"""The web application, put together: API, pages, health, and the gate before all of it."""

from functools import cache
from typing import Any

from fastapi import APIRouter, Depends, FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from wentlive_common.health import Health, health_routes

from wentlive_catalog.api import (
    actions,
    audit,
    creators,
    exports,
    internal,
    links,
    recordings,
    retention,
    sessions,
    setup,
    stats,
    tokens,
    users,
)
from wentlive_catalog.api.context import Context, authorized
from wentlive_catalog.api.problems import Problem, add_problem_handlers
from wentlive_catalog.domain.rights import RIGHTS
from wentlive_catalog.gate import COOKIE, Gate
from wentlive_catalog.metrics import CatalogMetrics
from wentlive_catalog.web import pages

TITLE = "Wentlive catalog"
VERSION = "0.1.0"
DESCRIPTION = "Follow TikTok creators; watch, link and download what was recorded. Errors are RFC 9457 problems."


def build_app(context: Context, health: Health, metrics: CatalogMetrics, headers: dict[str, str]) -> FastAPI:
    app = FastAPI(
        title=TITLE,
        version=VERSION,
        description=DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/v1/openapi.json",
        # Its redirects would lead to whatever host the request named.
        redirect_slashes=False,
        middleware=[
            Middleware(Gate, access=context.access, trail=context.trail, metrics=metrics, headers=headers),
            # A long playlist repeats its link on every third line: it shrinks to a thirtieth. Streams are left alone.
            Middleware(GZipMiddleware, minimum_size=1024, compresslevel=5),
        ],
    )
    app.state.context = context
    app.include_router(_api(), dependencies=[Depends(authorized)])
    app.include_router(exports.feeds, dependencies=[Depends(authorized)])
    app.include_router(internal.router)
    app.router.routes.extend(health_routes(health))
    pages.add_pages(app)
    add_problem_handlers(app, pages.error_page)
    app.openapi = openapi_document  # pyright: ignore[reportAttributeAccessIssue] - FastAPI's documented way
    metrics.watch_streams(lambda: context.changes.listeners)
    return app


def _api() -> APIRouter:
    api = APIRouter(prefix="/api/v1")
    library = (creators, actions, recordings, links, stats, exports, retention)
    for part in (setup, sessions, tokens, users, audit, *library):
        api.include_router(part.router)
    return api


@cache
def openapi_document() -> dict[str, Any]:
    """The API as OpenAPI 3.1, with what FastAPI cannot know: problems instead of its error bodies, and the cookie."""
    routes = [*_api().routes, *exports.feeds.routes]
    document = get_openapi(title=TITLE, version=VERSION, description=DESCRIPTION, routes=routes)
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas |= problem.pop("$defs", {}) | {"Problem": problem}
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    document["components"]["securitySchemes"] = {
        "session": {"type": "apiKey", "in": "cookie", "name": COOKIE},
        "token": {"type": "http", "scheme": "bearer", "description": "An API token, made by `createToken`."},
    }
    for path in document["paths"].values():
        for operation in path.values():
            _say_who_may(operation)
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
