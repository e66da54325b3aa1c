"""The library for other programs: all of it as JSON or CSV, and what came last as a feed."""

import csv
import io
from collections.abc import AsyncGenerator
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from starlette.responses import Response, StreamingResponse

from wentlive_catalog.api.context import Context, Here
from wentlive_catalog.api.filters import Wanted
from wentlive_catalog.api.problems import documented
from wentlive_catalog.api.schemas import RecordingOut, recording_out
from wentlive_catalog.domain.library import Position, RecordingFilter
from wentlive_catalog.feed import render_feed

router = APIRouter(tags=["exports"])
feeds = APIRouter(prefix="/feeds", tags=["exports"])

BATCH = 200
FEED_ITEMS = 50
COLUMNS = (
    "recording_id", "handle", "creator_id", "room_id", "title", "name", "state", "failure", "live_started_at",
    "detected_at", "started_at", "ended_at", "duration", "bytes", "pinned", "parts",
)  # fmt: skip
FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""A cell that begins so is a formula to spreadsheets, and others write titles."""


@router.get(
    "/exports/recordings.{form}", operation_id="exportRecordings", response_class=Response,
    responses={
        200: {
            "content": {
                "text/csv": {"schema": {"type": "string"}},
                "application/json": {
                    "schema": {"type": "array", "items": {"$ref": "#/components/schemas/RecordingOut"}}
                },
            }
        },
        **documented(422),
    },
)  # fmt: skip
async def export_recordings(form: Literal["csv", "json"], here: Here, wanted: Wanted) -> Response:
    """Everything that the filters let through, newest first: one recording a line, as CSV or as a JSON array."""
    lines = _csv(here, wanted) if form == "csv" else _json(here, wanted)
    headers = {"content-disposition": f'attachment; filename="recordings.{form}"'}
    media_type = "text/csv; charset=utf-8" if form == "csv" else "application/json"
    return StreamingResponse(lines, media_type=media_type, headers=headers)


@feeds.get(
    "/recordings.rss", operation_id="getFeed", response_class=Response,
    responses={200: {"content": {"application/rss+xml": {"schema": {"type": "string"}}}}, **documented(422)},
)  # fmt: skip
async def get_feed(
    request: Request, here: Here, wanted: Wanted,
    token: Annotated[str | None, Query(max_length=200, description="An API token with the scope `feed`.")] = None,
) -> Response:  # fmt: skip
    """What was recorded last, for a feed reader. The token may stand in the address: readers send no headers."""
    finished = wanted if wanted.states else wanted.model_copy(update={"states": ("completed",)})
    page = await here.store.recordings(finished, FEED_ITEMS)
    site = here.public_url or f"{request.url.scheme}://{request.url.netloc}"
    return Response(render_feed(page.items, site.rstrip("/")), media_type="application/rss+xml")


async def _batches(here: Context, wanted: RecordingFilter) -> AsyncGenerator[list[RecordingOut]]:
    after: Position | None = None
    while True:
        page = await here.store.recordings(wanted, BATCH, after)
        yield [recording_out(item) for item in page.items]
        if page.next is None:
            return
        after = page.next


async def _json(here: Context, wanted: RecordingFilter) -> AsyncGenerator[str]:
    begin = "[\n"
    async for batch in _batches(here, wanted):
        for one in batch:
            yield begin + one.model_dump_json()
            begin = ",\n"
    yield "\n]\n" if begin == ",\n" else "[]\n"


async def _csv(here: Context, wanted: RecordingFilter) -> AsyncGenerator[str]:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    async for batch in _batches(here, wanted):
        writer.writerows([_row(one) for one in batch])
        yield text.getvalue()
        text.seek(0)
        text.truncate()


def _row(one: RecordingOut) -> list[object]:
    values = one.model_dump(mode="json") | {"parts": len(one.parts)}
    return [_cell(values.get(column)) for column in COLUMNS]


def _cell(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value
