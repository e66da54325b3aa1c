"""System: how every service is, what there is, and what it costs."""

import platform
from importlib.metadata import version
from typing import Any

from fastapi import APIRouter
from starlette.responses import HTMLResponse

from wentlive_catalog.api.context import Asker, Context, Here
from wentlive_catalog.api.stats import GIGABYTE
from wentlive_catalog.domain.library import RecordingFilter
from wentlive_catalog.domain.recordings import RUNNING
from wentlive_catalog.web.charts import CHART_DAYS, bars
from wentlive_catalog.web.templates import Templates
from wentlive_catalog.web.views import MOST_LIVE

router = APIRouter(include_in_schema=False)
templates = Templates()

MOST_CREATORS = 8


@router.get("/system", operation_id="showSystem")
async def system_page(asker: Asker, here: Here) -> HTMLResponse:
    now = here.clock.now()
    days = await here.store.totals_by_day(RecordingFilter(place=None), CHART_DAYS)
    running = await here.store.recordings(RecordingFilter(states=RUNNING), MOST_LIVE)
    return templates.page(
        "system.html", services=await here.services.report(), running=len(running.items),
        bytes_by_day=bars(days, "bytes", now.date()), cost_by_day=bars(days, "cost_usd", now.date()),
        by_creator=await here.store.totals_by_creator(RecordingFilter(), MOST_CREATORS),
        versions={"Wentlive": version("wentlive-catalog"), "Python": platform.python_version()},
        **await _amounts(here),
    )  # fmt: skip


async def _amounts(here: Context) -> dict[str, Any]:
    library, in_bin, everything = [
        await here.store.totals(RecordingFilter.model_validate({"place": place})) for place in ("library", "bin", None)
    ]
    hours = everything.duration / 3600
    return {
        "library": library, "in_bin": in_bin, "everything": everything,
        "storage_usd": (library.bytes + in_bin.bytes) / GIGABYTE * here.storage_usd_per_gb_month,
        "usd_per_hour": everything.cost_usd / hours if hours else 0.0,
    }  # fmt: skip
