"""The pages and the forms on them. Everything here also works without scripts."""

from collections.abc import AsyncGenerator
from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, FastAPI, Form, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response, StreamingResponse
from wentlive_common.errors import InvalidInput, Transient

from wentlive_catalog.api.context import (
    Asker,
    HandlePath,
    Here,
    PartName,
    RecordingId,
    WantedRecording,
    authorized,
    note,
)
from wentlive_catalog.api.problems import status_of
from wentlive_catalog.keeping import NoSuchRecording
from wentlive_catalog.web import (
    activity_pages,
    creator_pages,
    entry,
    library_pages,
    settings_pages,
    shared,
    system_pages,
)
from wentlive_catalog.web.assets import Assets
from wentlive_catalog.web.nudge import nudges
from wentlive_catalog.web.stream import PageStream, closing
from wentlive_catalog.web.templates import Templates
from wentlive_catalog.web.views import Home, Views

router = APIRouter(include_in_schema=False)
templates = Templates()

DOWNLOAD_LIFETIME = timedelta(hours=1)
STREAM_HEADERS = {"cache-control": "no-store", "x-accel-buffering": "no"}


Back = Annotated[str, Form(max_length=2000)]
"""Where a form without scripts leads to; only here."""


def wants_fragment(request: Request) -> bool:
    return "hx-request" in request.headers


@router.get("/", operation_id="showHome")
async def home_page(asker: Asker, here: Here) -> HTMLResponse:
    return _home(await Views(here.store, here.watches).home(asker.username, here.clock.now()))


@router.post("/creators", operation_id="followCreator")
async def follow(
    request: Request, asker: Asker, here: Here, creator: Annotated[str, Form(max_length=500)] = "",
    back: Back = "/",
) -> Response:  # fmt: skip
    try:
        followed, is_new = await here.follows.follow(creator, asker.username)
        note(request, handle=followed.handle)
    except (InvalidInput, Transient) as error:
        home = await Views(here.store, here.watches).home(asker.username, here.clock.now())
        if wants_fragment(request):
            return templates.page("_follow.html", status_of(error), follow_error=error.message, follow_text=creator)
        return _home(home, status_of(error), follow_error=error.message, follow_text=creator)
    if not wants_fragment(request):
        return RedirectResponse(entry.local_path(back), status_code=303)
    said = f"You follow @{followed.handle} now." if is_new else f"You follow @{followed.handle} already."
    home = await Views(here.store, here.watches).home(asker.username, here.clock.now())
    return templates.page("_followed.html", home=home, said=said)


@router.post("/creators/{handle}/unfollow", operation_id="unfollowCreator")
async def unfollow(request: Request, handle: HandlePath, asker: Asker, here: Here, back: Back = "/") -> Response:
    await here.follows.unfollow(handle, asker.username)
    return await _creators_again(request, asker, here, f"You no longer follow @{handle}. Its recordings stay.", back)


@router.post("/creators/{handle}/check", operation_id="checkCreator")
async def check(request: Request, handle: HandlePath, asker: Asker, here: Here, back: Back = "/") -> Response:
    await here.follows.request_check(handle, asker)
    return await _creators_again(request, asker, here, f"Asking TikTok about @{handle} now.", back)


@router.get("/recordings/{recording_id}", operation_id="showRecording")
async def recording_page(recording_id: RecordingId, here: Here) -> HTMLResponse:
    card = await Views(here.store, here.watches).card(recording_id)
    if card is None:
        raise NoSuchRecording
    return templates.page("recording.html", card=card)


@router.post("/recordings/{recording_id}/stop", operation_id="stopRecording")
async def stop(request: Request, recording_id: RecordingId, asker: Asker, here: Here) -> Response:
    await here.keeping.stop(recording_id, asker)
    if not wants_fragment(request):
        return RedirectResponse(f"/recordings/{recording_id}", status_code=303)
    card = await Views(here.store, here.watches).card(recording_id)
    return templates.page("_stream_recording.html", card=card)


@router.post("/recordings/{recording_id}/retry", operation_id="retryRecording")
async def retry(recording_id: RecordingId, asker: Asker, here: Here) -> Response:
    await here.keeping.retry(recording_id, asker)
    return RedirectResponse(f"/recordings/{recording_id}", status_code=303)


@router.get("/recordings/{recording_id}/parts/{part}/download", operation_id="downloadPart")
async def download(recording: WantedRecording, part: PartName, here: Here) -> Response:
    link = await here.playback.link(recording, part, "video", DOWNLOAD_LIFETIME, download=True)
    return RedirectResponse(link.url, status_code=302)


@router.get("/recordings/{recording_id}/parts/{part}/video.mp4", operation_id="playPart")
async def video(recording: WantedRecording, part: PartName, here: Here) -> Response:
    """Where the native player finds a finished part; a new link each time it asks."""
    link = await here.playback.link(recording, part, "video", here.playback.lifetime)
    return RedirectResponse(link.url, status_code=302)


@router.get("/stream", operation_id="streamHome")
async def home_stream(asker: Asker, here: Here) -> Response:
    return _stream_response(PageStream(here, templates, asker).home())


@router.get("/recordings/{recording_id}/stream", operation_id="streamRecording")
async def recording_stream(recording_id: RecordingId, asker: Asker, here: Here) -> Response:
    return _stream_response(PageStream(here, templates, asker).recording(recording_id))


@router.get("/stream/page", operation_id="streamPage")
async def page_stream(asker: Asker, here: Here) -> Response:
    return _stream_response(nudges(here, asker))


def add_pages(app: FastAPI) -> None:
    parts = (library_pages, creator_pages, activity_pages, system_pages, settings_pages)
    for part in (entry.router, shared.router, router, *(part.router for part in parts)):
        app.include_router(part, dependencies=[Depends(authorized)])
    app.mount("/static", Assets(), name="static")


def error_page(request: Request, status: int, title: str, detail: str) -> Response:
    """For a person: a page, or a notice on the page they are on."""
    if wants_fragment(request):
        return templates.page("_toast.html", status, said=detail, bad=True)
    known = getattr(request.state, "identity", None) is not None
    return templates.page("error.html", status, title=title, detail=detail, known=known)


async def _creators_again(request: Request, asker: Asker, here: Here, said: str, back: str) -> Response:
    if not wants_fragment(request):
        return RedirectResponse(entry.local_path(back), status_code=303)
    home = await Views(here.store, here.watches).home(asker.username, here.clock.now())
    return templates.page("_creators_again.html", home=home, said=said)


def _home(home: Home, status: int = 200, follow_error: str = "", follow_text: str = "") -> HTMLResponse:
    return templates.page("home.html", status, home=home, follow_error=follow_error, follow_text=follow_text)


def _stream_response(stream: AsyncGenerator[bytes]) -> Response:
    return StreamingResponse(closing(stream), media_type="text/event-stream", headers=STREAM_HEADERS)
