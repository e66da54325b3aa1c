"""Links to give away: whoever has one sees one recording, without signing in, until it ends or is taken back."""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from pydantic import Field
from starlette.responses import Response
from wentlive_common.errors import Forbidden
from wentlive_common.ids import Ulid
from wentlive_common.model import UtcDatetime

from wentlive_catalog.api.context import Asker, Context, Here, WantedRecording, note
from wentlive_catalog.api.problems import documented
from wentlive_catalog.api.shapes import Input, Line, Output
from wentlive_catalog.domain.links import PartFilter, SharedLink

router = APIRouter(tags=["links"])

LONGEST = 366 * 86_400


class SharedLinkIn(Input):
    lifetime_seconds: Annotated[int, Field(ge=60, le=LONGEST)] = 7 * 86_400
    max_uses: Annotated[int | None, Field(ge=1, le=1_000_000, examples=[5])] = None
    """How many visitors; null for any number. One who comes back within six hours counts once."""
    part: PartFilter | None = None
    """Only this part; null for the whole recording."""
    download: bool = True
    """Whether files may be saved, besides being watched."""
    note: Annotated[Line, Field(max_length=200, examples=["for Nora"])] = ""
    """Only you read it."""


class SharedLinkOut(Output):
    link_id: str
    recording_id: str
    part: str | None
    download: bool
    note: str
    username: str
    """Who made it."""
    created_at: UtcDatetime
    expires_at: UtcDatetime
    max_uses: int | None
    uses: int
    used_at: UtcDatetime | None
    revoked_at: UtcDatetime | None
    works: bool
    """Whether a new visitor would get in."""


class NewSharedLinkOut(SharedLinkOut):
    url: str
    """A page with a player. It is told this once."""


class SharedLinkPage(Output):
    items: list[SharedLinkOut]
    next_cursor: str | None
    """Send it as `cursor` for the page that follows; null on the last one."""


class LinksNotForAll(Forbidden):
    """Only an admin sees the links of others."""


@router.post(
    "/recordings/{recording_id}/links", operation_id="createLink", status_code=201, responses=documented(404, 409, 422)
)
async def create_link(
    recording: WantedRecording, body: SharedLinkIn, asker: Asker, here: Here, request: Request
) -> NewSharedLinkOut:
    """The link leads to a page of ours, and what plays there is signed for minutes: taking it back works."""
    token, link = await here.sharing.create(
        recording, asker, timedelta(seconds=body.lifetime_seconds), part=body.part, download=body.download,
        max_uses=body.max_uses, note=body.note,
    )  # fmt: skip
    note(request, link_id=link.link_id)
    return NewSharedLinkOut(**_link_out(link, here).model_dump(), url=f"{_site(request, here)}/l/{token}")


@router.get("/links", operation_id="listLinks", responses=documented(422))
async def list_links(
    asker: Asker, here: Here,
    everyones: Annotated[bool, Query(description="Those of all; for admins.")] = False,
    recording_id: Annotated[Ulid | None, Query(description="Only to this recording.")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[Ulid | None, Query(description="`next_cursor` of the page before.")] = None,
) -> SharedLinkPage:  # fmt: skip
    """Yours, newest first; those that ended are shown for a month."""
    if everyones and not asker.is_admin:
        raise LinksNotForAll
    equal = {} if everyones else {"username": asker.username}
    if recording_id:
        equal["recording_id"] = recording_id
    found = await here.sharing.page(limit + 1, cursor, **equal)
    items = [_link_out(link, here) for link in found[:limit]]
    return SharedLinkPage(items=items, next_cursor=items[-1].link_id if len(found) > limit else None)


@router.delete("/links/{link_id}", operation_id="revokeLink", status_code=204, responses=documented(404, 409, 422))
async def revoke_link(link_id: Annotated[Ulid, Path()], asker: Asker, here: Here) -> Response:
    """Takes it back: nobody gets in by it from now on."""
    await here.sharing.revoke(link_id, asker)
    return Response(status_code=204)


def _link_out(link: SharedLink, here: Context) -> SharedLinkOut:
    works = link.works(here.clock.now()) and not link.is_used_up()
    return SharedLinkOut(**link.model_dump(include=set(SharedLinkOut.model_fields)), works=works)


def _site(request: Request, here: Context) -> str:
    return here.public_url or str(request.base_url).rstrip("/")
