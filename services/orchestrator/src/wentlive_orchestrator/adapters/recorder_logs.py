"""What recorders write to standard error: a file for each attempt, bounded in size and in number."""

import os
import shutil
from contextlib import suppress
from pathlib import Path

MAX_BYTES = 4 * 1024 * 1024
KEPT_FILES = 500
TAIL_BYTES = 64 * 1024


class RecorderLogs:
    """Files `<recording>-a<attempt>.log`. A file that grew too long is moved to `.log.1` and begins anew."""

    def __init__(self, folder: Path, *, max_bytes: int = MAX_BYTES, kept_files: int = KEPT_FILES) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._kept_files = kept_files

    def open(self, recording_id: str, attempt: int) -> int:
        """A descriptor that appends, so that cutting the file short under the writer is safe."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = self.path(recording_id, attempt)
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)

    def path(self, recording_id: str, attempt: int) -> Path:
        return self._folder / f"{recording_id}-a{attempt}.log"

    def tail(self, recording_id: str, attempt: int) -> str:
        """The last of it, from the beginning of a line; empty when there is no file."""
        try:
            with self.path(recording_id, attempt).open("rb") as file:
                size = file.seek(0, os.SEEK_END)
                file.seek(max(0, size - TAIL_BYTES))
                text = file.read(TAIL_BYTES).decode(errors="replace")
        except FileNotFoundError:
            return ""
        return text if size <= TAIL_BYTES else text.partition("\n")[2]

    def tidy(self) -> None:
        """Cuts what is too long and removes the oldest of too many."""
        found: list[tuple[float, Path]] = []
        for path in self._folder.glob("*.log"):
            with suppress(FileNotFoundError):
                stat = path.stat()
                found.append((stat.st_mtime, path))
                if stat.st_size > self._max_bytes:
                    shutil.copyfile(path, path.with_suffix(".log.1"))
                    os.truncate(path, 0)
        for _, path in sorted(found)[: -self._kept_files]:
            path.unlink(missing_ok=True)
            path.with_suffix(".log.1").unlink(missing_ok=True)
