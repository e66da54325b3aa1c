"""Creators that the asker follows, and what is wanted of them."""

import hashlib
from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response
from wentlive_common.errors import Forbidden

from wentlive_catalog.access import Identity
from wentlive_catalog.api.context import Asker, Context, HandlePath, Here, note
from wentlive_catalog.api.creator_schemas import (
    CreatorList,
    CreatorOut,
    CreatorSettingsIn,
    CreatorSettingsOut,
    FollowIn,
    FollowSettingsIn,
    ImportIn,
    ImportOut,
    creator_out,
    import_out,
    settings_out,
)
from wentlive_catalog.api.etags import IfMatch, check_match, etag
from wentlive_catalog.api.problems import documented
from wentlive_catalog.domain.creators import Creator, CreatorSettings, Preference

router = APIRouter(prefix="/creators", tags=["creators"])


class NotForAll(Forbidden):
    """Only an admin sees whom others follow."""


@router.get("", operation_id="listCreators", responses=documented(422))
async def list_creators(
    asker: Asker, here: Here,
    everyones: Annotated[bool, Query(description="Whom anybody follows; for admins.")] = False,
) -> CreatorList:  # fmt: skip
    """Everyone you follow, by handle."""
    if everyones and not asker.is_admin:
        raise NotForAll
    followed = await here.store.followed_creators(None if everyones else asker.username)
    return CreatorList(items=await _shown(followed, asker, here))


@router.post(
    "", operation_id="followCreator", status_code=201,
    responses={
        200: {"model": CreatorOut, "description": "You follow this creator already."}, **documented(409, 422, 503),
    },
)  # fmt: skip
async def follow_creator(
    body: FollowIn, asker: Asker, here: Here, request: Request, response: Response
) -> CreatorOut:  # fmt: skip
    """From now on every live of this creator is recorded."""
    creator, is_new = await here.follows.follow(body.creator, asker.username)
    note(request, handle=creator.handle)
    response.status_code = 201 if is_new else 200
    return await _one(creator, asker, here)


@router.post("/import", operation_id="importCreators", responses=documented(409, 422))
async def import_creators(body: ImportIn, asker: Asker, here: Here, request: Request) -> ImportOut:
    """Follows a whole list at once; each line that names nobody is told, the others are followed all the same."""
    imported = await here.follows.follow_all(body.lines(), asker.username)
    note(request, lines=str(len(imported)))
    return import_out(imported)


@router.get("/{handle}", operation_id="getCreator", responses=documented(404, 422))
async def get_creator(handle: HandlePath, asker: Asker, here: Here) -> CreatorOut:
    return await _one(await here.follows.visible(handle, asker), asker, here)


@router.delete("/{handle}", operation_id="unfollowCreator", status_code=204, responses=documented(404, 422))
async def unfollow_creator(handle: HandlePath, asker: Asker, here: Here) -> Response:
    """No further live is recorded for you; what was recorded stays."""
    await here.follows.unfollow(handle, asker.username)
    return Response(status_code=204)


@router.post("/{handle}/check", operation_id="checkCreator", status_code=202, responses=documented(404, 409, 422))
async def check_creator(handle: HandlePath, asker: Asker, here: Here) -> CreatorOut:
    """Asks TikTok now instead of when it is due; the answer shows here within seconds."""
    return await _one(await here.follows.request_check(handle, asker), asker, here)


@router.patch("/{handle}/follow", operation_id="updateFollow", responses=documented(404, 409, 422))
async def update_follow(handle: HandlePath, body: FollowSettingsIn, asker: Asker, here: Here) -> CreatorOut:
    """What you want of this creator for yourself. While all who follow have paused, nothing is recorded."""
    changes = body.changes()

    def changed(known: Preference) -> Preference:
        return known.model_copy(update=changes)

    return await _one(await here.follows.prefer(handle, asker.username, changed), asker, here)


@router.get("/{handle}/settings", operation_id="getCreatorSettings", responses=documented(404, 422))
async def get_creator_settings(
    handle: HandlePath, asker: Asker, here: Here, response: Response
) -> CreatorSettingsOut:  # fmt: skip
    """What all who follow this creator share."""
    return _tagged((await here.follows.visible(handle, asker)).settings, response)


@router.patch("/{handle}/settings", operation_id="updateCreatorSettings", responses=documented(404, 409, 412, 422))
async def update_creator_settings(
    handle: HandlePath, body: CreatorSettingsIn, asker: Asker, here: Here, response: Response, if_match: IfMatch = None
) -> CreatorSettingsOut:
    """For all who follow this creator: one recording serves them all. Null gives back what is usual."""
    changes = body.changes()

    def changed(known: CreatorSettings) -> CreatorSettings:
        check_match(if_match, _tag(known))
        return known.model_copy(update=changes)

    return _tagged((await here.follows.settle(handle, asker, changed)).settings, response)


def _tagged(settings: CreatorSettings, response: Response) -> CreatorSettingsOut:
    response.headers["etag"] = etag(_tag(settings))
    return settings_out(settings)


def _tag(settings: CreatorSettings) -> str:
    """Of the settings alone: a creator who goes live meanwhile is no reason to refuse a change of them."""
    return hashlib.sha256(settings.model_dump_json().encode()).hexdigest()[:16]


async def _shown(creators: Sequence[Creator], asker: Identity, here: Context) -> list[CreatorOut]:
    handles = [creator.handle for creator in creators]
    report = await here.watches.report(handles) if here.watches else None
    return [creator_out(one, report.watches.get(one.handle) if report else None, asker) for one in creators]


async def _one(creator: Creator, asker: Identity, here: Context) -> CreatorOut:
    return (await _shown((creator,), asker, here))[0]
