"""Says what this machine has for running Wentlive, what it lacks, and what to do about it."""

import platform
import shutil
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Literal

from wentlive_common.model import Model

from wentlive_devkit.servers import AzuriteServer, MongoServer, RabbitMqNode, ServerUnavailable

LOW_DISK_BYTES = 2 * 1024**3


class Finding(Model):
    what: str
    state: Literal["ok", "optional", "missing"]
    detail: str


def examine(data_dir: Path) -> list[Finding]:
    """Looks only: starts nothing, writes nothing."""
    return [
        Finding(what="Wentlive", state="ok", detail=metadata.version("wentlive-devkit")),
        Finding(what="Python", state="ok", detail=f"{platform.python_version()} at {sys.executable}"),
        _program("RabbitMQ", RabbitMqNode.installed, "missing"),
        _program("Azurite", AzuriteServer.installed, "missing"),
        _program("MongoDB server", MongoServer.installed, "optional", "SQLite is used without it"),
        _command("ffmpeg", "tests only: an independent check of recorded files"),
        _command("chromium", "tests only: the pages in a real browser"),
        _disk(data_dir),
    ]


def report(findings: list[Finding]) -> str:
    marks = {"ok": "✓", "optional": "·", "missing": "✗"}
    width = max(len(finding.what) for finding in findings)
    return "\n".join(f"{marks[f.state]} {f.what:<{width}}  {f.detail}" for f in findings)


def _program(
    what: str, installed: Callable[[], str], otherwise: Literal["optional", "missing"], note: str = ""
) -> Finding:
    try:
        return Finding(what=what, state="ok", detail=installed())
    except ServerUnavailable as error:
        return Finding(what=what, state=otherwise, detail=f"{error.message}{f'; {note}' if note else ''}")


def _command(name: str, purpose: str) -> Finding:
    path = shutil.which(name)
    return Finding(what=name, state="ok" if path else "optional", detail=path or f"not installed ({purpose})")


def _disk(data_dir: Path) -> Finding:
    folder = next(path for path in (data_dir, *data_dir.parents) if path.exists())
    free = shutil.disk_usage(folder).free
    enough = free > LOW_DISK_BYTES
    detail = f"{free / 1024**3:.0f} GiB free for {data_dir}"
    return Finding(what="Disk", state="ok" if enough else "missing", detail=detail if enough else f"only {detail}")
