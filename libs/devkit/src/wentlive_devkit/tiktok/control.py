"""The simulator's control API: what tests, demos and benchmarks do to the world while it is served."""

from json import JSONDecodeError
from typing import TypeVar

from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from wentlive_common.model import Handle

from wentlive_devkit.tiktok.crowd import Crowd
from wentlive_devkit.tiktok.payloads import describe, describe_broadcast
from wentlive_devkit.tiktok.scenario import LiveScript
from wentlive_devkit.tiktok.script import Script
from wentlive_devkit.tiktok.traps import TrapScript
from wentlive_devkit.tiktok.world import Broadcast, World

_Script = TypeVar("_Script", bound=Script)


class RenameScript(Script):
    to: Handle


class Control:
    """Endpoints under `/_sim`."""

    def __init__(self, world: World, crowd: Crowd | None) -> None:
        self._world = world
        self._crowd = crowd

    def routes(self) -> list[Route]:
        return [
            Route("/_sim/state", self.state),
            Route("/_sim/begin", self.begin, methods=["POST"]),
            Route("/_sim/traps", self.traps, methods=["POST"]),
            Route("/_sim/crowd", self.crowd),
            Route("/_sim/crowd/reset", self.crowd_reset, methods=["POST"]),
            Route("/_sim/crowd/{handle}/{action}", self.crowd_control, methods=["POST"]),
            Route("/_sim/creators/{handle}/traps", self.traps, methods=["POST"]),
            Route("/_sim/creators/{handle}/rename", self.rename, methods=["POST"]),
            Route("/_sim/creators/{handle}/sent", self.sent),
            Route("/_sim/creators/{handle}/{action}", self.broadcast, methods=["POST"]),
        ]

    async def state(self, _request: Request) -> Response:
        return JSONResponse(describe(self._world))

    async def begin(self, _request: Request) -> Response:
        self._world.begin()
        return JSONResponse(describe(self._world))

    async def traps(self, request: Request) -> Response:
        """Replaces the switches of everybody or of one creator; an empty body turns them off."""
        handle = request.path_params.get("handle")
        if handle is not None:
            self._world.creator(handle)
        script = await _read(TrapScript, request)
        self._world.set_traps(script, handle)
        return JSONResponse(script.model_dump(mode="json"))

    async def rename(self, request: Request) -> Response:
        creator = self._world.rename(request.path_params["handle"], (await _read(RenameScript, request)).to)
        return JSONResponse({"creator_id": creator.user_id, "handle": creator.handle})

    async def broadcast(self, request: Request) -> Response:
        handle, action = request.path_params["handle"], request.path_params["action"]
        simple = {
            "end": self._world.end,
            "pause": self._world.pause,
            "resume": self._world.resume,
            "drop": self._world.drop,
            "reopen": self._world.reopen,
        }
        broadcast: Broadcast
        if action in ("go_live", "go_live_anew"):
            live = await _read(LiveScript, request)
            broadcast = self._world.go_live(handle, live, anew=action == "go_live_anew")
        elif action in simple:
            broadcast = simple[action](handle)
        else:
            raise HTTPException(404)
        return JSONResponse(describe_broadcast(broadcast, self._world.now()))

    async def sent(self, request: Request) -> Response:
        """What the viewers of the creator's last broadcast were sent."""
        broadcast = self._world.creator(request.path_params["handle"]).latest(self._world.now())
        return JSONResponse([viewing.describe() for viewing in broadcast.viewings] if broadcast else [])

    async def crowd(self, _request: Request) -> Response:
        return JSONResponse(self._the_crowd().describe())

    async def crowd_reset(self, _request: Request) -> Response:
        self._the_crowd().reset()
        return Response(status_code=204)

    async def crowd_control(self, request: Request) -> Response:
        crowd = self._the_crowd()
        number = crowd.number(request.path_params["handle"])
        match request.path_params["action"]:
            case "go_live" if number is not None:
                return JSONResponse({"room_id": crowd.go_live(number)})
            case "end" if number is not None:
                crowd.end(number)
                return Response(status_code=204)
            case _:
                raise HTTPException(404)

    def _the_crowd(self) -> Crowd:
        if self._crowd is None:
            raise HTTPException(404, detail="This scenario has no crowd.")
        return self._crowd


async def _read(shape: type[_Script], request: Request) -> _Script:
    try:
        return shape.model_validate(await request.json() if await request.body() else {})
    except (ValidationError, JSONDecodeError) as error:
        raise HTTPException(422, detail=str(error)) from error
