"""Creators: the list of those who are followed, and a page for each."""

from dataclasses import dataclass
from typing import Annotated, Literal

from fastapi import APIRouter, Form
from starlette.responses import HTMLResponse, RedirectResponse, Response
from wentlive_common.capture import IntervalClass, Quality

from wentlive_catalog.api.context import Asker, Context, HandlePath, Here
from wentlive_catalog.api.creator_schemas import ImportIn
from wentlive_catalog.domain.creators import Creator, CreatorSettings, Notice, Preference
from wentlive_catalog.domain.library import RecordingFilter, Totals
from wentlive_catalog.domain.retention import RetentionRule
from wentlive_catalog.follows import Imported
from wentlive_catalog.web.charts import Cell, heat_map
from wentlive_catalog.web.forms import filled, number
from wentlive_catalog.web.templates import Templates
from wentlive_catalog.web.views import Card, Views

router = APIRouter(include_in_schema=False)
templates = Templates()

HISTORY = 12
MOST_SPANS = 2000
QualityChoice = Literal["", "best", "1080", "720", "480", "smallest", "audio"]


@dataclass(frozen=True, slots=True)
class Told:
    """What is known of one creator over all their recordings."""

    totals: Totals
    heat: tuple[tuple[Cell, ...], ...]
    lives: int
    history: tuple[Card, ...]


@router.get("/creators", operation_id="showCreators")
async def creators_page(asker: Asker, here: Here) -> HTMLResponse:
    return await _list(asker.username, here)


@router.post("/creators/import", operation_id="importCreators")
async def import_creators(
    asker: Asker, here: Here, text: Annotated[str, Form(max_length=50_000)] = ""
) -> HTMLResponse:  # fmt: skip
    imported = await here.follows.follow_all(filled(ImportIn, text=text).lines(), asker.username)
    return await _list(asker.username, here, imported)


@router.get("/creators/{handle}", operation_id="showCreator")
async def creator_page(handle: HandlePath, asker: Asker, here: Here) -> HTMLResponse:
    creator = await here.follows.visible(handle, asker)
    followed, notice = await Views(here.store, here.watches).followed((creator,))
    return templates.page(
        "creator.html", followed=followed[0], notice=notice, asker=asker, told=await _told(creator, here),
        mine=creator.preference(asker.username), quality=quality_choice(creator.settings.quality),
    )  # fmt: skip


@router.post("/creators/{handle}/settings", operation_id="updateCreatorSettings")
async def settle(
    handle: HandlePath, asker: Asker, here: Here, quality: Annotated[QualityChoice, Form()] = "",
    interval: Annotated[IntervalClass, Form()] = "usual", max_age_days: Annotated[str, Form(max_length=10)] = "",
    max_count: Annotated[str, Form(max_length=10)] = "",
) -> Response:  # fmt: skip
    rule = filled(RetentionRule, max_age_days=number(max_age_days), max_count=number(max_count))

    def changed(known: CreatorSettings) -> CreatorSettings:
        own = rule.model_copy(update={"max_bytes": known.retention.max_bytes if known.retention else None})
        wanted: dict[str, object] = {"interval": interval, "retention": None if own == RetentionRule() else own}
        if quality != quality_choice(known.quality):
            wanted["quality"] = chosen_quality(quality)
        return known.model_copy(update=wanted)

    await here.follows.settle(handle, asker, changed)
    return RedirectResponse(f"/creators/{handle}#settings", status_code=303)


@router.post("/creators/{handle}/follow", operation_id="updateFollow")
async def prefer(
    handle: HandlePath, asker: Asker, here: Here, paused: Annotated[bool, Form()] = False,
    own: Annotated[bool, Form()] = False, notice: Annotated[list[Notice] | None, Form(max_length=10)] = None,
) -> Response:  # fmt: skip
    """`own`: told as said here, not as of all creators."""

    def changed(known: Preference) -> Preference:
        return known.model_copy(update={"paused": paused, "notices": tuple(notice or ()) if own else None})

    await here.follows.prefer(handle, asker.username, changed)
    return RedirectResponse(f"/creators/{handle}#settings", status_code=303)


def quality_choice(quality: Quality | None) -> QualityChoice:
    if quality is None:
        return ""
    if quality.audio_only:
        return "audio"
    heights: dict[int | None, QualityChoice] = {1080: "1080", 720: "720", 480: "480"}
    return heights.get(quality.max_height, quality.prefer)


def chosen_quality(choice: QualityChoice) -> Quality | None:
    if choice == "":
        return None
    if choice == "audio":
        return Quality(audio_only=True)
    if choice in ("best", "smallest"):
        return Quality(prefer=choice)
    return Quality(max_height=int(choice))


async def _list(username: str, here: Context, imported: list[Imported] | None = None) -> HTMLResponse:
    home = await Views(here.store, here.watches).home(username, here.clock.now())
    return templates.page("creators.html", home=home, imported=imported)


async def _told(creator: Creator, here: Context) -> Told:
    wanted = RecordingFilter(handle=creator.handle)
    spans = await here.store.live_spans(wanted, MOST_SPANS)
    history = await here.store.recordings(wanted, HISTORY)
    return Told(
        totals=await here.store.totals(wanted), heat=heat_map(spans, here.clock.now()), lives=len(spans),
        history=await Views(here.store, here.watches).cards(history.items),
    )  # fmt: skip
