"""`recording.json`: what a recording is, beside its media, so that the catalog can be rebuilt from storage alone.

One document a recording. Each attempt writes its own entry and keeps the others'; a recorder's reports say the same
sooner, but they are gone when they were answered.
"""

import json
import sys
from typing import Literal

from pydantic import Field, ValidationError

from wentlive_common.capture import Gap, StreamChoice
from wentlive_common.errors import InvalidInput
from wentlive_common.ids import Ulid
from wentlive_common.job import Outcome, PartReport
from wentlive_common.model import AttemptNumber, BlobName, CreatorId, Handle, Model, RoomId, UtcDatetime

MANIFEST_CONTENT_TYPE = "application/json"
FORMAT = "wentlive.recording.v1"


class InvalidManifest(InvalidInput):
    """This is not a manifest of a form that is known here; nothing else of the recording depends on it."""


class KeptAside(Model):
    """What was found in the manifest's place and could not be read: nothing is thrown away unseen."""

    found_at: UtcDatetime
    why: str = Field(max_length=2000)
    text: str
    bytes: int = Field(ge=0)
    """More than `text` has when only its beginning was kept."""


class AttemptEntry(Model):
    """One run of one recorder, as far as it got to write."""

    attempt: AttemptNumber
    task: Literal["record", "salvage"] = "record"
    recorder_version: str = ""
    """Empty when another attempt tells what it knows of this one."""
    started_at: UtcDatetime | None = None
    ended_at: UtcDatetime | None = None
    """None while it runs, and when it was killed."""
    outcome: Outcome | None = None
    reason: str | None = None
    choices: tuple[StreamChoice, ...] = ()
    """Which streams it recorded, and why those."""
    parts: tuple[PartReport, ...] = ()
    gaps: tuple[Gap, ...] = ()
    gaps_left_out: int = Field(default=0, ge=0)
    log_blob: BlobName | None = None


class Manifest(Model):
    format: Literal["wentlive.recording.v1"] = FORMAT
    recording_id: Ulid
    creator_id: CreatorId
    room_id: RoomId
    handle: Handle
    """As it was when the live was seen."""
    title: str = ""
    live_started_at: UtcDatetime | None = None
    detected_at: UtcDatetime | None = None
    updated_at: UtcDatetime
    attempts: tuple[AttemptEntry, ...] = ()
    """In their order; some may be missing."""
    kept_aside: tuple[KeptAside, ...] = ()

    def to_json(self) -> bytes:
        """For people as well: indented, without what is not known."""
        return self.model_dump_json(indent=1, exclude_none=True).encode() + b"\n"


def read_manifest(data: bytes) -> Manifest:
    """Raises InvalidManifest, which says why: damaged, or of another format, perhaps of a newer release."""
    try:
        found = json.loads(data)
        named: object = found.get("format") if isinstance(found, dict) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    except ValueError as error:
        raise InvalidManifest(f"The manifest is not JSON: {error}") from error
    if named != FORMAT:
        raise InvalidManifest(f"The manifest's format is {named!r:.100}; {FORMAT} was expected.")
    try:
        return Manifest.model_validate_json(data)
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['type']}" for e in error.errors()[:5])
        raise InvalidManifest(f"The manifest is not as its schema says: {faults}") from error


def schema_text() -> str:
    """The manifest's JSON Schema, for whoever reads it without our code."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **Manifest.model_json_schema()}
    return json.dumps(schema, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(schema_text())
