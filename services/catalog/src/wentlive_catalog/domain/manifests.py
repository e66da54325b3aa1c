"""A recording made again from what lies in storage: its manifest, its blobs' sizes, and its fragment indexes.

What a later event tells of it still wins, since its sequence is higher.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import timedelta

from wentlive_common.blobs import part_blobs
from wentlive_common.fragment_index import FragmentIndex
from wentlive_common.job import PartReport
from wentlive_common.manifest import AttemptEntry, Manifest
from wentlive_common.model import UtcDatetime

from wentlive_catalog.domain.recordings import Part, Recording

UNTOLD = 0
"""The sequence of what no event told."""

NOTHING_RECORDED = "Nothing was recorded, and no reason was noted."

_PART_BLOB = re.compile(r"a(?P<attempt>[1-9]\d{0,3})-p(?P<part>[1-9]\d{0,4})\.mp4")

PartKey = tuple[int, int]


def open_parts(manifest: Manifest, blobs: Mapping[str, int]) -> tuple[PartKey, ...]:
    """Parts with media whose last state the manifest does not tell: their index does."""
    told = {key for key, report in _told(manifest) if report.state == "closed"}
    return tuple(key for key in stored_parts(blobs) if key not in told)


def stored_parts(blobs: Mapping[str, int]) -> tuple[PartKey, ...]:
    """The parts whose media lies in a folder."""
    found = (_PART_BLOB.fullmatch(name) for name in blobs)
    return tuple(sorted((int(match["attempt"]), int(match["part"])) for match in found if match))


def rebuilt(
    manifest: Manifest, prefix: str, blobs: Mapping[str, int], indexes: Mapping[PartKey, FragmentIndex]
) -> Recording:
    """`indexes` are those of `open_parts`, as far as they can be read."""
    told = dict(_told(manifest))
    parts = [_part(key, told.get(key), prefix, blobs, indexes.get(key)) for key in stored_parts(blobs)]
    kept = tuple(part for part in parts if part)
    last = max(manifest.attempts, key=lambda entry: entry.attempt, default=None)
    failure = _failure(last, kept)
    began = (
        manifest.live_started_at or manifest.detected_at or min((part.report.opened_at for part in kept), default=None)
    )
    return Recording(
        recording_id=manifest.recording_id, creator_id=manifest.creator_id, room_id=manifest.room_id,
        handle=manifest.handle, title=manifest.title, live_started_at=began or manifest.updated_at,
        detected_at=manifest.detected_at or began or manifest.updated_at, state="failed" if failure else "completed",
        sequence=UNTOLD, ended_at=_ended_at(last, kept) or manifest.updated_at, failure=failure, parts=kept,
    )  # fmt: skip


def _told(manifest: Manifest) -> Iterator[tuple[PartKey, PartReport]]:
    for entry in manifest.attempts:
        for report in entry.parts:
            yield (entry.attempt, report.part), report


def _part(
    key: PartKey, told: PartReport | None, prefix: str, blobs: Mapping[str, int], index: FragmentIndex | None
) -> Part | None:
    if told and told.state == "closed":
        return Part(attempt=key[0], report=told)
    if index is None:
        return Part(attempt=key[0], report=told) if told else None
    return Part(attempt=key[0], report=_report(key, told, prefix, blobs, index))


def _report(
    key: PartKey, told: PartReport | None, prefix: str, blobs: Mapping[str, int], index: FragmentIndex
) -> PartReport:
    names, header = part_blobs(prefix, *key), index.header
    report = told or PartReport(
        part=key[1], state="open", blob=names.media, index_blob=names.index, opened_at=header.opened_at,
        committed_at=header.opened_at, video_codec=header.video_codec, audio_codec=header.audio_codec,
        width=header.width, height=header.height,
        poster_blob=names.poster if _in(blobs, names.poster) else None,
        storyboard_blob=names.storyboard if _in(blobs, names.storyboard) else None,
        storyboard_track_blob=names.storyboard_track if _in(blobs, names.storyboard_track) else None,
    )  # fmt: skip
    return report.model_copy(
        update={
            "state": "closed" if index.closing else "open",
            "bytes": index.closing.bytes if index.closing else max((f.end for f in index.fragments), default=0),
            "duration": round(index.duration, 6),
            "fragments": len(index.fragments),
            "committed_at": report.committed_at or (header.opened_at if index.fragments else None),
        }
    )


def _in(blobs: Mapping[str, int], blob: str) -> bool:
    return blob.rpartition("/")[2] in blobs


def _failure(last: AttemptEntry | None, parts: tuple[Part, ...]) -> str | None:
    if last and last.outcome == "failed":
        return last.reason or NOTHING_RECORDED
    return None if parts or (last and last.outcome in ("ended", "stopped")) else NOTHING_RECORDED


def _ended_at(last: AttemptEntry | None, parts: tuple[Part, ...]) -> UtcDatetime | None:
    if last and last.ended_at:
        return last.ended_at
    ends = [part.report.opened_at + timedelta(seconds=part.report.duration) for part in parts]
    return max(ends, default=None)
