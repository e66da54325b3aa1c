"""Where the asker is told what happens, and what became of telling them."""

from typing import Annotated, Any
from urllib.parse import urlsplit

from fastapi import APIRouter, Path, Query, Response
from pydantic import Field
from wentlive_common.ids import Ulid
from wentlive_common.model import UtcDatetime

from wentlive_catalog.api.context import Asker, Here
from wentlive_catalog.api.problems import documented
from wentlive_catalog.api.shapes import Input, Output
from wentlive_catalog.domain.notices import (
    TOPICS,
    Delivery,
    DeliveryState,
    News,
    QuietHours,
    Target,
    TargetKind,
    Topic,
)

router = APIRouter(prefix="/notifications", tags=["notifications"])

TargetId = Annotated[Ulid, Path(description="A target's id.")]


class TargetIn(Input):
    """What can be changed later as well."""

    label: Annotated[str, Field(max_length=100, examples=["My phone"])] = ""
    topics: Annotated[tuple[Topic, ...], Field(max_length=len(TOPICS))] = TOPICS
    """What is set for a single creator (`updateFollow`) goes before this."""
    quiet: QuietHours | None = None
    """News waits until then, but that somebody is live: that is not told."""
    enabled: bool = True


class NewTarget(TargetIn):
    kind: TargetKind
    url: Annotated[str, Field(min_length=1, max_length=2000, examples=["ntfy://ntfy.sh/my-topic"])]
    """An Apprise URL, or a webhook's address. It is never shown again."""


class TargetOut(Output):
    target_id: str
    kind: TargetKind
    label: str
    host: str
    """Of the URL, the rest of which is secret."""
    topics: list[Topic]
    quiet: QuietHours | None
    enabled: bool
    disabled_because: str | None
    created_at: UtcDatetime


class NewTargetOut(TargetOut):
    secret: str | None
    """What a webhook's messages are signed with, as standardwebhooks.com says. It is told this once."""


class TargetList(Output):
    items: list[TargetOut]


class DeliveryOut(Output):
    state: DeliveryState
    news: News
    at: UtcDatetime
    tries: int
    next_try_at: UtcDatetime | None
    finished_at: UtcDatetime | None
    error: str | None


class DeliveryList(Output):
    items: list[DeliveryOut]


@router.get("/targets", operation_id="listTargets", responses=documented())
async def list_targets(asker: Asker, here: Here) -> TargetList:
    """Yours, the newest first."""
    return TargetList(items=[TargetOut.model_validate(_shown(one)) for one in await here.targets.of(asker.username)])


@router.post("/targets", operation_id="createTarget", status_code=201, responses=documented(422))
async def create_target(body: NewTarget, asker: Asker, here: Here) -> NewTargetOut:
    """From now on you are told there what happens to the creators that you follow."""
    wanted = body.model_dump(exclude={"kind", "url"})
    made = await here.targets.add(asker.username, body.kind, body.url, wanted)
    return NewTargetOut.model_validate(_shown(made) | {"secret": made.secret or None})


@router.put("/targets/{target_id}", operation_id="updateTarget", responses=documented(404, 409, 422))
async def update_target(target_id: TargetId, body: TargetIn, asker: Asker, here: Here) -> TargetOut:
    """Everything but where it leads: make another one for that."""
    known = await here.targets.target(target_id, asker.username)
    return TargetOut.model_validate(_shown(await here.targets.change(known, body.model_dump())))


@router.delete("/targets/{target_id}", operation_id="deleteTarget", status_code=204, responses=documented(404, 422))
async def delete_target(target_id: TargetId, asker: Asker, here: Here) -> Response:
    """With what was still to be told there."""
    await here.targets.remove(await here.targets.target(target_id, asker.username))
    return Response(status_code=204)


@router.post(
    "/targets/{target_id}/test", operation_id="tryTarget", status_code=204, responses=documented(404, 422, 503)
)
async def try_target(target_id: TargetId, asker: Asker, here: Here) -> Response:
    """Tells it something now, and says what went wrong."""
    await here.notifications.try_out(await here.targets.target(target_id, asker.username))
    return Response(status_code=204)


@router.get("/targets/{target_id}/deliveries", operation_id="listDeliveries", responses=documented(404, 422))
async def list_deliveries(
    target_id: TargetId, asker: Asker, here: Here, limit: Annotated[int, Query(ge=1, le=200)] = 50
) -> DeliveryList:
    """What was told there in the last month, the latest first."""
    target = await here.targets.target(target_id, asker.username)
    return DeliveryList(items=[_delivery(one) for one in await here.targets.deliveries(target, limit)])


def _shown(target: Target) -> dict[str, Any]:
    parts = urlsplit(target.url)
    host = f"{parts.scheme}://{parts.hostname or ''}" if target.kind == "webhook" else f"{parts.scheme}://"
    return target.model_dump(include=set(TargetOut.model_fields)) | {"host": host}


def _delivery(delivery: Delivery) -> DeliveryOut:
    waiting = delivery.state == "waiting"
    shown = delivery.model_dump(include=set(DeliveryOut.model_fields))
    return DeliveryOut.model_validate(shown | {"next_try_at": delivery.next_try_at if waiting else None})
