"""Activity: what runs now, what failed and can be tried again, and what became of it attempt by attempt."""

from dataclasses import dataclass
from typing import Literal

from fastapi import APIRouter
from starlette.responses import HTMLResponse
from wentlive_common.events import RecordingState

from wentlive_catalog.api.context import Asker, Here
from wentlive_catalog.domain.library import RecordingFilter
from wentlive_catalog.domain.recordings import RUNNING, Recording
from wentlive_catalog.domain.timeline import TimelineMoment, timeline
from wentlive_catalog.web.templates import Templates
from wentlive_catalog.web.views import Card, Views

router = APIRouter(include_in_schema=False)
templates = Templates()

Show = Literal["running", "failed", "finished"]
SHOWN: dict[Show, tuple[RecordingState, ...]] = {
    "running": RUNNING, "failed": ("failed",), "finished": ("completed",)
}  # fmt: skip
MOST = 30
MOST_MOMENTS = 40


@dataclass(frozen=True, slots=True)
class Job:
    """A recording as work: what was tried, and what it took."""

    card: Card
    moments: tuple[TimelineMoment, ...]

    @property
    def recording(self) -> Recording:
        return self.card.recording

    @property
    def attempts(self) -> int:
        told = [moment.attempt or 0 for moment in self.moments]
        return max([*told, *(part.attempt for part in self.recording.parts)], default=0)

    @property
    def containers_gone(self) -> int:
        return sum(bill.gone_at is not None for bill in self.recording.bills)


@router.get("/activity", operation_id="showActivity")
async def activity_page(asker: Asker, here: Here, show: Show = "running") -> HTMLResponse:
    page = await here.store.recordings(RecordingFilter(states=SHOWN[show]), MOST)
    cards = await Views(here.store, here.watches).cards(page.items)
    jobs = tuple(Job(card, timeline(card.recording)[-MOST_MOMENTS:]) for card in cards)
    return templates.page("activity.html", asker=asker, jobs=jobs, show=show, tabs=tuple(SHOWN))
