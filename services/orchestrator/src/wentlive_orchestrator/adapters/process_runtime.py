"""Recorders as processes of this machine: the embedded default.

Each runs in a session of its own, so that it outlives an orchestrator that is killed, and carries its name in
its environment, so that the next orchestrator finds it even when its handle was never stored. Linux only.
"""

import asyncio
import errno
import hashlib
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from wentlive_common.job import RecordingJob
from wentlive_common.lifecycle import wait_any

from wentlive_orchestrator.adapters.process_table import ProcessKey, ProcessStat, boot_id, read_stat, session_leaders
from wentlive_orchestrator.adapters.recorder_logs import RecorderLogs
from wentlive_orchestrator.admission import OPEN
from wentlive_orchestrator.ports import (
    AttemptSpec,
    Exited,
    Gone,
    Running,
    RuntimeHandle,
    RuntimeStatus,
    RuntimeUnavailable,
    StartRefused,
    Unknown,
)

RECORDER = (sys.executable, "-P", "-m", "wentlive_recorder")
NAME = "WENTLIVE_PROCESS_NAME"
OWNER = "WENTLIVE_PROCESS_OWNER"
PASSED_ON = (
    "PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR", "WENTLIVE_RUN",
    "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "all_proxy", "no_proxy",
)  # fmt: skip
KILL_SECONDS = 5.0


class ProcessRuntime:
    """`RecorderRuntime` over subprocesses. `data_dir` also tells our recorders from another installation's."""

    image = None
    """It runs what is installed here."""

    def __init__(self, data_dir: Path, recorder_env: Mapping[str, str], *, command: Sequence[str] = RECORDER) -> None:
        self.room = OPEN
        self._command = list(command)
        self._recorder_env = dict(recorder_env)
        self._logs = RecorderLogs(data_dir / "recorders")
        self._owner = hashlib.sha256(str(data_dir.resolve()).encode()).hexdigest()[:16]
        self._children: set[ProcessKey] = set()
        self._exit_codes: dict[ProcessKey, int] = {}

    async def start(self, spec: AttemptSpec, job: RecordingJob) -> RuntimeHandle:
        # Spawning takes about a millisecond: not worth a thread, in which a cancelled start would go on unseen.
        try:
            stat = self._spawn(spec, job)
        except OSError as error:
            raise StartRefused(f"The recorder's process cannot be started: {error.strerror}.") from error
        self._children.add(stat.key)
        return _handle(spec.name, stat.key)

    async def status(self, handle: RuntimeHandle) -> RuntimeStatus:
        key = _key(handle)
        if key is None:
            return Unknown("The handle is not one of this runtime's.")
        self._reap(key)
        if key in self._exit_codes:
            return Exited(self._exit_codes[key])
        stat = _stat(key)
        if stat is None:
            return Gone()
        return Exited(None) if stat.zombie else Running()

    async def stop(self, handle: RuntimeHandle) -> None:
        if key := _key(handle):
            _signal(key, signal.SIGTERM)

    async def delete(self, handle: RuntimeHandle) -> None:
        key = _key(handle)
        if key is None:
            raise RuntimeUnavailable(f"The handle of {handle.name} is not one of this runtime's.")
        _signal(key, signal.SIGKILL)
        await self._ended(key, handle.name)
        self._reap(key)
        self._exit_codes.pop(key, None)

    async def find(self, name: str) -> RuntimeHandle | None:
        return next((handle for handle in await self.list() if handle.name == name), None)

    async def log(self, spec: AttemptSpec, handle: RuntimeHandle | None) -> str:
        return await asyncio.to_thread(self._logs.tail, spec.recording_id, spec.number)

    async def list(self) -> Sequence[RuntimeHandle]:
        for key in tuple(self._children):
            self._reap(key)
        return await asyncio.to_thread(self._scan)

    def _scan(self) -> Sequence[RuntimeHandle]:
        self._logs.tidy()
        found = session_leaders(f"{OWNER}={self._owner}")
        return [_handle(environment.get(NAME, "unnamed"), key) for key, environment in found]

    def _spawn(self, spec: AttemptSpec, job: RecordingJob) -> ProcessStat:
        """The job goes through a file in memory: complete from the first byte, and nowhere to be seen."""
        standard_input = os.memfd_create(spec.name)
        log: int | None = None
        try:
            os.write(standard_input, job.to_secret_json())
            os.lseek(standard_input, 0, os.SEEK_SET)
            log = self._logs.open(spec.recording_id, spec.number)
            pid = os.posix_spawnp(
                self._command[0], self._command, self._environment(spec), setsid=True,
                file_actions=[
                    (os.POSIX_SPAWN_DUP2, standard_input, 0),
                    (os.POSIX_SPAWN_DUP2, log, 1),
                    (os.POSIX_SPAWN_DUP2, log, 2),
                ],
                setsigmask=(), setsigdef=(signal.SIGPIPE, signal.SIGINT, signal.SIGTERM),
            )  # fmt: skip
        finally:
            os.close(standard_input)
            if log is not None:
                os.close(log)
        stat = read_stat(pid)
        if stat is None:
            # Our child stays at least as a zombie until we collect it, unless somebody set SIGCHLD to be ignored.
            raise RuntimeUnavailable(f"The process of {spec.name} vanished as it was started.")
        return stat

    def _environment(self, spec: AttemptSpec) -> dict[str, str]:
        passed_on = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        return passed_on | self._recorder_env | {NAME: spec.name, OWNER: self._owner}

    def _reap(self, key: ProcessKey) -> None:
        """Collects a child that ended; others' children are collected by their parents."""
        if key not in self._children:
            return
        try:
            pid, status = os.waitpid(key.pid, os.WNOHANG)
        except ChildProcessError:
            self._children.discard(key)
            return
        if pid == key.pid:
            self._children.discard(key)
            self._exit_codes[key] = os.waitstatus_to_exitcode(status)

    async def _ended(self, key: ProcessKey, name: str) -> None:
        fd = _open_pidfd(key)
        if fd is None:
            return
        loop = asyncio.get_running_loop()
        ended = asyncio.Event()
        loop.add_reader(fd, ended.set)
        try:
            await wait_any(ended.wait(), asyncio.sleep(KILL_SECONDS))
        finally:
            loop.remove_reader(fd)
            os.close(fd)
        if not ended.is_set():
            raise RuntimeUnavailable(f"The process of {name} does not die.")


def _handle(name: str, key: ProcessKey) -> RuntimeHandle:
    return RuntimeHandle(name=name, state={"pid": key.pid, "started": key.started, "boot": key.boot})


def _key(handle: RuntimeHandle) -> ProcessKey | None:
    state: dict[str, Any] = handle.state
    try:
        return ProcessKey(int(state["pid"]), int(state["started"]), str(state["boot"]))
    except (KeyError, TypeError, ValueError):
        return None


def _stat(key: ProcessKey) -> ProcessStat | None:
    stat = read_stat(key.pid) if key.boot == boot_id() else None
    return stat if stat and stat.key == key else None


def _open_pidfd(key: ProcessKey) -> int | None:
    """A descriptor of exactly this process, or None when it is gone."""
    try:
        fd = os.pidfd_open(key.pid)
    except OSError as error:
        # ENOENT (EINVAL before Linux 6.15): the id is a thread's now, as it soon is in a container that was restarted.
        if error.errno not in (errno.ESRCH, errno.ENOENT, errno.EINVAL):
            raise
        return None
    # The id may have been recycled before it was opened; from here on the descriptor cannot be.
    stat = _stat(key)
    if stat is None or stat.zombie:
        os.close(fd)
        return None
    return fd


def _signal(key: ProcessKey, number: signal.Signals) -> None:
    fd = _open_pidfd(key)
    if fd is None:
        return
    try:
        signal.pidfd_send_signal(fd, number)
    except ProcessLookupError:
        return
    finally:
        os.close(fd)
