"""The pages before anybody is known: setting up, signing in and out."""

from typing import Annotated

from fastapi import APIRouter, Form, Query, Request
from pydantic import SecretStr, TypeAdapter, ValidationError
from starlette.responses import HTMLResponse, RedirectResponse, Response
from wentlive_common.errors import InvalidInput, WentliveError

from wentlive_catalog.api.context import Asker, Context, Here, note
from wentlive_catalog.api.cookies import address_of, drop_session_cookie, is_this_machine, set_session_cookie
from wentlive_catalog.api.problems import retry_headers, status_of
from wentlive_catalog.domain.users import Password, Username
from wentlive_catalog.web.templates import Templates

router = APIRouter(include_in_schema=False)
templates = Templates()

NO_PASSWORD = SecretStr("")
_NAME: TypeAdapter[str] = TypeAdapter(Username)
_PASSWORD: TypeAdapter[str] = TypeAdapter(Password)


class UnusableLogin(InvalidInput):
    """Take a name of letters, digits, dots and dashes, and a password of at least 8 characters."""


@router.get("/login", operation_id="showLogin")
async def login_page(here: Here, next: Annotated[str, Query(max_length=500)] = "/") -> Response:
    if await here.people.is_empty():
        return RedirectResponse("/setup", status_code=303)
    return templates.page("login.html", error="", username="", next=local_path(next))


@router.post("/login", operation_id="signIn")
async def login(
    request: Request, here: Here,
    username: Annotated[str, Form(max_length=100)] = "",
    password: Annotated[SecretStr, Form(max_length=1000)] = NO_PASSWORD,
    next: Annotated[str, Form(max_length=500)] = "/",
) -> Response:  # fmt: skip
    note(request, username=username)
    wanted = local_path(next)
    try:
        return await _signed_in(request, here, username, password, wanted)
    except WentliveError as error:
        page = templates.page("login.html", status_of(error), error=error.message, username=username, next=wanted)
        page.headers.update(retry_headers(error))
        return page


@router.post("/logout", operation_id="signOut")
async def logout(request: Request, asker: Asker, here: Here) -> Response:
    if asker.session:
        await here.access.sign_out(asker.session)
    response = RedirectResponse("/login", status_code=303)
    drop_session_cookie(response, request, here)
    return response


@router.get("/setup", operation_id="showSetup")
async def setup_page(here: Here) -> Response:
    if not await here.people.is_empty():
        return RedirectResponse("/login", status_code=303)
    return _setup(here)


@router.post("/setup", operation_id="setUp")
async def set_up(
    request: Request, here: Here,
    username: Annotated[str, Form(max_length=100)] = "",
    password: Annotated[SecretStr, Form(max_length=1000)] = NO_PASSWORD,
    code: Annotated[SecretStr, Form(max_length=200)] = NO_PASSWORD,
) -> Response:  # fmt: skip
    note(request, username=username)
    try:
        name, secret = _usable(username, password)
        await here.people.set_up(
            name, secret, code, here.setup_code, address_of(request), here=is_this_machine(request)
        )  # fmt: skip
        return await _signed_in(request, here, name, password, "/")
    except WentliveError as error:
        page = _setup(here, status_of(error), error.message, username)
        page.headers.update(retry_headers(error))
        return page


def local_path(wanted: str) -> str:
    """Only a path on this site: what could lead elsewhere becomes the home page."""
    strange = not wanted.startswith("/") or wanted.startswith(("//", "/\\")) or not wanted.isprintable()
    return "/" if strange else wanted


def _usable(username: str, password: SecretStr) -> tuple[str, str]:
    try:
        return _NAME.validate_python(username), _PASSWORD.validate_python(password.get_secret_value())
    except ValidationError as error:
        raise UnusableLogin from error


async def _signed_in(request: Request, here: Context, username: str, password: SecretStr, wanted: str) -> Response:
    agent = request.headers.get("user-agent", "")
    token, session = await here.access.sign_in(username, password, address_of(request), agent)
    response = RedirectResponse(wanted, status_code=303)
    set_session_cookie(response, request, here, token, session)
    return response


def _setup(here: Context, status: int = 200, error: str = "", username: str = "") -> HTMLResponse:
    wants_code = here.setup_code is not None
    return templates.page("setup.html", status, error=error, username=username, wants_code=wants_code)
