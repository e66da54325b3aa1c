"""The pages and the forms on them. Everything here also works without scripts."""

from collections.abc import AsyncGenerator
from datetime import timedelta
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, FastAPI, Form, Query, Request
from pydantic import SecretStr
from starlette.responses import HTMLResponse, RedirectResponse, Response, StreamingResponse
from wentlive_common.errors import InvalidInput, Transient, WentliveError

from wentlive_catalog.api.context import Asker, HandlePath, Here, PartName, RecordingId, WantedRecording
from wentlive_catalog.api.cookies import address_of, drop_session_cookie, set_session_cookie
from wentlive_catalog.api.problems import retry_headers, status_of
from wentlive_catalog.api.recordings import read_cursor, write_cursor
from wentlive_catalog.follows import NoSuchRecording
from wentlive_catalog.web.assets import Assets
from wentlive_catalog.web.stream import PageStream, closing
from wentlive_catalog.web.templates import Templates
from wentlive_catalog.web.views import Home, Views

router = APIRouter(include_in_schema=False)
templates = Templates()

NO_PASSWORD = SecretStr("")

DOWNLOAD_LIFETIME = timedelta(hours=1)
STREAM_HEADERS = {"cache-control": "no-store", "x-accel-buffering": "no"}


def wants_fragment(request: Request) -> bool:
    return "hx-request" in request.headers


@router.get("/login")
async def login_page(next: Annotated[str, Query(max_length=500)] = "/") -> HTMLResponse:
    return templates.page("login.html", error="", username="", next=local_path(next))


@router.post("/login")
async def login(
    request: Request, here: Here,
    username: Annotated[str, Form(max_length=100)] = "",
    password: Annotated[SecretStr, Form(max_length=1000)] = NO_PASSWORD,
    next: Annotated[str, Form(max_length=500)] = "/",
) -> Response:  # fmt: skip
    wanted = local_path(next)
    try:
        token, session = await here.access.sign_in(username, password, address_of(request))
    except WentliveError as error:
        page = templates.page("login.html", status_of(error), error=error.message, username=username, next=wanted)
        page.headers.update(retry_headers(error))
        return page
    response = RedirectResponse(wanted, status_code=303)
    set_session_cookie(response, request, here, token, session)
    return response


@router.post("/logout")
async def logout(request: Request, asker: Asker, here: Here) -> Response:
    await here.access.sign_out(asker)
    response = RedirectResponse("/login", status_code=303)
    drop_session_cookie(response, request, here)
    return response


@router.get("/")
async def home_page(
    asker: Asker, here: Here, before: Annotated[str | None, Query(max_length=100)] = None
) -> HTMLResponse:
    home = await Views(here.store, here.watches).home(asker, here.clock.now(), read_cursor(before))
    return _home(home)


@router.post("/creators")
async def follow(
    request: Request, asker: Asker, here: Here, creator: Annotated[str, Form(max_length=500)] = ""
) -> Response:
    try:
        followed, is_new = await here.follows.follow(creator, asker.username)
    except (InvalidInput, Transient) as error:
        home = await Views(here.store, here.watches).home(asker, here.clock.now())
        if wants_fragment(request):
            return templates.page("_follow.html", status_of(error), follow_error=error.message, follow_text=creator)
        return _home(home, status_of(error), follow_error=error.message, follow_text=creator)
    if not wants_fragment(request):
        return RedirectResponse("/", status_code=303)
    said = f"You follow @{followed.handle} now." if is_new else f"You follow @{followed.handle} already."
    home = await Views(here.store, here.watches).home(asker, here.clock.now())
    return templates.page("_followed.html", home=home, said=said)


@router.post("/creators/{handle}/unfollow")
async def unfollow(request: Request, handle: HandlePath, asker: Asker, here: Here) -> Response:
    await here.follows.unfollow(handle, asker.username)
    return await _creators_again(request, asker, here, f"You no longer follow @{handle}. Its recordings stay.")


@router.post("/creators/{handle}/check")
async def check(request: Request, handle: HandlePath, asker: Asker, here: Here) -> Response:
    await here.follows.request_check(handle, asker.username)
    return await _creators_again(request, asker, here, f"Asking TikTok about @{handle} now.")


@router.get("/recordings/{recording_id}")
async def recording_page(recording_id: RecordingId, here: Here) -> HTMLResponse:
    card = await Views(here.store, here.watches).card(recording_id)
    if card is None:
        raise NoSuchRecording
    return templates.page("recording.html", card=card)


@router.post("/recordings/{recording_id}/stop")
async def stop(request: Request, recording_id: RecordingId, asker: Asker, here: Here) -> Response:
    await here.follows.request_stop(recording_id, asker.username)
    if not wants_fragment(request):
        return RedirectResponse(f"/recordings/{recording_id}", status_code=303)
    card = await Views(here.store, here.watches).card(recording_id)
    return templates.page("_stream_recording.html", card=card)


@router.get("/recordings/{recording_id}/parts/{part}/download")
async def download(recording: WantedRecording, part: PartName, here: Here) -> Response:
    link = await here.playback.link(recording, part, "video", DOWNLOAD_LIFETIME, download=True)
    return RedirectResponse(link.url, status_code=302)


@router.get("/recordings/{recording_id}/parts/{part}/video.mp4")
async def video(recording: WantedRecording, part: PartName, here: Here) -> Response:
    """Where the native player finds a finished part; a new link each time it asks."""
    link = await here.playback.link(recording, part, "video", here.playback.lifetime)
    return RedirectResponse(link.url, status_code=302)


@router.get("/stream")
async def home_stream(asker: Asker, here: Here) -> Response:
    return _stream_response(PageStream(here, templates, asker).home())


@router.get("/recordings/{recording_id}/stream")
async def recording_stream(recording_id: RecordingId, asker: Asker, here: Here) -> Response:
    return _stream_response(PageStream(here, templates, asker).recording(recording_id))


def add_pages(app: FastAPI) -> None:
    app.include_router(router)
    app.mount("/static", Assets(), name="static")


def error_page(request: Request, status: int, title: str, detail: str) -> Response:
    """For a person: a page, or a notice on the page they are on."""
    if wants_fragment(request):
        return templates.page("_toast.html", status, said=detail, bad=True)
    known = getattr(request.state, "session", None) is not None
    return templates.page("error.html", status, title=title, detail=detail, known=known)


def local_path(wanted: str) -> str:
    """Only a path on this site: what could lead elsewhere becomes the home page."""
    strange = not wanted.startswith("/") or wanted.startswith(("//", "/\\")) or not wanted.isprintable()
    return "/" if strange else wanted


async def _creators_again(request: Request, asker: Asker, here: Here, said: str) -> Response:
    if not wants_fragment(request):
        return RedirectResponse("/", status_code=303)
    home = await Views(here.store, here.watches).home(asker, here.clock.now())
    return templates.page("_creators_again.html", home=home, said=said)


def _home(home: Home, status: int = 200, follow_error: str = "", follow_text: str = "") -> HTMLResponse:
    older = "?" + urlencode({"before": write_cursor(home.older)}) if home.older else ""
    return templates.page(
        "home.html", status, home=home, older=older, follow_error=follow_error, follow_text=follow_text
    )


def _stream_response(stream: AsyncGenerator[bytes]) -> Response:
    return StreamingResponse(closing(stream), media_type="text/event-stream", headers=STREAM_HEADERS)
