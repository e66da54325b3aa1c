"""Signing in and out, and what is one's own: sessions, password."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path, Request
from pydantic import Field, SecretStr
from starlette.responses import Response
from wentlive_common.model import UtcDatetime

from wentlive_catalog.api.context import Asker, Here, note
from wentlive_catalog.api.cookies import address_of, drop_session_cookie, set_session_cookie
from wentlive_catalog.api.problems import documented
from wentlive_catalog.api.shapes import Input, Output
from wentlive_catalog.domain.sessions import Session
from wentlive_catalog.domain.tokens import Scope
from wentlive_catalog.domain.users import LONGEST_PASSWORD, Password, Role, User

router = APIRouter(tags=["session"])


class SignIn(Input):
    username: Annotated[str, Field(max_length=100, examples=["admin"])]
    password: Annotated[SecretStr, Field(max_length=LONGEST_PASSWORD, examples=["correct horse battery staple"])]


class SessionOut(Output):
    username: str
    role: Role
    scopes: list[Scope] | None
    """Of the API token that asked; null for somebody who signed in, who may all that the role may."""
    expires_at: UtcDatetime


class OpenSessionOut(Output):
    session_id: str
    created_at: UtcDatetime
    expires_at: UtcDatetime
    address: str
    agent: str
    """What the browser called itself."""
    current: bool
    """Whether it is the one that asks."""


class SessionList(Output):
    items: list[OpenSessionOut]


class PasswordIn(Input):
    current: Annotated[SecretStr, Field(max_length=LONGEST_PASSWORD)]
    wanted: Annotated[Password, Field(examples=["correct horse battery staple"])]


@router.post("/session", operation_id="signIn", status_code=201, responses=documented(422, 429))
async def sign_in(body: SignIn, request: Request, response: Response, here: Here) -> SessionOut:
    """Opens a session and sets its cookie. Programs better use an API token."""
    note(request, username=body.username)
    agent = request.headers.get("user-agent", "")
    token, session = await here.access.sign_in(body.username, body.password, address_of(request), agent)
    set_session_cookie(response, request, here, token, session)
    return session_out(await here.people.user(session.username), session.expires_at)


@router.get("/session", operation_id="getSession", responses=documented())
async def get_session(asker: Asker) -> SessionOut:
    """Who is asking."""
    return session_out(asker.user, asker.expires_at, asker.scopes)


@router.delete("/session", operation_id="signOut", status_code=204, responses=documented())
async def sign_out(asker: Asker, request: Request, here: Here) -> Response:
    """Closes the session; its cookie is worthless from now on."""
    if asker.session:
        await here.access.sign_out(asker.session)
    response = Response(status_code=204)
    drop_session_cookie(response, request, here)
    return response


@router.put("/session/password", operation_id="changePassword", status_code=204, responses=documented(409, 422))
async def change_password(body: PasswordIn, asker: Asker, here: Here) -> Response:
    """Changes your own password; your other sessions end, your API tokens stay."""
    await here.people.change_password(asker.user, body.current.get_secret_value(), body.wanted, asker.session)
    return Response(status_code=204)


@router.get("/sessions", operation_id="listSessions", responses=documented())
async def list_sessions(asker: Asker, here: Here) -> SessionList:
    """Where you are signed in, the newest first."""
    found = await here.access.sessions(asker.username)
    return SessionList(items=[_open_session_out(session, asker.session) for session in found])


@router.delete("/sessions/{session_id}", operation_id="closeSession", status_code=204, responses=documented(404, 422))
async def close_session(
    session_id: Annotated[str, Path(pattern=r"^[0-9a-f]{16}$")], asker: Asker, here: Here
) -> Response:  # fmt: skip
    """Signs you out somewhere else."""
    await here.access.close_session(asker.username, session_id)
    return Response(status_code=204)


def session_out(user: User, expires_at: datetime, scopes: tuple[Scope, ...] | None = None) -> SessionOut:
    told = None if scopes is None else list(scopes)
    return SessionOut(username=user.username, role=user.role, scopes=told, expires_at=expires_at)


def _open_session_out(session: Session, current: Session | None) -> OpenSessionOut:
    return OpenSessionOut(
        **session.model_dump(include={"created_at", "expires_at", "address", "agent"}), session_id=session.session_id,
        current=current is not None and session.token_hash == current.token_hash,
    )  # fmt: skip
