"""Signing in and out."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from wentlive_catalog.api.context import Asker, Here
from wentlive_catalog.api.cookies import address_of, drop_session_cookie, set_session_cookie
from wentlive_catalog.api.problems import documented
from wentlive_catalog.api.schemas import SessionOut, SignIn

router = APIRouter(prefix="/session", tags=["session"])


@router.post("", operation_id="signIn", status_code=201, responses=documented(422, 429))
async def sign_in(body: SignIn, request: Request, response: Response, here: Here) -> SessionOut:
    """Opens a session and sets its cookie."""
    token, session = await here.access.sign_in(body.username, body.password, address_of(request))
    set_session_cookie(response, request, here, token, session)
    return SessionOut(username=session.username, expires_at=session.expires_at)


@router.get("", operation_id="getSession", responses=documented())
async def get_session(asker: Asker) -> SessionOut:
    """Who is asking."""
    return SessionOut(username=asker.username, expires_at=asker.expires_at)


@router.delete("", operation_id="signOut", status_code=204, responses=documented())
async def sign_out(asker: Asker, request: Request, here: Here) -> Response:
    """Closes the session; its cookie is worthless from now on."""
    await here.access.sign_out(asker)
    response = Response(status_code=204)
    drop_session_cookie(response, request, here)
    return response
