"""The same three questions for every service: `/livez`, `/readyz` and `/metrics`.

`/livez` asks nothing but whether the event loop turns. `/readyz` runs the named checks and answers 503 when one
fails; with `?verbose` it says which. The shape of the answer borrows from the expired health+json draft.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator

import structlog
import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from wentlive_common.errors import Transient, WentliveError

log = structlog.get_logger(__name__)

Check = Callable[[], Awaitable[bool]]
CHECK_TIMEOUT = 3.0


class Health:
    """What a service needs to be of use, by name, and the numbers it counts."""

    def __init__(self, service: str, metrics: CollectorRegistry | None = None) -> None:
        self.service = service
        self.metrics = metrics or CollectorRegistry()
        self._checks: dict[str, Check] = {}
        self._stopping = False

    def add(self, name: str, check: Check) -> None:
        """`check` answers whether the dependency works now; raising or taking over 3 s counts as no."""
        self._checks[name] = check

    def stopping(self) -> None:
        """From now on the service is not ready, so that nothing new is sent to it."""
        self._stopping = True

    async def run_checks(self) -> dict[str, bool]:
        results = await asyncio.gather(*(_passes(name, check) for name, check in self._checks.items()))
        return dict(zip(self._checks, results, strict=True)) | ({"stopping": False} if self._stopping else {})


async def _passes(name: str, check: Check) -> bool:
    try:
        return await asyncio.wait_for(check(), CHECK_TIMEOUT)
    except Exception as error:
        # A check stands at the edge of everything it asks; whatever goes wrong there means "not ready".
        log.warning("health_check_failed", check=name, error=str(error), kind=type(error).__name__)
        return False


def health_routes(health: Health) -> list[Route]:
    """`/livez`, `/readyz` and `/metrics`, to mount beside a service's own routes."""

    async def livez(_request: Request) -> Response:
        return JSONResponse({"status": "pass", "service": health.service})

    async def readyz(request: Request) -> Response:
        checks = await health.run_checks()
        ready = all(checks.values())
        body: dict[str, object] = {"status": "pass" if ready else "fail", "service": health.service}
        if "verbose" in request.query_params:
            body["checks"] = {name: "pass" if passed else "fail" for name, passed in checks.items()}
        return JSONResponse(body, status_code=200 if ready else 503, headers={"cache-control": "no-store"})

    async def metrics(_request: Request) -> Response:
        return Response(generate_latest(health.metrics), media_type=CONTENT_TYPE_LATEST)

    return [Route("/livez", livez), Route("/readyz", readyz), Route("/metrics", metrics)]


def health_app(health: Health) -> Starlette:
    return Starlette(routes=health_routes(health))


class PortTaken(Transient):
    """The address is in use: stop what holds it, or set another port."""


@contextlib.asynccontextmanager
async def serve_http(app: ASGIApp, host: str, port: int, *, drain_seconds: int = 5) -> AsyncGenerator[int]:
    """Serves `app` while the body runs and yields the port (a free one when `port` is 0).

    Leaving the body stops accepting, gives open requests `drain_seconds`, then closes them. Signals stay ours.
    """
    config = uvicorn.Config(
        app, host=host, port=port, log_config=None, access_log=False, timeout_graceful_shutdown=drain_seconds,
        timeout_keep_alive=30, server_header=False, date_header=True, ws="none",
    )  # fmt: skip
    server = _Server(config)
    task = asyncio.create_task(server.serve_quietly(), name="http")
    while not server.started:
        if task.done():
            await task
            raise WentliveError("The HTTP server ended before it began to serve.")
        await asyncio.sleep(0.005)
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        await task


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        """Uvicorn would take SIGINT and SIGTERM from us."""
        yield

    async def serve_quietly(self) -> None:
        try:
            await self.serve()
        except SystemExit as error:
            raise PortTaken(f"Port {self.config.port} on {self.config.host} cannot be opened: is it in use?") from error
