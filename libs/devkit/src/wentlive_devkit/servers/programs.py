"""Where a server's program is: in the workspace's `.tools` folder, else on the machine."""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from wentlive_devkit.servers.errors import ServerUnavailable

TOOLS_VARIABLE = "WENTLIVE_TOOLS"


def tools_dir() -> Path:
    """The folder that `make` installs servers into; `WENTLIVE_TOOLS` names another."""
    configured = os.environ.get(TOOLS_VARIABLE)
    return Path(configured) if configured else Path(__file__).resolve().parents[5] / ".tools"


def find_program(server: str, *, tool: str | None = None, paths: Sequence[str] = (), install: str) -> Path:
    """The first that exists of `.tools/<tool>` and `paths` (a bare name is looked up on PATH)."""
    candidates = [str(tools_dir() / tool)] if tool else []
    for candidate in [*candidates, *paths]:
        found = shutil.which(candidate)
        if found:
            return Path(found)
    raise ServerUnavailable(server, install)
