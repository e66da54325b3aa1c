"""The recorder's own log lines beside its recording: what happened stays known when the container is gone.

Lines wait in memory and are appended now and then. Nobody waits for that; where there is no room for a line, the oldest
ones that wait are left out, and the log says how many are missing.
"""

import json
import logging
from collections import deque
from collections.abc import Generator
from contextlib import contextmanager

import structlog
from wentlive_common.clock import Clock
from wentlive_common.errors import WentliveError
from wentlive_common.logging import json_formatter
from wentlive_common.model import to_rfc3339

from wentlive_recorder.errors import BlobMissing, Fenced
from wentlive_recorder.ports import BlobSink, IndexBlob

JOURNAL_NOT_STORED, LINES_LEFT_OUT = "journal_not_stored", "lines_left_out"
LARGEST = 4 * 1024 * 1024
"""Beyond this only the last lines are added, when it is closed."""
MOST_WAITING = 256 * 1024
_LONGEST_LINE = 32 * 1024
_FIRST_FLUSH, _INTERVAL = 2.0, 15.0

log = structlog.get_logger(__name__)


class Pages(logging.Handler):
    """The newest lines that are not stored yet; logged to by any thread."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(json_formatter("recorder"))
        self._lines: deque[bytes] = deque()
        self._bytes = 0
        self._left_out = 0

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = self.format(record).encode(errors="replace") + b"\n"
        except Exception:
            line = b""  # who logs must not fail; standard error has what is wrong with it
        if not line or len(line) > _LONGEST_LINE:
            self._left_out += 1
            return
        self._lines.append(line)
        self._bytes += len(line)
        while self._bytes > MOST_WAITING:
            self._bytes -= len(self._lines.popleft())
            self._left_out += 1

    def take(self) -> tuple[bytes, int]:
        """All that waits, and how many lines are missing before it."""
        self.acquire()
        try:
            lines, left_out = b"".join(self._lines), self._left_out
            self._lines.clear()
            self._bytes = self._left_out = 0
            return lines, left_out
        finally:
            self.release()

    @contextmanager
    def attached(self) -> Generator[None]:
        """Takes every line that is logged in this process."""
        root = logging.getLogger()
        root.addHandler(self)
        try:
            yield
        finally:
            root.removeHandler(self)


class Journal:
    """One attempt's log. `blob` is its append blob; a restarted attempt goes on with what is there."""

    def __init__(self, sink: BlobSink, blob: str, clock: Clock) -> None:
        self._blob: IndexBlob = sink.index(blob)
        self._clock = clock
        self.pages = Pages()
        self._size: int | None = None
        """None until the blob was looked at."""
        self._sending = b""
        """Kept as it is until it is stored: an append that is sent again must be the same one."""
        self._failing = False

    async def run(self) -> None:
        """Appends what is logged; cancel it to stop."""
        pause = _FIRST_FLUSH
        while True:
            await self._clock.sleep(pause)
            pause = _INTERVAL
            await self._flush(LARGEST - MOST_WAITING)

    async def close(self) -> None:
        """Appends the last lines; before them, what was being sent when `run` was cancelled."""
        if self._sending:
            await self._flush(LARGEST)
        await self._flush(LARGEST)

    async def _flush(self, most: int) -> None:
        try:
            if self._size is None:
                await self._open()
            self._sending = self._sending or self._next(most)
            if self._sending:
                await self._blob.append(self._sending)
                self._size = (self._size or 0) + len(self._sending)
                self._sending = b""
        except WentliveError as error:
            if isinstance(error, Fenced):
                self._size = None  # somebody else appended; this goes on behind it
            if not self._failing:
                log.warning(JOURNAL_NOT_STORED, why=error.message)
            self._failing = True
        else:
            self._failing = False

    async def _open(self) -> None:
        try:
            self._size = len(await self._blob.adopt())
        except BlobMissing:
            await self._blob.create()
            self._size = 0

    def _next(self, most: int) -> bytes:
        if (self._size or 0) >= most:
            return b""
        lines, left_out = self.pages.take()
        return self._gap(left_out) + lines if left_out else lines

    def _gap(self, left_out: int) -> bytes:
        why = f"Storage was away, or the log had grown to {LARGEST} bytes."
        line = {"event": LINES_LEFT_OUT, "level": "warning", "count": left_out, "why": why}
        return json.dumps({**line, "timestamp": to_rfc3339(self._clock.now())}).encode() + b"\n"
