"""The library as people look through it: what is asked of recordings, in which order, and what answers it."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field
from wentlive_common.events import RecordingState
from wentlive_common.ids import Ulid
from wentlive_common.model import Bytes, Handle, Model, Seconds, UtcDatetime

from wentlive_catalog.domain.recordings import Recording
from wentlive_catalog.domain.words import words_of

FACTS_FORM = 4
"""Raise it when facts are made differently: a store makes all of them anew when it is opened."""

Place = Literal["library", "bin", "erasing", "gone"]
RecordingOrder = Literal["newest", "oldest", "longest", "shortest", "largest", "smallest"]
Sorting = Literal["recording_id", "duration", "bytes"]

ORDERS: dict[RecordingOrder, tuple[Sorting, bool]] = {
    "newest": ("recording_id", True),
    "oldest": ("recording_id", False),
    "longest": ("duration", True),
    "shortest": ("duration", False),
    "largest": ("bytes", True),
    "smallest": ("bytes", False),
}
"""By what, and whether it falls. Ids rise with time; among equals the id decides, in the same direction."""


class RecordingFilter(Model):
    """Which recordings; nothing set means all that are not in the bin."""

    handle: Handle | None = None
    states: tuple[RecordingState, ...] = ()
    since: UtcDatetime | None = None
    """The live began then or later."""
    until: UtcDatetime | None = None
    """The live began before."""
    min_duration: Seconds | None = None
    max_duration: Seconds | None = None
    min_bytes: Bytes | None = None
    max_bytes: Bytes | None = None
    pinned: bool | None = None
    place: Place | None = "library"
    """Where: not in the bin, in it, or erased; None for wherever."""
    touched: bool | None = None
    """Named, pinned or binned by people."""
    text: Annotated[str, Field(max_length=200)] = ""
    follower: str | None = None
    """Of creators that this person follows."""


class Position(Model):
    """A place between two recordings of an order: what comes after it does not change when others come or go."""

    recording_id: Ulid
    value: float | int | None = None
    """What it is sorted by, unless that is the id."""


class RecordingPage(Model):
    items: tuple[Recording, ...]
    next: Position | None = None
    """Where to go on, when there is more."""


class RecordingFacts(Model):
    """What recordings are found, sorted and counted by, drawn from the recording itself."""

    recording_id: Ulid
    creator_id: str
    handle: str
    state: RecordingState
    started_at: UtcDatetime
    ended_at: UtcDatetime | None
    day: str
    bytes: int
    duration: float
    pinned: bool
    touched: bool
    place: Place
    cost: float
    words: tuple[str, ...]


def facts_of(recording: Recording) -> RecordingFacts:
    return RecordingFacts(
        recording_id=recording.recording_id, creator_id=recording.creator_id, handle=recording.handle,
        state=recording.state, started_at=recording.live_started_at, ended_at=recording.ended_at,
        day=f"{recording.live_started_at:%Y-%m-%d}", bytes=recording.bytes, duration=recording.duration,
        pinned=recording.pinned, touched=recording.touched, place=_place(recording), cost=recording.cost_usd,
        words=words_of((recording.title, recording.name or "", recording.handle)),
    )  # fmt: skip


def _place(recording: Recording) -> Place:
    if recording.erased_at:
        return "erasing" if recording.leftover else "gone"
    return "bin" if recording.deleted_at else "library"


def page_of(found: list[Recording], limit: int, order: RecordingOrder) -> RecordingPage:
    """The page that `limit` + 1 recordings make."""
    items = tuple(found[:limit])
    return RecordingPage(items=items, next=position_of(items[-1], order) if len(found) > limit else None)


def position_of(recording: Recording, order: RecordingOrder) -> Position:
    by, _ = ORDERS[order]
    value = None if by == "recording_id" else recording.duration if by == "duration" else recording.bytes
    return Position(recording_id=recording.recording_id, value=value)


class Totals(Model):
    """How much there is of some recordings."""

    recordings: int = 0
    bytes: int = 0
    duration: float = 0.0
    cost_usd: float = 0.0
    """Of the containers that recorded them."""


class DayTotals(Totals):
    day: str
    """`YYYY-MM-DD` in UTC, by when the live began."""


class CreatorTotals(Totals):
    handle: str


class LiveSpan(Model):
    """From when until when a live was on; still on when the end is missing."""

    started_at: UtcDatetime
    ended_at: UtcDatetime | None = None


LIVE_BUCKETS = 48
BUCKET_SECONDS = 1800
DAY_SECONDS = LIVE_BUCKETS * BUCKET_SECONDS


def live_hours(spans: list[LiveSpan], now: datetime) -> tuple[float, ...]:
    """Seconds that the lives lasted in each half hour of the day, in UTC."""
    seconds = [0.0] * LIVE_BUCKETS
    for span in spans:
        start, end = span.started_at.timestamp(), (span.ended_at or now).timestamp()
        days, rest = divmod(max(0.0, end - start), DAY_SECONDS)
        for bucket, length in _pieces(start, start + rest):
            seconds[bucket] += length
        seconds = [second + days * BUCKET_SECONDS for second in seconds] if days else seconds
    return tuple(round(second, 3) for second in seconds)


def _pieces(start: float, end: float) -> list[tuple[int, float]]:
    pieces: list[tuple[int, float]] = []
    while start < end:
        number = int(start // BUCKET_SECONDS)
        border = min(end, (number + 1) * float(BUCKET_SECONDS))
        pieces.append((number % LIVE_BUCKETS, border - start))
        start = border
    return pieces
