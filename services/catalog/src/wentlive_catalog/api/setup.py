"""First run: whoever installed it makes the first admin."""

from typing import Annotated

from fastapi import APIRouter, Request
from pydantic import Field, SecretStr
from starlette.responses import Response

from wentlive_catalog.api.context import Here, note
from wentlive_catalog.api.cookies import address_of, is_this_machine, set_session_cookie
from wentlive_catalog.api.problems import documented
from wentlive_catalog.api.sessions import SessionOut, session_out
from wentlive_catalog.api.shapes import Input, Output
from wentlive_catalog.domain.users import Password, Username

router = APIRouter(prefix="/setup", tags=["setup"])


class SetupOut(Output):
    needed: bool
    """Whether there is nobody yet who could sign in."""


class SetupIn(Input):
    username: Annotated[Username, Field(examples=["admin"])]
    password: Annotated[Password, Field(examples=["correct horse battery staple"])]
    code: Annotated[SecretStr, Field(max_length=200)] = SecretStr("")
    """That of `WENTLIVE_CATALOG_SETUP_CODE`; not needed on the machine that the catalog runs on, if none is set."""


@router.get("", operation_id="getSetup", responses=documented())
async def get_setup(here: Here) -> SetupOut:
    """Whether this installation waits for its first admin."""
    return SetupOut(needed=await here.people.is_empty())


@router.post("", operation_id="setUp", status_code=201, responses=documented(409, 422, 429))
async def set_up(body: SetupIn, request: Request, response: Response, here: Here) -> SessionOut:
    """Makes the first admin and signs them in. Works once."""
    note(request, username=body.username)
    await here.people.set_up(
        body.username, body.password, body.code, here.setup_code, address_of(request), here=is_this_machine(request)
    )  # fmt: skip
    password = SecretStr(body.password)
    agent = request.headers.get("user-agent", "")
    token, session = await here.access.sign_in(body.username, password, address_of(request), agent)
    set_session_cookie(response, request, here, token, session)
    return session_out(await here.people.user(session.username), session.expires_at)
