"""The web application, put together: API, pages, health, and the gate before all of it."""

from functools import cache
from typing import Any

from fastapi import APIRouter, Depends, FastAPI
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from wentlive_common.health import Health, health_routes

from wentlive_catalog.api import (
    actions,
    audit,
    clips,
    creators,
    exports,
    internal,
    links,
    notifications,
    recordings,
    retention,
    sessions,
    setup,
    stats,
    tokens,
    users,
)
from wentlive_catalog.api.context import Context, authorized
from wentlive_catalog.api.document import DESCRIPTION, TITLE, VERSION, document_of
from wentlive_catalog.api.problems import add_problem_handlers
from wentlive_catalog.domain.answers import ANSWERS
from wentlive_catalog.gate import Gate
from wentlive_catalog.idempotency import Idempotency
from wentlive_catalog.metrics import CatalogMetrics
from wentlive_catalog.web import pages


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
            Middleware(GZipMiddleware, minimum_size=1024, compresslevel=1),
            Middleware(Idempotency, answers=context.store.documents(ANSWERS), clock=context.clock),
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
    library = (creators, actions, recordings, clips, links, stats, exports, retention, notifications)
    for part in (setup, sessions, tokens, users, audit, *library):
        api.include_router(part.router)
    return api


@cache
def openapi_document() -> dict[str, Any]:
    """The API as OpenAPI 3.1."""
    routes = [*_api().routes, *exports.feeds.routes]
    return document_of(routes)
