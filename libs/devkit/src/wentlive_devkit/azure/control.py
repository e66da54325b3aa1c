"""The simulated Azure's control API: what tests and demos do to it while it is served."""

from typing import TypeVar

from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from wentlive_devkit.azure.script import Fate, Fault, Pace, Quotas
from wentlive_devkit.azure.subscription import Subscription
from wentlive_devkit.tiktok.script import Script

_Script = TypeVar("_Script", bound=Script)
MAINTENANCE = 7147


class Control:
    """Endpoints under `/_sim`."""

    def __init__(self, subscription: Subscription) -> None:
        self._subscription = subscription

    def routes(self) -> list[Route]:
        return [
            Route("/_sim/state", self.state, methods=["GET"]),
            Route("/_sim/faults", self.fault, methods=["POST"]),
            Route("/_sim/fates", self.fate, methods=["POST"]),
            Route("/_sim/heal", self.heal, methods=["POST"]),
            Route("/_sim/pace", self.pace, methods=["POST"]),
            Route("/_sim/quotas", self.quotas, methods=["POST"]),
            Route("/_sim/groups/{name}/{action}", self.act, methods=["POST"]),
        ]

    async def state(self, _request: Request) -> Response:
        """Everything that exists, and all that was ever asked for, without a secret."""
        world = self._subscription
        return JSONResponse(
            {
                "groups": [
                    {
                        "name": g.name,
                        "region": g.asked.region,
                        "state": g.state,
                        "deleting": g.deleting,
                        "pid": g.process.pid,
                    }
                    for g in world.groups.values()
                ],
                "created": [{"name": c.name, "region": c.region, "tags": c.tags, "at": c.at} for c in world.created],
                "updated": world.updated,
                "deletes": world.deletes,
            }
        )

    async def fault(self, request: Request) -> Response:
        self._subscription.plan(await _read(Fault, request))
        return Response(status_code=204)

    async def fate(self, request: Request) -> Response:
        self._subscription.plan_fate(await _read(Fate, request))
        return Response(status_code=204)

    async def heal(self, _request: Request) -> Response:
        self._subscription.heal()
        return Response(status_code=204)

    async def pace(self, request: Request) -> Response:
        self._subscription.pace = await _read(Pace, request)
        return Response(status_code=204)

    async def quotas(self, request: Request) -> Response:
        self._subscription.quotas = await _read(Quotas, request)
        return Response(status_code=204)

    async def act(self, request: Request) -> Response:
        """`kill` is a crash of its container, `maintenance` the platform's own."""
        name, action = request.path_params["name"], request.path_params["action"]
        group = next((g for g in self._subscription.groups.values() if g.name == name), None)
        if group is None or action not in ("kill", "maintenance"):
            raise HTTPException(404)
        group.end(MAINTENANCE if action == "maintenance" else None)
        return Response(status_code=204)


async def _read(kind: type[_Script], request: Request) -> _Script:
    try:
        return kind.model_validate_json(await request.body() or b"{}")
    except ValidationError as error:
        raise HTTPException(422, str(error)) from error
