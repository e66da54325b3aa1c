"""What a report says that is new about an attempt's parts: merged monotonically, told once."""

from collections.abc import Sequence

from wentlive_common.events.recording import PartData, RecordingPartClosed, RecordingPartOpened, RecordingProgressed
from wentlive_common.job import PartReport, Salvaged

from wentlive_orchestrator.domain.recording import LostCause, Recording

PartNews = tuple[type[PartData], PartReport]


def merged(known: Sequence[PartReport], reported: Sequence[PartReport]) -> tuple[PartReport, ...]:
    """Known and reported parts by number. A closed part stays closed and committed bytes never shrink."""
    parts = {part.part: part for part in known}
    for part in reported:
        before = parts.get(part.part)
        if before is None or _is_newer(before, part):
            parts[part.part] = part
    return tuple(parts[number] for number in sorted(parts))


def _is_newer(before: PartReport, after: PartReport) -> bool:
    if before.state == "closed":
        return False
    if before.committed_at and not after.committed_at:
        return False
    # Finishing rewrites the head of the blob, so that a closed part may have any size.
    return after.state == "closed" or after.bytes >= before.bytes


def news(known: Sequence[PartReport], now_known: Sequence[PartReport], *, tell_progress: bool) -> list[PartNews]:
    """The events' types for what changed from one state to the next, in the order it happened."""
    before = {part.part: part for part in known}
    told: list[PartNews] = []
    for part in now_known:
        told += _news_of(before.get(part.part), part, tell_progress=tell_progress)
    return told


def _news_of(before: PartReport | None, part: PartReport, *, tell_progress: bool) -> list[PartNews]:
    if part.committed_at is None or part == before:
        return []
    opened = before is not None and before.committed_at is not None
    told: list[PartNews] = [] if opened else [(RecordingPartOpened, part)]
    if part.state == "closed":
        told.append((RecordingPartClosed, part))
    elif opened and tell_progress:
        told.append((RecordingProgressed, part))
    return told


def with_salvaged(recording: Recording, salvaged: Salvaged, *, before: int) -> tuple[Recording, list[PartNews]]:
    """What attempt `before` found of an earlier one's part; a part that nobody had heard of comes to light here."""
    attempt = recording.attempt(salvaged.attempt)
    if attempt is None or attempt.number >= before or attempt.active:
        return recording, []
    told: list[PartNews] = []
    if salvaged.report is not None:
        parts = merged(attempt.parts, (salvaged.report,))
        told = news(attempt.parts, parts, tell_progress=False)
        attempt = attempt.model_copy(update={"parts": parts})
    elif salvaged.part not in {cause.part for cause in attempt.lost_causes}:
        cause = LostCause(part=salvaged.part, why=salvaged.problem)
        attempt = attempt.model_copy(update={"lost_causes": (*attempt.lost_causes, cause)})
    return recording.with_attempt(attempt), told
