"""Keeps `recording.json` up to date while an attempt runs; what earlier attempts and other hands wrote stays in it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version

import structlog
from wentlive_common.capture import Gap
from wentlive_common.clock import Clock
from wentlive_common.errors import Forbidden, Transient, WentliveError
from wentlive_common.job import PartReport, RecordingJob, Salvaged
from wentlive_common.logging import redact
from wentlive_common.manifest import (
    MANIFEST_CONTENT_TYPE,
    AttemptEntry,
    InvalidManifest,
    KeptAside,
    Manifest,
    read_manifest,
)

from wentlive_recorder.errors import Fenced
from wentlive_recorder.ports import BlobSink, StoredFile
from wentlive_recorder.progress import Progress

MANIFEST_NOT_WRITTEN, MANIFEST_SUPERSEDED, MANIFEST_KEPT_ASIDE = (
    "manifest_not_written", "manifest_superseded", "manifest_kept_aside",
)  # fmt: skip
_LARGEST = 8 * 1024 * 1024
_MOST_KEPT, _MOST_KEPT_BYTES = 3, 64 * 1024
_INTERVAL, _LONGEST_BACKOFF = 2.0, 60.0
_RACES = 4

log = structlog.get_logger(__name__)


class Superseded(Exception):
    """A later attempt has written to the manifest."""


@dataclass(frozen=True, slots=True)
class ManifestPlace:
    """The blob, and this attempt's log that the manifest names."""

    sink: BlobSink
    blob: str
    log_blob: str


class ManifestKeeper:
    """Nothing here fails the recording: a manifest that cannot be written is written later, or not at all."""

    def __init__(self, place: ManifestPlace, job: RecordingJob, progress: Progress, clock: Clock) -> None:
        self._place, self._job, self._progress, self._clock = place, job, progress, clock
        self._started_at = clock.now()
        self._stored: Manifest | None = None
        self._etag: str | None = None
        """None until the place was looked at; "" when nothing is there."""
        self._written: object = None
        self._superseded = False
        self._failures = 0

    async def run(self) -> None:
        """Writes at once, and then whenever something has changed; cancel it to stop."""
        while not self._superseded:
            if self._news() != self._written:
                await self._try()
            await self._clock.sleep(min(_INTERVAL * 2 ** min(self._failures, 6), _LONGEST_BACKOFF))

    async def close(self) -> None:
        """The last word, with the outcome."""
        if not self._superseded and self._news() != self._written:
            await self._try()

    async def _try(self) -> None:
        news = self._news()
        try:
            await self._write()
        except Superseded:
            log.warning(MANIFEST_SUPERSEDED)
            self._superseded = True
        except WentliveError as error:
            self._failures += 1
            if self._failures == 1:
                log.warning(MANIFEST_NOT_WRITTEN, why=error.message)
            if not isinstance(error, (Transient, Forbidden)):
                self._etag = None  # whatever is there now has to be read again
        else:
            self._failures, self._written = 0, news

    def _news(self) -> object:
        """Changes exactly when there is something new to write; how much of an open part is stored its index tells."""
        progress = self._progress
        parts = [
            (
                part.part, part.state, part.committed_at is None, part.poster_blob, part.storyboard_blob,
                part.preview_blob, part.bytes if part.state == "closed" else 0,
            )
            for part in progress.parts.values()
        ]  # fmt: skip
        gaps = len(progress.gaps) + progress.gaps_left_out
        return parts, len(progress.salvaged), gaps, tuple(progress.choices), progress.outcome

    async def _write(self) -> None:
        for _ in range(_RACES):
            if self._etag is None:
                await self._look()
            manifest = self._manifest()
            try:
                self._etag = await self._place.sink.upload(
                    self._place.blob, manifest.to_json(), MANIFEST_CONTENT_TYPE, over=self._etag
                )
            except Fenced:
                self._etag = None  # another attempt, or our own write whose answer was lost
            else:
                self._stored = manifest
                return
        raise Transient("Others keep changing the manifest.")

    async def _look(self) -> None:
        found = await self._place.sink.download(self._place.blob, _LARGEST)
        self._etag = found.etag if found else ""
        if found is None:
            return
        try:
            self._stored = read_manifest(found.data)
        except InvalidManifest as error:
            log.warning(MANIFEST_KEPT_ASIDE, why=error.message)
            known = self._stored or self._beginning()
            kept = (*known.kept_aside, _aside(found, error.message, self._clock.now()))
            self._stored = known.model_copy(update={"kept_aside": kept[-_MOST_KEPT:]})
        if any(entry.attempt > self._job.attempt for entry in self._stored.attempts):
            raise Superseded

    def _manifest(self) -> Manifest:
        stored = self._stored or self._beginning()
        entries = with_entry(stored.attempts, self._entry())
        entries = with_salvaged(entries, self._progress.salvaged)
        return stored.model_copy(update={"updated_at": self._clock.now(), "attempts": entries})

    def _beginning(self) -> Manifest:
        job = self._job
        return Manifest(
            recording_id=job.recording_id,
            creator_id=job.creator_id,
            room_id=job.room_id,
            handle=job.handle,
            title=job.title,
            live_started_at=job.live_started_at,
            detected_at=job.detected_at,
            updated_at=self._clock.now(),
        )

    def _entry(self) -> AttemptEntry:
        progress, outcome = self._progress, self._progress.outcome
        return AttemptEntry(
            attempt=self._job.attempt,
            task=self._job.task,
            recorder_version=version("wentlive-recorder"),
            started_at=self._started_at,
            ended_at=self._clock.now() if outcome else None,
            outcome=outcome,
            reason=redact(progress.reason) if outcome and progress.reason else None,
            choices=tuple(progress.choices),
            parts=tuple(part for _, part in sorted(progress.parts.items())),
            gaps=tuple(progress.gaps),
            gaps_left_out=progress.gaps_left_out,
            log_blob=self._place.log_blob,
        )


def with_entry(entries: Iterable[AttemptEntry], ours: AttemptEntry) -> tuple[AttemptEntry, ...]:
    """With our entry; of one that this attempt wrote before it was restarted, what ours lacks is kept."""
    by_number = {entry.attempt: entry for entry in entries}
    before = by_number.get(ours.attempt)
    by_number[ours.attempt] = _continued(before, ours) if before else ours
    return tuple(entry for _, entry in sorted(by_number.items()))


def with_salvaged(entries: Iterable[AttemptEntry], salvaged: Iterable[Salvaged]) -> tuple[AttemptEntry, ...]:
    """What was salvaged stands with the attempt that recorded it."""
    by_number = {entry.attempt: entry for entry in entries}
    for part in salvaged:
        if part.report is not None:
            entry = by_number.get(part.attempt) or AttemptEntry(attempt=part.attempt)
            parts = _with_parts(entry.parts, [part.report])
            by_number[part.attempt] = entry.model_copy(update={"parts": parts})
    return tuple(entry for _, entry in sorted(by_number.items()))


def _continued(before: AttemptEntry, ours: AttemptEntry) -> AttemptEntry:
    return ours.model_copy(
        update={
            "started_at": before.started_at or ours.started_at,
            "choices": tuple(dict.fromkeys([*before.choices, *ours.choices])),
            "parts": _with_parts(before.parts, ours.parts),
            "gaps": _united(before.gaps, ours.gaps),
            "gaps_left_out": max(before.gaps_left_out, ours.gaps_left_out),
        }
    )


def _with_parts(known: Sequence[PartReport], told: Sequence[PartReport]) -> tuple[PartReport, ...]:
    by_number = {part.part: part for part in [*known, *told]}
    return tuple(part for _, part in sorted(by_number.items()))


def _united(known: Sequence[Gap], told: Sequence[Gap]) -> tuple[Gap, ...]:
    by_time = {(gap.started_at, gap.ended_at, gap.why): gap for gap in [*known, *told]}
    return tuple(gap for _, gap in sorted(by_time.items()))


def _aside(found: StoredFile, why: str, now: datetime) -> KeptAside:
    text = found.data[:_MOST_KEPT_BYTES].decode(errors="replace")
    return KeptAside(found_at=now, why=why[:2000], text=text, bytes=len(found.data))
