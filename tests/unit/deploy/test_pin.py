"""The script that writes down which image a name means today."""

import subprocess

DIGEST = "sha256:" + "a" * 64


def test_every_image_that_compose_names_is_pinned(pin, monkeypatch, capsys):
    asked = []

    def run(command, **_):
        asked.append(command[-1])
        return subprocess.CompletedProcess(command, 0, stdout=f"{DIGEST}\n")

    monkeypatch.setattr(pin.subprocess, "run", run)
    assert pin.main() == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(asked) >= 7
    assert f"WENTLIVE_PYTHON_IMAGE=python:3.13-slim-bookworm@{DIGEST}" in lines
    assert all(line.endswith(f"@{DIGEST}") for line in lines)


def test_an_image_that_is_not_found_ends_it_with_the_registrys_word(pin, monkeypatch, capsys):
    def run(command, **_):
        raise subprocess.CalledProcessError(1, command, stderr="not found\n")

    monkeypatch.setattr(pin.subprocess, "run", run)
    assert pin.main() == 1
    assert "not found" in capsys.readouterr().err


def test_an_answer_that_is_no_digest_is_not_written(pin, monkeypatch, capsys):
    monkeypatch.setattr(pin.subprocess, "run", lambda command, **_: subprocess.CompletedProcess(command, 0, stdout="?"))
    assert pin.main() == 1
    assert capsys.readouterr().out == ""
