"""The bootstrap script installs once, again after an interruption or a new pin, and says what it cannot do."""

import hashlib
import importlib.util
import sys
from contextlib import nullcontext
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

SCRIPT = Path(__file__).resolve().parents[3] / "libs" / "devkit" / "bootstrap.py"


@pytest.fixture
def bootstrap(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = importlib.util.spec_from_file_location("wentlive_bootstrap", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def commands(bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Every step that would have been run."""
    ran: list[list[str]] = []

    def run(*command: str | Path, **_: Any) -> None:
        ran.append([str(part) for part in command])

    monkeypatch.setattr(bootstrap, "run", run)
    return ran


def test_an_install_is_stamped_last_and_not_repeated(
    bootstrap: ModuleType, commands: list[list[str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert bootstrap.main(["uv"], tools=tmp_path) == 0
    assert commands
    printed = capsys.readouterr()
    assert (printed.out, printed.err.count("\n")) == ("", 1)
    commands.clear()
    assert bootstrap.main(["uv"], tools=tmp_path) == 0
    assert (commands, capsys.readouterr().err) == ([], "")


@pytest.mark.usefixtures("commands")
def test_a_new_pin_installs_again(bootstrap: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bootstrap.main(["uv"], tools=tmp_path)
    monkeypatch.setattr(bootstrap, "UV", "99.0")
    assert not bootstrap.stamped(tmp_path / "uv", "99.0")
    bootstrap.main(["uv"], tools=tmp_path)
    assert bootstrap.stamped(tmp_path / "uv", "99.0")


def test_an_interrupted_install_starts_from_an_empty_folder(bootstrap: ModuleType, tmp_path: Path) -> None:
    folder = tmp_path / "tool"

    def interrupted() -> None:
        with bootstrap.installing(folder, "1", "installing"):
            (folder / "half").touch()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert not bootstrap.stamped(folder, "1")
    with bootstrap.installing(folder, "1", "installing"):
        assert list(folder.iterdir()) == []
    assert bootstrap.stamped(folder, "1")


@pytest.mark.parametrize(("flags", "exit_code"), [([], 0), (["--required"], 1)])
def test_what_cannot_be_had_is_said(
    bootstrap: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    flags: list[str], exit_code: int,
) -> None:  # fmt: skip
    monkeypatch.setattr(bootstrap, "may_use_apt", lambda: False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert bootstrap.main(["ffmpeg", *flags], tools=tmp_path) == exit_code
    assert capsys.readouterr().err == "ffmpeg: ffmpeg is missing: run `apt-get install ffmpeg` as root\n"


def test_a_failing_step_carries_its_last_words(bootstrap: ModuleType) -> None:
    with pytest.raises(bootstrap.CannotInstall, match=r"(?s)failed \(3\).*no network"):
        bootstrap.run("sh", "-c", "echo no network >&2; exit 3")


def test_a_file_that_is_not_the_known_one_is_refused(bootstrap: ModuleType, tmp_path: Path) -> None:
    jar = tmp_path / "a.jar"
    jar.write_bytes(b"known")
    bootstrap.verify(jar, hashlib.sha256(b"known").hexdigest())
    jar.write_bytes(b"other")
    with pytest.raises(bootstrap.CannotInstall, match="not the file we know"):
        bootstrap.verify(jar, hashlib.sha256(b"known").hexdigest())


def test_the_jars_are_listed_with_checksums(bootstrap: ModuleType) -> None:
    jars = bootstrap.read_jars(SCRIPT.parent / "mongodb" / "jars.txt")
    assert all(len(checksum) == 64 and coordinates.count(":") == 2 for checksum, coordinates in jars)
    assert any(coordinates.startswith("org.eclipse.jdt:ecj:") for _, coordinates in jars)


def test_services_may_not_start_while_packages_install(bootstrap: ModuleType, tmp_path: Path) -> None:
    policy = tmp_path / "policy-rc.d"
    with bootstrap.no_services_started(policy):
        assert policy.stat().st_mode & 0o111
        assert "exit 101" in policy.read_text()
    assert not policy.exists()


def test_a_policy_of_the_machine_is_left_alone(bootstrap: ModuleType, tmp_path: Path) -> None:
    policy = tmp_path / "policy-rc.d"
    policy.write_text("theirs")
    with bootstrap.no_services_started(policy):
        assert policy.read_text() == "theirs"
    assert policy.read_text() == "theirs"


def test_a_policy_left_by_a_killed_run_is_taken_over(bootstrap: ModuleType, tmp_path: Path) -> None:
    policy = tmp_path / "policy-rc.d"
    policy.write_text(bootstrap.POLICY_FORBIDS_STARTING)
    with bootstrap.no_services_started(policy):
        assert policy.stat().st_mode & 0o111
    assert not policy.exists()


@pytest.fixture
def debian(
    bootstrap: ModuleType, commands: list[list[str]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> list[list[str]]:
    """A Debian machine with systemd whose packages bring their units when they are installed, and root on it."""
    units = tmp_path / "units"
    units.mkdir()

    def run(*command: str | Path, **_: Any) -> None:
        commands.append([str(part) for part in command])
        if "install" in command:
            (units / "rabbitmq-server.service").touch()

    monkeypatch.setattr(bootstrap, "run", run)
    monkeypatch.setattr(bootstrap, "UNITS", units)
    monkeypatch.setattr(bootstrap, "may_use_apt", lambda: True)
    monkeypatch.setattr(bootstrap.shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(bootstrap, "no_services_started", nullcontext)
    return commands


def test_what_a_package_brings_does_not_start_with_the_machine(
    bootstrap: ModuleType, debian: list[list[str]], tmp_path: Path
) -> None:
    bootstrap.apt_install(tmp_path, "rabbitmq-server")
    assert debian[-1] == ["systemctl", "disable", "rabbitmq-server.service"]


def test_a_unit_that_was_there_before_is_left_alone(
    bootstrap: ModuleType, debian: list[list[str]], tmp_path: Path
) -> None:
    (bootstrap.UNITS / "rabbitmq-server.service").touch()
    bootstrap.apt_install(tmp_path, "rabbitmq-server")
    assert not any(command[0] == "systemctl" for command in debian)


def test_an_interrupted_installation_is_finished_by_the_next_run(
    bootstrap: ModuleType, debian: list[list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    works = bootstrap.run

    def interrupted(*command: str | Path, **_: Any) -> None:
        works(*command)
        if "install" in command:
            raise KeyboardInterrupt

    monkeypatch.setattr(bootstrap, "run", interrupted)
    with pytest.raises(KeyboardInterrupt):
        bootstrap.apt_install(tmp_path, "rabbitmq-server")
    debian.clear()
    monkeypatch.setattr(bootstrap, "run", works)
    assert bootstrap.main(["ffmpeg"], tools=tmp_path) == 0
    assert debian[0][:3] == ["dpkg", "--configure", "-a"]
    assert debian[-1] == ["systemctl", "disable", "rabbitmq-server.service"]
    debian.clear()
    bootstrap.main(["ffmpeg"], tools=tmp_path)
    assert debian == []


def test_a_failed_installation_is_told_and_not_tried_at_every_run(
    bootstrap: ModuleType, debian: list[list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: str | Path, **__: Any) -> None:
        raise bootstrap.CannotInstall("no network")

    monkeypatch.setattr(bootstrap, "run", fails)
    with pytest.raises(bootstrap.CannotInstall, match="no network; or go without"):
        bootstrap.debian_package(tmp_path, "RabbitMQ", ["rabbitmq-server"], lambda: True, "; or go without")
    assert list(tmp_path.glob(".apt*")) == []


def test_ctrl_c_ends_without_a_traceback(
    bootstrap: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(bootstrap, "run", interrupted)
    assert bootstrap.main(["uv"], tools=tmp_path) == 130
    assert capsys.readouterr().err.splitlines()[-1] == "interrupted; the next run does this step again"
