"""The process behind a container: a real recorder with the group's variables, killed when the group goes."""

import asyncio
import os
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from wentlive_devkit.servers.process import die_with_parent

PASSED_ON = ("PATH", "HOME", "LANG", "TZ", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR", "WENTLIVE_RUN")
LOG_BYTES = 4 * 1024 * 1024


class ContainerProcess:
    """One container: it may be started more than once, as the platform likes."""

    def __init__(self, command: Sequence[str], variables: Mapping[str, str], log: Path) -> None:
        self._command = die_with_parent(command)
        self._environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ} | dict(variables)
        self._log = log
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """One whose start is cancelled is waited for and killed: it would run on with nobody to end it."""
        starting = asyncio.ensure_future(self._spawn())
        try:
            self._process = await asyncio.shield(starting)
        except asyncio.CancelledError:
            self._process = await starting
            self.kill()
            await self._process.wait()
            raise

    async def _spawn(self) -> asyncio.subprocess.Process:
        self._log.parent.mkdir(parents=True, exist_ok=True)
        with self._log.open("ab") as output:
            return await asyncio.create_subprocess_exec(
                *self._command,
                env=self._environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    async def ended(self) -> int:
        """Its exit code; 137 when it was killed."""
        if self._process is None:
            return 137
        code = await self._process.wait()
        return 128 - code if code < 0 else code

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process and self._process.returncode is None else None

    def kill(self) -> None:
        """Azure's stop and delete alike: SIGKILL, to all of it."""
        if self.pid is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)

    def log(self, lines: int | None) -> str:
        try:
            with self._log.open("rb") as file:
                file.seek(max(0, self._log.stat().st_size - LOG_BYTES))
                text = file.read().decode(errors="replace")
        except FileNotFoundError:
            return ""
        return "".join(text.splitlines(keepends=True)[-lines:]) if lines else text
