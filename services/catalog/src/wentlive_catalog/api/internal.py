"""For Wentlive's other services, which show the service token instead of a session."""

import hmac
from typing import Annotated

from fastapi import APIRouter, Depends, Header
from wentlive_common.errors import Unauthenticated

from wentlive_catalog.api.context import Here
from wentlive_catalog.api.schemas import FollowOut, FollowSnapshot


def from_a_service(here: Here, authorization: Annotated[str, Header()] = "") -> None:
    wanted = f"Bearer {here.service_token.get_secret_value()}"
    if not hmac.compare_digest(authorization.encode(), wanted.encode()):
        raise Unauthenticated("Send the service token as a bearer token.")


router = APIRouter(prefix="/internal/v1", dependencies=[Depends(from_a_service)], include_in_schema=False)


@router.get("/follows")
async def get_follows(here: Here) -> FollowSnapshot:
    """Everyone that anybody follows and has not paused: what the watcher makes its list agree with."""
    followed = await here.store.followed_creators()
    follows = [
        FollowOut(handle=creator.handle, creator_id=creator.creator_id, wishes=creator.wishes)
        for creator in followed
        if creator.watched
    ]
    return FollowSnapshot(follows=follows, taken_at=here.clock.now())
