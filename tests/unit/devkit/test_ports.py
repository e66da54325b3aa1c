"""A port that is kept from run to run is given up only when somebody else holds it."""

from pathlib import Path

import pytest
from wentlive_devkit.servers import ports


@pytest.fixture
def note(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Each call stands for a new run; which ports are taken is said by the test."""
    monkeypatch.setattr(ports, "free_port", iter(range(20_001, 20_100)).__next__)
    monkeypatch.setattr(ports, "can_listen", lambda _port: True)
    return tmp_path / "port"


def new_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "_handed_out", set[int]())


def test_the_same_port_is_taken_by_the_next_run(note: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = ports.kept_port(note)
    new_run(monkeypatch)
    assert ports.kept_port(note) == first


@pytest.mark.parametrize("text", ["", "x", "80", "-1", "99999999999", "20050"])
def test_another_is_taken_and_noted_when_it_cannot_be(note: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    new_run(monkeypatch)
    monkeypatch.setattr(ports, "can_listen", lambda port: port != 20_050)
    note.write_text(text)
    port = ports.kept_port(note)
    assert str(port) != text
    assert note.read_text() == str(port)
