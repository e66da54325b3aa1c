"""A clock that is moved by hand, and short words for what happens to a broadcast."""

from datetime import UTC, datetime, timedelta
from typing import Literal

import pytest
from wentlive_common.events import BroadcastEnded, BroadcastWentLive
from wentlive_common.job import PartReport, Report

ReportState = Literal["connecting", "recording", "finishing", "done"]
START = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)


class ManualClock:
    def __init__(self) -> None:
        self.time = START

    def now(self) -> datetime:
        return self.time

    def monotonic(self) -> float:
        return self.time.timestamp()

    async def sleep(self, seconds: float) -> None:
        self.advance(seconds)

    def advance(self, seconds: float) -> datetime:
        self.time += timedelta(seconds=seconds)
        return self.time


class Words:
    """Makes events and reports out of what differs."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock

    def live(self, sequence=1, room="42", **more):
        return BroadcastWentLive(
            creator_id="7", room_id=room, handle="ann", sequence=sequence, at=self.clock.now(), **more
        )

    def ended(self, sequence=2, room="42"):
        return BroadcastEnded(creator_id="7", room_id=room, handle="ann", sequence=sequence, at=self.clock.now())

    def part(self, number=1, state: Literal["open", "closed"] = "open", size=1000, duration=5.0, committed=True):
        now = self.clock.now()
        return PartReport(
            part=number, state=state, blob=f"p{number}.mp4", index_blob=f"p{number}.index", opened_at=START,
            committed_at=START if committed else None, bytes=size, duration=duration if now else 0,
        )  # fmt: skip

    def report(self, sequence, state: ReportState = "recording", *parts: PartReport, outcome=None, reason=None, **more):
        return Report(
            sequence=sequence, at=self.clock.now(), state=state, outcome=outcome, reason=reason, parts=parts, **more
        )


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def words(clock) -> Words:
    return Words(clock)
