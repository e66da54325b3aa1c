"""How long recordings are kept: the rule, what it would throw away now, and doing so."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import Field

from wentlive_catalog.api.context import Here
from wentlive_catalog.api.etags import IfMatch, check_match, etag
from wentlive_catalog.api.problems import documented
from wentlive_catalog.api.shapes import Input, Output
from wentlive_catalog.domain.retention import Due, RetentionRule, RetentionSettings, lifecycle_policy
from wentlive_catalog.retention import MOST_AT_ONCE, Swept

router = APIRouter(prefix="/retention", tags=["retention"])


class RetentionIn(Input):
    rule: RetentionRule = RetentionRule()
    """For recordings of creators without a rule of their own, all counted together."""
    bin_days: Annotated[int, Field(ge=0, le=365)] = 7
    """So long what was thrown away can be taken back."""
    cool_after_days: Annotated[int | None, Field(ge=0, le=36_500)] = None
    cold_after_days: Annotated[int | None, Field(ge=0, le=36_500)] = None


class DueOut(Output):
    items: list[Due]
    bytes: int
    """What they take together."""
    more: bool
    """Whether there are more than these."""


@router.get("", operation_id="getRetention", responses=documented())
async def get_retention(here: Here, response: Response) -> RetentionIn:
    """How long recordings are kept. Nothing set keeps everything."""
    settings = await here.retention.settings()
    response.headers["etag"] = etag(settings.version)
    return RetentionIn.model_validate(settings, from_attributes=True)


@router.put("", operation_id="setRetention", responses=documented(409, 412, 422))
async def set_retention(body: RetentionIn, here: Here, response: Response, if_match: IfMatch = None) -> RetentionIn:
    """Holds from the next run on; look at `listDue` first."""
    known = await here.retention.settings()
    check_match(if_match, known.version)
    wanted = RetentionSettings(version=known.version, **dict(body))
    saved = await here.retention.change(wanted)
    response.headers["etag"] = etag(saved.version)
    return RetentionIn.model_validate(saved, from_attributes=True)


@router.get("/due", operation_id="listDue", responses=documented(422))
async def list_due(here: Here, limit: Annotated[int, Query(ge=1, le=MOST_AT_ONCE)] = 200) -> DueOut:
    """What a run now would throw away, and why: a dry run."""
    found = await here.retention.due(limit + 1)
    items = found[:limit]
    return DueOut(items=items, bytes=sum(due.bytes for due in items), more=len(found) > limit)


@router.post("/run", operation_id="runRetention", responses=documented(503))
async def run_retention(here: Here) -> Swept:
    """Runs now instead of within the hour: into the bin with what is due, out of it with what has lain long enough."""
    return await here.retention.run()


@router.get("/lifecycle-policy", operation_id="getLifecyclePolicy", responses=documented())
async def get_lifecycle_policy(here: Here) -> dict[str, Any]:
    """The storage account's own rule for cheaper tiers, as `az storage account management-policy create` takes it."""
    return lifecycle_policy(here.container_name, await here.retention.settings())
