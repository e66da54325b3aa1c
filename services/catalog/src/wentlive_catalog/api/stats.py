"""Numbers over many recordings: how much there is, of whom, of which day, at what cost, and when creators are live."""

from typing import Annotated

from fastapi import APIRouter, Query

from wentlive_catalog.api.context import Here
from wentlive_catalog.api.filters import Wanted
from wentlive_catalog.api.problems import documented
from wentlive_catalog.api.shapes import Output
from wentlive_catalog.domain.library import BUCKET_SECONDS, CreatorTotals, DayTotals, Totals, live_hours

router = APIRouter(prefix="/stats", tags=["stats"])

GIGABYTE = 2**30
MOST_SPANS = 2000


class StorageOut(Output):
    bytes: int
    """In the library and in the bin, of what the filter lets through."""
    usd_per_month: float
    """Estimated: `storage_usd_per_gb_month` of the settings times the size."""


class TotalsOut(Output):
    library: Totals
    bin: Totals
    everything: Totals
    """With what was erased: the cost of recording it stays."""
    storage: StorageOut


class DaysOut(Output):
    items: list[DayTotals]


class CreatorsOut(Output):
    items: list[CreatorTotals]


class LiveHoursOut(Output):
    bucket_seconds: int = BUCKET_SECONDS
    seconds: list[float]
    """How long lives lasted in each half hour of the day: 48 numbers, the first for 00:00 to 00:30 UTC."""
    lives: int
    """How many lives that is: the latest two thousand at most."""


@router.get("/totals", operation_id="getTotals", responses=documented(422))
async def get_totals(here: Here, wanted: Wanted) -> TotalsOut:
    """How much there is, what it takes in storage, and what recording it has cost. `binned` means nothing here."""
    library, in_bin, everything = [
        await here.store.totals(wanted.model_copy(update={"place": place})) for place in ("library", "bin", None)
    ]
    size = library.bytes + in_bin.bytes
    usd = round(size / GIGABYTE * here.storage_usd_per_gb_month, 4)
    return TotalsOut(
        library=library, bin=in_bin, everything=everything, storage=StorageOut(bytes=size, usd_per_month=usd)
    )  # fmt: skip


@router.get("/days", operation_id="listDayTotals", responses=documented(422))
async def list_day_totals(here: Here, wanted: Wanted, limit: Annotated[int, Query(ge=1, le=1000)] = 90) -> DaysOut:
    """The latest days on which a live began, in UTC; days without one are left out."""
    return DaysOut(items=list(await here.store.totals_by_day(wanted, limit)))


@router.get("/creators", operation_id="listCreatorTotals", responses=documented(422))
async def list_creator_totals(
    here: Here, wanted: Wanted, limit: Annotated[int, Query(ge=1, le=1000)] = 100
) -> CreatorsOut:
    """Those whose recordings take most storage first."""
    return CreatorsOut(items=list(await here.store.totals_by_creator(wanted, limit)))


@router.get("/live-hours", operation_id="getLiveHours", responses=documented(422))
async def get_live_hours(here: Here, wanted: Wanted) -> LiveHoursOut:
    """When in the day the creator, or all of them, tend to be live."""
    spans = await here.store.live_spans(wanted, MOST_SPANS)
    return LiveHoursOut(seconds=list(live_hours(list(spans), here.clock.now())), lives=len(spans))
