"""What a link shows to whoever has it: one page with a player, and what plays there; nothing else of the catalog."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request
from starlette.responses import RedirectResponse, Response

from wentlive_catalog.api.context import Here, PartName
from wentlive_catalog.domain.links import NoSuchLink
from wentlive_catalog.domain.playlist import MEDIA_TYPE
from wentlive_catalog.domain.recordings import Part
from wentlive_catalog.sharing import Visit
from wentlive_catalog.web.templates import Templates

router = APIRouter(prefix="/l/{token}", include_in_schema=False)
templates = Templates()

SIGNED_FOR = timedelta(minutes=10)
"""Whoever downloads already goes on for so long at most when a link is taken back."""
COOKIE = "wentlive_visit"
LONGEST_PASS = 100
Token = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{32}$")]


@dataclass(frozen=True, slots=True)
class Guest:
    """Whoever came by the link, and where its addresses begin."""

    visit: Visit
    base: str
    secure: bool

    @property
    def parts(self) -> tuple[Part, ...]:
        """Those that may be seen."""
        only = self.visit.link.part
        return tuple(part for part in self.visit.recording.watchable_parts if only in (None, part.name))

    def may_see(self, part: str) -> None:
        if self.visit.link.part not in (None, part):
            raise NoSuchLink

    def given(self, response: Response) -> Response:
        """With the pass by which the next request of the same browser does not count again."""
        response.set_cookie(
            COOKIE, self.visit.pass_, expires=self.visit.lasts_until, path=self.base, httponly=True, samesite="lax",
            secure=self.secure,
        )  # fmt: skip
        response.headers["referrer-policy"] = "no-referrer"
        response.headers["x-robots-tag"] = "noindex"
        return response


async def guest(token: Token, here: Here, request: Request) -> Guest:
    shown = request.cookies.get(COOKIE, "")[:LONGEST_PASS]
    secure = here.secure_cookies or request.url.scheme == "https"
    return Guest(await here.sharing.enter(token, shown), f"/l/{token}", secure)


Came = Annotated[Guest, Depends(guest)]


@router.get("", operation_id="openLink")
async def open_link(came: Came) -> Response:
    visit = came.visit
    return came.given(templates.page("shared.html", recording=visit.recording, link=visit.link, came=came))


@router.get("/playlist.m3u8", operation_id="getLinkPlaylist")
async def get_playlist(came: Came, here: Here) -> Response:
    """Its fragments are asked for here, each leading to storage: no signature in it can run out while it plays."""
    text = await here.playback.playlist_through_us(came.visit.recording, came.parts, came.base)
    return came.given(Response(text, media_type=MEDIA_TYPE))


@router.get("/parts/{part}/init.mp4", operation_id="getLinkInitSegment")
async def get_init_segment(came: Came, part: PartName, here: Here) -> Response:
    came.may_see(part)
    init = await here.playback.init_segment(came.visit.recording, part)
    return came.given(Response(init, media_type="video/mp4"))


@router.get("/parts/{part}/video.mp4", operation_id="playByLink")
async def play(came: Came, part: PartName, here: Here) -> Response:
    came.may_see(part)
    link = await here.playback.link(came.visit.recording, part, "video", SIGNED_FOR)
    return came.given(RedirectResponse(link.url, status_code=302))


@router.get("/parts/{part}/download", operation_id="downloadByLink")
async def download(came: Came, part: PartName, here: Here) -> Response:
    came.may_see(part)
    if not came.visit.link.download:
        raise NoSuchLink
    link = await here.playback.link(came.visit.recording, part, "video", SIGNED_FOR, download=True)
    return came.given(RedirectResponse(link.url, status_code=302))


@router.get("/poster.jpg", operation_id="getLinkPoster")
async def get_poster(came: Came, here: Here) -> Response:
    link = await here.playback.playing_link(came.visit.recording.poster)
    return came.given(RedirectResponse(link.url, status_code=302))
