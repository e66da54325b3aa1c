"""The simulated Resource Manager over HTTP: container groups as the SDK asks for them, with a control API beside."""

import asyncio
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send
from wentlive_common.health import serve_http

from wentlive_devkit.azure import refusals
from wentlive_devkit.azure.control import Control
from wentlive_devkit.azure.refusals import Refused
from wentlive_devkit.azure.script import Fault, Operation, Pace, Quotas
from wentlive_devkit.azure.subscription import Subscription
from wentlive_devkit.tiktok.delivery import breaking_off_is_no_error

HOST = "127.0.0.1"
RECORDER = (sys.executable, "-P", "-m", "wentlive_recorder")
SCOPE = "/subscriptions/{subscription}"
PROVIDER = "providers/Microsoft.ContainerInstance"
GROUPS = SCOPE + "/resourceGroups/{resource_group}/" + PROVIDER + "/containerGroups"
GROUP = GROUPS + "/{name}"
Handler = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class ArmSimulator:
    """A running simulator; `subscription` is moved by hand, or through the control API."""

    base_url: str
    subscription: Subscription

    @classmethod
    @asynccontextmanager
    async def start(
        cls,
        folder: Path,
        *,
        port: int = 0,
        command: Sequence[str] = RECORDER,
        pace: Pace | None = None,
        quotas: Quotas | None = None,
        routes: Sequence[BaseRoute] = (),
    ) -> AsyncGenerator[Self]:
        """Serves on 127.0.0.1 while the body runs; `command` is what runs in every container."""
        subscription = Subscription(folder, command, pace or Pace(), quotas or Quotas())
        app = Starlette(routes=[*_Arm(subscription).routes(), *Control(subscription).routes(), *routes])
        async with AsyncExitStack() as stack:
            stack.enter_context(breaking_off_is_no_error())
            stack.push_async_callback(subscription.close)
            bound = await stack.enter_async_context(serve_http(app, HOST, port, drain_seconds=1))
            yield cls(base_url=f"http://{HOST}:{bound}", subscription=subscription)


class BrokenOff:
    """What was asked for has been done, but its answer never arrives."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"1000")]})
        await send({"type": "http.response.body", "body": b"{", "more_body": True})


class _Arm:
    def __init__(self, subscription: Subscription) -> None:
        self._subscription = subscription

    def routes(self) -> list[Route]:
        locations = f"{SCOPE}/{PROVIDER}/locations/{{region}}"
        return [
            Route(GROUPS, self._guarded("list", self.list), methods=["GET"]),
            Route(GROUP, self._guarded("create", self.create), methods=["PUT"]),
            Route(GROUP, self._guarded("read", self.read), methods=["GET"]),
            Route(GROUP, self._guarded("delete", self.delete), methods=["DELETE"]),
            Route(f"{GROUP}/stop", self._guarded("stop", self.stop), methods=["POST"]),
            Route(f"{GROUP}/containers/{{container}}/logs", self._guarded("logs", self.logs), methods=["GET"]),
            Route(f"{locations}/operations/{{operation}}", self._guarded("read", self.operation), methods=["GET"]),
            Route(f"{locations}/usages", self._guarded("usages", self.usages), methods=["GET"]),
        ]

    def _guarded(self, operation: Operation, handler: Handler) -> Callable[[Request], Awaitable[ASGIApp]]:
        """Meets the scripted faults, and turns refusals into answers."""

        async def endpoint(request: Request) -> Any:
            try:
                _check_access(request)
                region = (await request.json()).get("location") if operation == "create" else None
                fault = self._subscription.fault(operation, region)
                return await self._answered(request, handler, fault, region or "")
            except Refused as refused:
                return refused.response()

        return endpoint

    async def _answered(self, request: Request, handler: Handler, fault: Fault | None, region: str) -> ASGIApp:
        if fault is None:
            return await handler(request)
        if fault.trouble == "lost_answer":
            await handler(request)
            return BrokenOff()
        if fault.trouble == "slow":
            await asyncio.sleep(fault.seconds)
            return await handler(request)
        raise refusals.scripted(fault.trouble, request.path_params.get("name", ""), region, fault.seconds)

    async def create(self, request: Request) -> Response:
        where, name = _named(request)
        group, new, headers = self._subscription.create(where, name, request.url.path, await request.json())
        body = group.described()
        if self._subscription.pace.create:
            await asyncio.sleep(self._subscription.pace.create)
        if new:
            headers["Azure-AsyncOperation"] = self._operation_url(request, group.asked.region, headers.pop("operation"))
        return JSONResponse(body, 201 if new else 200, headers=headers)

    async def read(self, request: Request) -> Response:
        return JSONResponse(self._subscription.find(*_named(request)).described())

    async def list(self, request: Request) -> Response:
        where, size = request.path_params["resource_group"], self._subscription.pace.page
        start = int(request.query_params.get("$skiptoken", "0"))
        groups = self._subscription.of(where)
        page = [group.described(with_views=False) for group in groups[start : start + size]]
        body: dict[str, Any] = {"value": page}
        if start + size < len(groups):
            body["nextLink"] = str(request.url.include_query_params(**{"$skiptoken": start + size}))
        return JSONResponse(body)

    async def delete(self, request: Request) -> Response:
        group, headers = self._subscription.delete(*_named(request))
        if group is None:
            return Response(status_code=204, headers=headers)
        headers["Azure-AsyncOperation"] = self._operation_url(request, group.asked.region, "deletion")
        return Response(status_code=202, headers=headers)

    async def stop(self, request: Request) -> Response:
        self._subscription.find(*_named(request)).end()
        return Response(status_code=204)

    async def logs(self, request: Request) -> Response:
        group = self._subscription.find(*_named(request))
        names = [container.name for container in group.asked.properties.containers]
        if request.path_params["container"] not in names:
            raise refusals.invalid(f"The container '{request.path_params['container']}' does not exist.")
        tail = request.query_params.get("tail")
        return JSONResponse({"content": group.process.log(int(tail) if tail else None)})

    async def operation(self, request: Request) -> Response:
        group = self._subscription.operations.get(request.path_params["operation"])
        if group is None:
            raise Refused(404, "ResourceNotFound", "The operation was not found.")
        return JSONResponse(group.operation())

    async def usages(self, request: Request) -> Response:
        return JSONResponse({"value": self._subscription.usages(request.path_params["region"].lower())})

    def _operation_url(self, request: Request, region: str, operation: str) -> str:
        subscription = request.path_params["subscription"]
        path = f"subscriptions/{subscription}/{PROVIDER}/locations/{region}/operations/{operation}"
        return f"{request.base_url}{path}?api-version=2018-06-01"


def _named(request: Request) -> tuple[str, str]:
    return request.path_params["resource_group"], request.path_params["name"]


def _check_access(request: Request) -> None:
    if not request.headers.get("authorization", "").startswith("Bearer "):
        raise Refused(401, "AuthenticationFailed", "Authentication failed. The 'Authorization' header is missing.")
    if "api-version" not in request.query_params:
        message = "The api-version query parameter (?api-version=) is required for all requests."
        raise Refused(400, "MissingApiVersionParameter", message)
