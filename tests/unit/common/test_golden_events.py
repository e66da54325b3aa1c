"""One message of every type as each release wrote it: what was readable once stays readable, field for field."""

import json
from pathlib import Path
from typing import Any

import pytest
from wentlive_common.events import parse_event, registry

GOLDEN = Path(__file__).parent / "golden"
FILES = sorted(GOLDEN.glob("*.json"))


def releases(kind: str) -> list[Path]:
    """The golden files of one type, oldest first: `<type>.json`, `<type>+1.json`, …"""
    additions = sorted(GOLDEN.glob(f"{kind}+*.json"), key=lambda path: int(path.stem.rpartition("+")[2]))
    return [GOLDEN / f"{kind}.json", *additions]


def survives(old: Any, new: Any) -> bool:
    """Whether everything in `old` is in `new`, with the same value."""
    match old, new:
        case dict(), dict():
            return all(name in new and survives(value, new[name]) for name, value in old.items())
        case list(), list():
            return len(old) == len(new) and all(map(survives, old, new))
        case _:
            return old == new


@pytest.mark.parametrize("kind", registry())
def test_the_newest_golden_file_is_read_and_written_as_it_is(kind: str) -> None:
    newest = json.loads(releases(kind)[-1].read_bytes())
    event = parse_event(json.dumps(newest).encode())
    assert type(event.data) is registry()[kind]
    assert json.loads(event.to_json()) == newest
    assert event.subject == event.data.subject()


@pytest.mark.parametrize("kind", registry())
def test_the_newest_golden_file_shows_every_field(kind: str) -> None:
    newest = json.loads(releases(kind)[-1].read_bytes())
    assert set(newest["data"]) == set(registry()[kind].model_fields)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_what_an_older_release_wrote_survives(path: Path) -> None:
    old = json.loads(path.read_bytes())
    assert survives(old, json.loads(parse_event(path.read_bytes()).to_json()))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_fields_of_a_newer_release_are_ignored(path: Path) -> None:
    raw = json.loads(path.read_bytes())
    newer = {**raw, "futureext": 1, "data": {**raw["data"], "added_later": {"deep": True}}}
    assert parse_event(json.dumps(newer).encode()) == parse_event(path.read_bytes())


def test_every_golden_file_is_of_a_registered_type() -> None:
    assert {path.stem.partition("+")[0] for path in FILES} == set(registry())
