"""Creators that the asker follows."""

from collections.abc import Sequence

from fastapi import APIRouter, Request
from starlette.responses import Response

from wentlive_catalog.api.context import Asker, Context, HandlePath, Here, note
from wentlive_catalog.api.problems import documented
from wentlive_catalog.api.schemas import CreatorList, CreatorOut, FollowIn, creator_out
from wentlive_catalog.domain.creators import Creator

router = APIRouter(prefix="/creators", tags=["creators"])


@router.get("", operation_id="listCreators", responses=documented())
async def list_creators(asker: Asker, here: Here) -> CreatorList:
    """Everyone you follow, by handle."""
    followed = await here.store.followed_creators(asker.username)
    return CreatorList(items=await _shown(followed, here))


@router.post(
    "", operation_id="followCreator", status_code=201,
    responses={200: {"model": CreatorOut, "description": "You follow this creator already."}, **documented(422, 503)},
)  # fmt: skip
async def follow_creator(
    body: FollowIn, asker: Asker, here: Here, request: Request, response: Response
) -> CreatorOut:  # fmt: skip
    """From now on every live of this creator is recorded."""
    creator, is_new = await here.follows.follow(body.creator, asker.username)
    note(request, handle=creator.handle)
    response.status_code = 201 if is_new else 200
    return await _one(creator, here)


@router.get("/{handle}", operation_id="getCreator", responses=documented(404, 422))
async def get_creator(handle: HandlePath, asker: Asker, here: Here) -> CreatorOut:
    return await _one(await here.follows.followed(handle, asker.username), here)


@router.delete("/{handle}", operation_id="unfollowCreator", status_code=204, responses=documented(404, 422))
async def unfollow_creator(handle: HandlePath, asker: Asker, here: Here) -> Response:
    """No further live is recorded for you; what was recorded stays."""
    await here.follows.unfollow(handle, asker.username)
    return Response(status_code=204)


@router.post("/{handle}/check", operation_id="checkCreator", status_code=202, responses=documented(404, 422))
async def check_creator(handle: HandlePath, asker: Asker, here: Here) -> CreatorOut:
    """Asks TikTok now instead of when it is due; the answer shows here within seconds."""
    return await _one(await here.follows.request_check(handle, asker.username), here)


async def _shown(creators: Sequence[Creator], here: Context) -> list[CreatorOut]:
    handles = [creator.handle for creator in creators]
    report = await here.watches.report(handles) if here.watches else None
    return [creator_out(creator, report.watches.get(creator.handle) if report else None) for creator in creators]


async def _one(creator: Creator, here: Context) -> CreatorOut:
    return (await _shown((creator,), here))[0]
