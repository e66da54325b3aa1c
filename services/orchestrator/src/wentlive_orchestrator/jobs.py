"""What a recorder is given: its job at the start, and more grants as it goes on."""

import hashlib
from collections.abc import Iterable
from datetime import timedelta

from wentlive_common.clock import Clock
from wentlive_common.job import BlobGrant, RecordingJob, Report
from wentlive_common.model import part_name

from wentlive_orchestrator.domain import Attempt, Recording
from wentlive_orchestrator.ports import BlobGrants

PARTS_AHEAD = 3
MOST_PARTS_AT_ONCE = 16


class JobOffice:
    """Writes jobs, and keeps a recorder supplied with grants for the parts that it may write next."""

    def __init__(self, grants: BlobGrants, grant_lifetime: float, clock: Clock) -> None:
        self._grants = grants
        self._lifetime = grant_lifetime
        self._clock = clock

    async def job(self, recording: Recording, attempt: Attempt, token: str, report_base_url: str) -> RecordingJob:
        path = f"/v1/recordings/{recording.recording_id}/attempts/{attempt.number}/reports"
        return RecordingJob.model_validate(
            {
                "recording_id": recording.recording_id,
                "attempt": attempt.number,
                "creator_id": recording.broadcast.creator_id,
                "room_id": recording.broadcast.room_id,
                "handle": recording.handle,
                "blob_prefix": recording.blob_prefix,
                "report_url": report_base_url + path,
                "report_token": token,
                "grants": await self._granted(recording, attempt, range(1, PARTS_AHEAD + 2)),
            }
        )

    async def top_up(self, recording: Recording, attempt: Attempt, report: Report) -> tuple[BlobGrant, ...]:
        """Grants for parts that the recorder has none for yet, or new ones for all when half their time is over."""
        newest = max((part.part for part in attempt.parts), default=0)
        needed = range(self._oldest_needed(attempt, newest), newest + PARTS_AHEAD + 1)
        if not self._half_used(report):
            needed = range(max(needed.start, report.granted_through_part + 1), needed.stop)
        return await self._granted(recording, attempt, needed[-MOST_PARTS_AT_ONCE:]) if needed else ()

    def _oldest_needed(self, attempt: Attempt, newest: int) -> int:
        return min((part.part for part in attempt.parts if part.state == "open"), default=newest + 1)

    def _half_used(self, report: Report) -> bool:
        expiry = report.grants_expire_at
        return expiry is not None and expiry - self._clock.now() < timedelta(seconds=self._lifetime / 2)

    async def _granted(self, recording: Recording, attempt: Attempt, parts: Iterable[int]) -> tuple[BlobGrant, ...]:
        stems = [f"{recording.blob_prefix}/{part_name(attempt.number, part)}" for part in parts]
        return await self._grants.grants(stems, self._lifetime)


def hash_token(token: str) -> str:
    """What is kept of a job's token."""
    return hashlib.sha256(token.encode()).hexdigest()
