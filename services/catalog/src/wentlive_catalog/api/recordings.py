"""Recordings, their parts, and what plays them."""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import RedirectResponse, Response

from wentlive_catalog.api.context import Here, PartName, WantedRecording
from wentlive_catalog.api.cursors import LONGEST_CURSOR, read_cursor, write_cursor
from wentlive_catalog.api.etags import IfNoneMatch, etag, not_modified
from wentlive_catalog.api.filters import Wanted
from wentlive_catalog.api.problems import documented
from wentlive_catalog.api.schemas import (
    LinkIn,
    LinkOut,
    PartList,
    PartOut,
    RecordingList,
    RecordingOut,
    TimelineOut,
    part_out,
    recording_out,
    timeline_out,
)
from wentlive_catalog.domain.library import RecordingOrder
from wentlive_catalog.domain.playlist import MEDIA_TYPE
from wentlive_catalog.playback import named_part, part_blob

router = APIRouter(prefix="/recordings", tags=["recordings"])


@router.get("", operation_id="listRecordings", responses=documented(422))
async def list_recordings(
    here: Here,
    wanted: Wanted,
    sort: Annotated[RecordingOrder, Query(description="Among equals the newer one comes first, or last.")] = "newest",
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[
        str | None, Query(max_length=LONGEST_CURSOR, description="`next_cursor` of the page before.")
    ] = None,
) -> RecordingList:
    """A page of those that all filters let through. Pages stay as they are while new recordings come."""
    page = await here.store.recordings(wanted, limit, read_cursor(cursor, sort), sort)
    items = [recording_out(item) for item in page.items]
    return RecordingList(items=items, next_cursor=write_cursor(page.next, sort))


@router.get(
    "/{recording_id}", operation_id="getRecording", response_model=RecordingOut,
    responses={304: {"description": "It is still as you know it."}, **documented(404, 422)},
)  # fmt: skip
async def get_recording(
    recording: WantedRecording, response: Response, if_none_match: IfNoneMatch = None
) -> RecordingOut | Response:
    """Its ETag changes whenever anything of it does: every few seconds while it is recorded."""
    if unchanged := not_modified(if_none_match, recording.version):
        return unchanged
    response.headers["etag"] = etag(recording.version)
    return recording_out(recording)


@router.get("/{recording_id}/parts", operation_id="listParts", responses=documented(404, 422))
async def list_parts(recording: WantedRecording) -> PartList:
    """In the order in which they were recorded."""
    return PartList(items=[part_out(part) for part in recording.parts])


@router.get("/{recording_id}/parts/{part}", operation_id="getPart", responses=documented(404, 422))
async def get_part(recording: WantedRecording, part: PartName) -> PartOut:
    return part_out(named_part(recording, part))


@router.get("/{recording_id}/timeline", operation_id="getTimeline", responses=documented(404, 422))
async def get_timeline(recording: WantedRecording) -> TimelineOut:
    """What happened to it, in order; steady growth is left out."""
    return timeline_out(recording)


@router.post(
    "/{recording_id}/parts/{part}/links", operation_id="signPart", status_code=201, responses=documented(404, 422)
)
async def sign_part(recording: WantedRecording, part: PartName, body: LinkIn, here: Here) -> LinkOut:
    """A storage URL for a program: this one blob, reading only, for at most an hour, and not to be taken back.

    To give a recording to somebody, make a link instead (`createLink`).
    """
    lifetime = timedelta(seconds=body.lifetime_seconds)
    link = await here.playback.link(recording, part, body.of, lifetime, download=body.download)
    return LinkOut(url=link.url, expires_at=link.expires_at)


@router.get(
    "/{recording_id}/playlist.m3u8", operation_id="getPlaylist", response_class=Response,
    responses={200: {"content": {MEDIA_TYPE: {"schema": {"type": "string"}}}}, **documented(404, 422, 503)},
)  # fmt: skip
async def get_playlist(recording: WantedRecording, here: Here) -> Response:
    """HLS over all parts: it grows while the live is recorded, and is closed afterwards."""
    return Response(await here.playback.playlist(recording), media_type=MEDIA_TYPE)


@router.get(
    "/{recording_id}/parts/{part}/init.mp4", operation_id="getInitSegment", response_class=Response,
    responses={
        200: {"content": {"video/mp4": {"schema": {"type": "string", "format": "binary"}}}},
        **documented(404, 422, 503),
    },
)  # fmt: skip
async def get_init_segment(recording: WantedRecording, part: PartName, here: Here) -> Response:
    """What the playlist's EXT-X-MAP names."""
    init = await here.playback.init_segment(recording, part)
    return Response(init, media_type="video/mp4", headers={"cache-control": "private, max-age=86400, immutable"})


@router.get(
    "/{recording_id}/poster.jpg", operation_id="getPoster", status_code=302, response_class=RedirectResponse,
    responses=documented(404, 422),
)  # fmt: skip
async def get_poster(recording: WantedRecording, here: Here) -> Response:
    """Leads to the first picture, by a link that expires."""
    return await _picture(here, recording.poster, seconds=600)


@router.get(
    "/{recording_id}/preview.jpg", operation_id="getPreview", status_code=302, response_class=RedirectResponse,
    responses=documented(404, 422),
)  # fmt: skip
async def get_preview(recording: WantedRecording, here: Here) -> Response:
    """Leads to the newest picture while the live is recorded; it is replaced every half minute."""
    return await _picture(here, recording.preview, seconds=20)


@router.get(
    "/{recording_id}/parts/{part}/storyboard.jpg", operation_id="getStoryboard", status_code=302,
    response_class=RedirectResponse, responses=documented(404, 422),
)  # fmt: skip
async def get_storyboard(recording: WantedRecording, part: PartName, here: Here) -> Response:
    """Leads to a part's small pictures, all in one; it grows while the part is recorded."""
    return await _picture(here, part_blob(recording, part, "storyboard"), seconds=20)


@router.get(
    "/{recording_id}/parts/{part}/storyboard.vtt", operation_id="getStoryboardTrack", status_code=302,
    response_class=RedirectResponse, responses=documented(404, 422),
)  # fmt: skip
async def get_storyboard_track(recording: WantedRecording, part: PartName, here: Here) -> Response:
    """Leads to WebVTT that says which area of the storyboard (`#xywh=`) belongs to which time of the part."""
    return await _picture(here, part_blob(recording, part, "storyboard_track"), seconds=20)


async def _picture(here: Here, blob: str | None, *, seconds: int) -> Response:
    """Raises NothingYet when there is none. Browsers may keep where it led for so long."""
    link = await here.playback.playing_link(blob)
    return RedirectResponse(link.url, status_code=302, headers={"cache-control": f"private, max-age={seconds}"})
