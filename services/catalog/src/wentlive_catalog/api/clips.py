"""Clips of recordings, cut while they are downloaded."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response, StreamingResponse

from wentlive_catalog.api.context import Here, PartName, WantedRecording
from wentlive_catalog.api.problems import documented
from wentlive_catalog.playback import named_part

router = APIRouter(prefix="/recordings", tags=["recordings"])

Moment = Annotated[float, Query(ge=0, le=10_000_000, description="Seconds from the beginning of the part.")]


@router.get(
    "/{recording_id}/parts/{part}/clip.mp4", operation_id="getClip", response_class=Response,
    responses={
        200: {"content": {"video/mp4": {"schema": {"type": "string", "format": "binary"}}}},
        **documented(404, 422, 503),
    },
)  # fmt: skip
async def get_clip(
    recording: WantedRecording, part: PartName, here: Here, start: Moment, end: Moment
) -> StreamingResponse:
    """A range of a part as a standard MP4, without coding it anew: it may begin and end some seconds further out.

    Works while the part is recorded, too. Its length is not known before it was sent.
    """
    cut = await here.clips.cut(named_part(recording, part), start, end)
    media = here.clips.mp4(cut)
    first = await anext(media)  # what can be refused is refused before an answer begins
    name = f"{recording.handle}_{part}_{int(cut.starts_at)}-{int(end)}.mp4"
    # Naming an encoding keeps the media from being compressed.
    headers = {"content-disposition": f'attachment; filename="{name}"', "content-encoding": "identity"}
    return StreamingResponse(_joined(first, media), media_type="video/mp4", headers=headers)


async def _joined(first: bytes, rest: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    async with aclosing(rest):
        yield first
        async for piece in rest:
            yield piece
