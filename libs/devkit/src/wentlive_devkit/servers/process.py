"""A child process that is started, awaited, logged within bounds, stopped and always reaped."""

import asyncio
import os
import shutil
import signal
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import structlog

from wentlive_devkit.servers.errors import ServerFailed

LOG_LIMIT = 4 * 1024 * 1024
LOG_KEPT = 512 * 1024
LOG_CHECK_SECONDS = 5.0
POLL_SECONDS = 0.05
KILLED_SECONDS = 5.0
TAIL_LINES = 12

log = structlog.get_logger(__name__)


class ChildProcess:
    """One program in a session of its own, so that signals reach its children and Ctrl-C does not.

    Where `setpriv` exists (Linux), the kernel kills the program when this process dies, however it dies.
    """

    def __init__(
        self, name: str, argv: Sequence[str], *, cwd: Path, log_path: Path, env: Mapping[str, str] | None = None
    ) -> None:
        self.name = name
        self.log_path = log_path
        self._argv = die_with_parent(argv)
        self._cwd = cwd
        self._env = env
        self._process: asyncio.subprocess.Process | None = None
        self._guard: asyncio.Task[None] | None = None
        self._ready = False

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.returncode is None

    async def start(self) -> None:
        if self.running:
            raise ServerFailed(f"{self.name} is already running")
        self.log_path.parent.mkdir(parents=True, exist_ok=True)
        with self.log_path.open("ab") as output:
            self._process = await asyncio.create_subprocess_exec(
                *self._argv,
                cwd=self._cwd,
                env=self._env,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        if self._guard is not None:
            self._guard.cancel()
        self._guard = asyncio.create_task(_bound_log(self.log_path), name=f"{self.name}-log")
        log.debug("server.started", server=self.name, pid=self.pid)

    async def wait_ready(self, probe: Callable[[], Awaitable[bool]], within: float) -> None:
        """Returns once `probe` says yes; raises with the log's last lines when it ends or takes too long."""
        try:
            async with asyncio.timeout(within):
                while not await probe():
                    if not self.running:
                        raise ServerFailed(self._report(f"ended with exit code {self._exit_code()}"))
                    await asyncio.sleep(POLL_SECONDS)
            self._ready = True
        except TimeoutError as error:
            raise ServerFailed(self._report(f"was not ready within {within:g} s")) from error

    async def stop(self, grace: float = 10.0) -> None:
        """SIGTERM, after `grace` seconds SIGKILL; in either case nothing of its session is left.

        One that was never ready has nothing to save, and may not heed SIGTERM yet: it is killed at once.
        """
        process = self._process
        if process is None:
            return
        try:
            if process.returncode is None and self._ready:
                _signal(process.pid, signal.SIGTERM, group=False)
                with suppress(TimeoutError):
                    await asyncio.wait_for(process.wait(), grace)
        finally:
            await self.kill()

    async def kill(self) -> None:
        """SIGKILL to the whole session, as a crash would."""
        process, self._process = self._process, None
        guard, self._guard = self._guard, None
        self._ready = False
        if guard is not None:
            guard.cancel()
        if process is None:
            return
        _signal(process.pid, signal.SIGKILL, group=True)
        await asyncio.wait_for(process.wait(), KILLED_SECONDS)
        log.debug("server.stopped", server=self.name, exit_code=process.returncode)

    def _exit_code(self) -> int | None:
        return self._process.returncode if self._process else None

    def _report(self, what: str) -> str:
        lines = tail(self.log_path)
        return "\n  ".join([f"{self.name} {what}. Its log ({self.log_path}) ends:", *(lines or ["(empty)"])])


def tail(path: Path, lines: int = TAIL_LINES, width: int = 400) -> list[str]:
    """The last lines of a log that may still be written to, each cut to `width` characters."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - lines * width * 2))
            text = file.read().decode(errors="replace")
    except FileNotFoundError:
        return []
    return [line[:width] for line in text.splitlines() if line.strip()][-lines:]


def trim(path: Path, limit: int = LOG_LIMIT, kept: int = LOG_KEPT) -> None:
    """Cuts a log that outgrew `limit` to its last `kept` bytes, in place: its writer appends and need not know."""
    if path.stat().st_size <= limit:
        return
    with path.open("r+b") as file:
        file.seek(-kept, os.SEEK_END)
        last = file.read()
        file.truncate(0)
        file.seek(0)
        file.write(last)


async def _bound_log(path: Path) -> None:
    while True:
        await asyncio.sleep(LOG_CHECK_SECONDS)
        with suppress(FileNotFoundError):
            trim(path)


def die_with_parent(argv: Sequence[str]) -> list[str]:
    """The kernel tells only of deaths after `setpriv` asked it to: the shell looks whether one came before."""
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        return list(argv)
    alive = 'test "$PPID" = "$0" || exit 1; exec "$@"'
    return [setpriv, "--pdeathsig", "KILL", "--", "sh", "-c", alive, str(os.getpid()), *argv]


def _signal(pid: int, number: signal.Signals, *, group: bool) -> None:
    with suppress(ProcessLookupError):
        if group:
            os.killpg(pid, number)
        else:
            os.kill(pid, number)
