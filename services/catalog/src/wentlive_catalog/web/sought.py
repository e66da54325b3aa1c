"""What somebody looks for in the library, as its form and its links have it."""

from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Annotated, Literal, get_args
from urllib.parse import urlencode

from fastapi import Depends, Query
from wentlive_common.events import RecordingState
from wentlive_common.handle import parse_handle

from wentlive_catalog.domain.library import RecordingFilter, RecordingOrder
from wentlive_catalog.domain.recordings import RUNNING

StateChoice = Literal["", "running", "completed", "failed"]
WhenChoice = Literal["", "day", "week", "month", "year"]
LengthChoice = Literal["", "short", "medium", "long"]
Only = Literal["", "pinned", "following", "bin"]

STATES: dict[StateChoice, tuple[RecordingState, ...]] = {
    "": (), "running": RUNNING, "completed": ("completed",), "failed": ("failed",)
}  # fmt: skip
DAYS: dict[WhenChoice, int] = {"day": 1, "week": 7, "month": 31, "year": 366}
LENGTHS: dict[LengthChoice, tuple[float | None, float | None]] = {
    "": (None, None), "short": (None, 600.0), "medium": (600.0, 3600.0), "long": (3600.0, None)
}  # fmt: skip
WHEN_CHOICES: tuple[WhenChoice, ...] = get_args(WhenChoice)


@dataclass(frozen=True, slots=True)
class Sought:
    q: str = ""
    creator: str = ""
    state: StateChoice = ""
    when: WhenChoice = ""
    length: LengthChoice = ""
    only: Only = ""
    order: RecordingOrder = "newest"

    @property
    def anything(self) -> bool:
        """Whether it leaves anything out."""
        return replace(self, order="newest") != Sought()

    def filter(self, username: str, now: datetime) -> RecordingFilter:
        shortest, longest = LENGTHS[self.length]
        return RecordingFilter(
            handle=parse_handle(self.creator) if self.creator else None, states=STATES[self.state],
            since=now - timedelta(days=DAYS[self.when]) if self.when else None,
            min_duration=shortest, max_duration=longest, pinned=True if self.only == "pinned" else None,
            follower=username if self.only == "following" else None, place="bin" if self.only == "bin" else "library",
            text=self.q.strip(),
        )  # fmt: skip

    def query(self, **more: str | None) -> str:
        """The same search as a query, `?` included; empty when nothing is asked."""
        values = {name: value for name, value in {**asdict(self), **more}.items() if value}
        if values.get("order") == "newest":
            del values["order"]
        return f"?{urlencode(values)}" if values else ""

    def without(self, *names: str) -> str:
        """The query of the same search with these let go."""
        plain = Sought()
        return replace(self, **{name: getattr(plain, name) for name in names}).query()


async def sought(
    q: Annotated[str, Query(max_length=200)] = "", creator: Annotated[str, Query(max_length=500)] = "",
    state: StateChoice = "", when: WhenChoice = "", length: LengthChoice = "", only: Only = "",
    order: RecordingOrder = "newest",
) -> Sought:  # fmt: skip
    return Sought(q, creator, state, when, length, only, order)


Looking = Annotated[Sought, Depends(sought)]
