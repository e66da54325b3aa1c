"""The manifest's form: what one release wrote every later one reads, and its published schema is the code's."""

import json
from pathlib import Path
from typing import Any

import pytest
from wentlive_common.blobs import part_blobs, recording_blobs
from wentlive_common.manifest import InvalidManifest, read_manifest, schema_text

GOLDEN = Path(__file__).parent / "golden_manifest" / "wentlive.recording.v1.json"
SCHEMA = Path(__file__).parents[3] / "docs" / "recording.schema.json"


def golden(**changes: Any) -> bytes:
    return json.dumps({**json.loads(GOLDEN.read_bytes()), **changes}).encode()


def test_the_golden_manifest_is_read_and_written_as_it_is() -> None:
    manifest = read_manifest(GOLDEN.read_bytes())
    assert manifest.to_json() == GOLDEN.read_bytes()
    assert [entry.outcome for entry in manifest.attempts] == [None, "failed"]
    assert manifest.attempts[0].gaps[0].seconds == 2.5


def test_fields_of_a_newer_release_are_ignored() -> None:
    assert read_manifest(golden(added_later={"deep": True})) == read_manifest(GOLDEN.read_bytes())


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "not JSON"),
        (b"\xff\xfe\x00", "not JSON"),
        (GOLDEN.read_bytes()[:400], "not JSON"),
        (b"[]", "format is None"),
        (golden(format="wentlive.recording.v2"), "format is 'wentlive.recording.v2'"),
        (golden(creator_id="not a number"), "creator_id"),
        (golden(attempts=None), "attempts"),
    ],
)
def test_what_cannot_be_read_says_why(data: bytes, why: str) -> None:
    with pytest.raises(InvalidManifest, match=why):
        read_manifest(data)


def test_the_published_schema_is_current() -> None:
    assert SCHEMA.read_text(encoding="utf-8") == schema_text(), "run: make docs"


def test_the_names_of_the_blobs() -> None:
    part, recording = part_blobs("42/x", 2, 13), recording_blobs("42/x", 2)
    assert list(part) == [
        "42/x/a2-p13.mp4", "42/x/a2-p13.index", "42/x/a2-p13.jpg", "42/x/a2-p13.storyboard.jpg",
        "42/x/a2-p13.storyboard.vtt",
    ]  # fmt: skip
    assert list(recording) == ["42/x/preview.jpg", "42/x/recording.json", "42/x/a2.log"]
