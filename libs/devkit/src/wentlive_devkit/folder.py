"""The one folder that a run writes to, held by one run at a time."""

import fcntl
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from wentlive_common.errors import Conflict

THROWAWAY = ".wentlive-demo"
"""Stands in folders that a demo made and may delete; nothing else is ever deleted."""


@contextmanager
def locked_folder(folder: Path, *, fresh: bool) -> Generator[None]:
    """Creates the folder (emptied first when `fresh`) and holds it; raises `Conflict` when another run does."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    lock = folder.parent / f".{folder.name}.lock"
    with lock.open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Conflict(
                f"Another Wentlive runs in {folder}: stop it, or choose another folder by --data."
            ) from error
        try:
            mark = folder / THROWAWAY
            if fresh and folder.exists() and any(folder.iterdir()) and not mark.exists():
                raise Conflict(
                    f"{folder} was not made by a demo, and a demo deletes what is in it: choose a new one by --data."
                )
            if fresh:
                shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(mode=0o700, exist_ok=True)
            mark.touch() if fresh else mark.unlink(missing_ok=True)
            yield
        finally:
            lock.unlink(missing_ok=True)
