"""The people of this installation, for its admins."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request
from pydantic import Field
from starlette.responses import Response
from wentlive_common.model import UtcDatetime

from wentlive_catalog.api.context import Here, note
from wentlive_catalog.api.etags import IfMatch, check_match, etag
from wentlive_catalog.api.problems import documented
from wentlive_catalog.api.shapes import Input, Output
from wentlive_catalog.domain.users import Password, Role, User, Username

router = APIRouter(prefix="/users", tags=["users"])


class UserIn(Input):
    username: Annotated[Username, Field(examples=["ann"])]
    password: Annotated[Password, Field(examples=["correct horse battery staple"])]
    role: Role = "member"


class UserChange(Input):
    """What is left out stays as it is."""

    role: Role | None = None
    disabled: bool | None = None
    """Nobody signs in and no token works; what they follow stays."""
    password: Annotated[Password | None, Field(examples=["correct horse battery staple"])] = None
    """A new one; they are signed out everywhere and their API tokens end."""


class UserOut(Output):
    username: str
    role: Role
    disabled: bool
    managed: bool
    """By this installation's settings: it cannot be changed here."""
    created_at: UtcDatetime
    signed_in_at: UtcDatetime | None


class UserList(Output):
    items: list[UserOut]


async def wanted_user(username: Annotated[Username, Path()], here: Here) -> User:
    return await here.people.user(username)


WantedUser = Annotated[User, Depends(wanted_user)]


@router.get("", operation_id="listUsers", responses=documented())
async def list_users(here: Here) -> UserList:
    """Everybody, by name."""
    return UserList(items=[_user_out(user) for user in await here.people.all()])


@router.post("", operation_id="createUser", status_code=201, responses=documented(409, 422))
async def create_user(body: UserIn, request: Request, response: Response, here: Here) -> UserOut:
    note(request, username=body.username, role=body.role)
    user = await here.people.create(body.username, body.password, body.role)
    return _tagged(user, response)


@router.get("/{username}", operation_id="getUser", responses=documented(404, 422))
async def get_user(user: WantedUser, response: Response) -> UserOut:
    return _tagged(user, response)


@router.patch("/{username}", operation_id="updateUser", responses=documented(404, 409, 412, 422))
async def update_user(
    body: UserChange, user: WantedUser, request: Request, response: Response, here: Here, if_match: IfMatch = None
) -> UserOut:
    """Whoever's role changes, or who is disabled, is signed out everywhere. The last admin stays one."""
    check_match(if_match, user.version)
    note(request, role=body.role, disabled=None if body.disabled is None else str(body.disabled).lower())
    changed = await here.people.change(user, role=body.role, disabled=body.disabled, password=body.password)
    return _tagged(changed, response)


@router.delete("/{username}", operation_id="deleteUser", status_code=204, responses=documented(404, 409, 422))
async def delete_user(username: Annotated[Username, Path()], here: Here) -> Response:
    """With their sessions, API tokens, links and follows; recordings stay."""
    await here.people.delete(username)
    return Response(status_code=204)


def _tagged(user: User, response: Response) -> UserOut:
    response.headers["etag"] = etag(user.version)
    return _user_out(user)


def _user_out(user: User) -> UserOut:
    return UserOut(**user.model_dump(include=set(UserOut.model_fields)))
