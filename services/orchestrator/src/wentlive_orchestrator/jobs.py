"""What a recorder is given: its job at the start, and more grants as it goes on."""

import hashlib
from collections.abc import Iterable
from datetime import timedelta

from wentlive_common.blobs import part_blobs, recording_blobs
from wentlive_common.clock import Clock
from wentlive_common.job import BlobGrant, PartReport, RecordingJob, Report, SalvagePart

from wentlive_orchestrator.domain import Attempt, Recording
from wentlive_orchestrator.ports import BlobGrants

PARTS_AHEAD = 3
MOST_PARTS_AT_ONCE = 16
MOST_SALVAGED_AT_ONCE = 50
"""Further ones are for the next attempt: a report names them all."""


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
                "title": recording.title,
                "live_started_at": recording.live_started_at,
                "detected_at": recording.detected_at,
                "blob_prefix": recording.blob_prefix,
                "report_url": report_base_url + path,
                "report_token": token,
                "task": attempt.task,
                "quality": recording.quality,
                "salvage": (salvage := _left_by(recording, attempt)),
                "grants": await self._granted(recording, attempt, self._ahead(attempt), salvage),
            }
        )

    def _ahead(self, attempt: Attempt) -> range:
        return range(1, PARTS_AHEAD + 2) if attempt.task == "record" else range(0)

    async def top_up(self, recording: Recording, attempt: Attempt, report: Report) -> tuple[BlobGrant, ...]:
        """Grants for parts that the recorder has none for yet, or new ones for all when half their time is over."""
        if attempt.task == "salvage":
            return ()
        newest = max((part.part for part in attempt.parts), default=0)
        needed = range(self._oldest_needed(attempt, newest), newest + PARTS_AHEAD + 1)
        if not self._half_used(report):
            needed = range(max(needed.start, report.granted_through_part + 1), needed.stop)
        if not needed and not self._half_used(report):
            return ()
        return await self._granted(recording, attempt, needed[-MOST_PARTS_AT_ONCE:])

    def _oldest_needed(self, attempt: Attempt, newest: int) -> int:
        return min((part.part for part in attempt.parts if part.state == "open"), default=newest + 1)

    def _half_used(self, report: Report) -> bool:
        expiry = report.grants_expire_at
        return expiry is not None and expiry - self._clock.now() < timedelta(seconds=self._lifetime / 2)

    async def _granted(
        self, recording: Recording, attempt: Attempt, parts: Iterable[int], salvage: Iterable[SalvagePart] = ()
    ) -> tuple[BlobGrant, ...]:
        blobs = [blob for part in parts for blob in part_blobs(recording.blob_prefix, attempt.number, part)]
        blobs += [blob for part in salvage for blob in (part.blob, part.index_blob)]
        blobs += recording_blobs(recording.blob_prefix, attempt.number)
        return await self._grants.grants(blobs, self._lifetime)


def _left_by(recording: Recording, attempt: Attempt) -> tuple[SalvagePart, ...]:
    """What earlier attempts left open; of those that were lost also what they may have begun and never reported."""
    left: list[SalvagePart] = []
    for earlier in recording.attempts[: attempt.number - 1]:
        left += [_salvage_part(recording, earlier, part.part, part) for part in earlier.open_parts]
        if earlier.state == "lost" and earlier.reported is not None:
            newest = max((part.part for part in earlier.parts), default=0)
            unheard_of = set(range(newest + 1, newest + PARTS_AHEAD + 1)) - {c.part for c in earlier.lost_causes}
            left += [_salvage_part(recording, earlier, number) for number in sorted(unheard_of)]
    return tuple(left[-MOST_SALVAGED_AT_ONCE:])


def _salvage_part(recording: Recording, attempt: Attempt, number: int, known: PartReport | None = None) -> SalvagePart:
    blobs = part_blobs(recording.blob_prefix, attempt.number, number)
    return SalvagePart(attempt=attempt.number, part=number, blob=blobs.media, index_blob=blobs.index, known=known)


def hash_token(token: str) -> str:
    """What is kept of a job's token."""
    return hashlib.sha256(token.encode()).hexdigest()
