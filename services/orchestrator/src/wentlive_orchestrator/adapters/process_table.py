"""Which process is which: Linux's /proc read so that a recycled process id is never mistaken for a recorder."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class ProcessKey:
    """A process for ever: its id, when it started (in clock ticks since boot), and which boot that was."""

    pid: int
    started: int
    boot: str


@dataclass(frozen=True, slots=True)
class ProcessStat:
    """What /proc tells of a process now."""

    key: ProcessKey
    session: int
    zombie: bool


def boot_id() -> str:
    return (PROC / "sys/kernel/random/boot_id").read_text().strip()


def read_stat(pid: int) -> ProcessStat | None:
    """None when there is no such process."""
    try:
        text = (PROC / str(pid) / "stat").read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The name, in brackets, may itself hold brackets and blanks; what follows its last bracket is regular.
    fields = text.rpartition(")")[2].split()
    state, session, started = fields[0], int(fields[3]), int(fields[19])
    return ProcessStat(ProcessKey(pid, started, boot_id()), session, zombie=state in "ZX")


def session_leaders(marker: str) -> Iterator[tuple[ProcessKey, dict[str, str]]]:
    """Our user's living session leaders whose environment holds `marker`, with that environment."""
    wanted = marker.encode()
    for entry in PROC.iterdir():
        if not entry.name.isdigit():
            continue
        environment = _environment(entry)
        if wanted not in environment:
            continue
        stat = read_stat(int(entry.name))
        if stat and stat.session == stat.key.pid and not stat.zombie:
            pairs = (item.decode(errors="replace").partition("=") for item in environment)
            yield stat.key, {name: value for name, _, value in pairs}


def _environment(entry: Path) -> frozenset[bytes]:
    try:
        if entry.stat().st_uid != os.geteuid():
            return frozenset()
        return frozenset((entry / "environ").read_bytes().split(b"\0"))
    except OSError:
        # It ended meanwhile, or it is not ours to look at.
        return frozenset()
