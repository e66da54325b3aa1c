"""A missing server program is told in one line that says how to get it."""

from pathlib import Path

import pytest
from wentlive_devkit.servers import ServerUnavailable
from wentlive_devkit.servers.programs import find_program


def program(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("WENTLIVE_TOOLS", str(tmp_path / "tools"))
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    return tmp_path / "tools"


def test_the_tools_folder_comes_first(tools: Path, tmp_path: Path) -> None:
    mine = program(tools / "some" / "server")
    program(tmp_path / "path" / "server")
    assert find_program("Some", tool="some/server", paths=("server",), install="x") == mine


def test_else_the_machine_is_asked(tools: Path, tmp_path: Path) -> None:
    machines = program(tmp_path / "path" / "server")
    assert find_program("Some", tool="some/server", paths=("/absent/server", "server"), install="x") == machines


@pytest.mark.usefixtures("tools")
def test_else_it_says_how_to_get_it() -> None:
    with pytest.raises(ServerUnavailable) as caught:
        find_program("Some", tool="some/server", paths=("server",), install="run `make some`")
    assert caught.value.message == "Some is not installed: run `make some`"
