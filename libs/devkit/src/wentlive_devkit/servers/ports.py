"""Free loopback ports for servers that must be told their port before they start."""

import asyncio
import fcntl
import random
import socket
import tempfile
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path

HOST = "127.0.0.1"
# Below the range that the kernel takes outgoing connections' ports from (32768 and up): what is free here stays free.
FIRST, LAST = 20_000, 32_000
ATTEMPTS = 1_000

_handed_out: set[int] = set()


def free_ports(count: int) -> tuple[int, ...]:
    """`count` different ports that nothing listens on; this process never gives one out twice."""
    chosen: list[int] = []
    with ExitStack() as held:
        for candidate in random.SystemRandom().sample(range(FIRST, LAST), ATTEMPTS):
            if len(chosen) == count:
                break
            if candidate not in _handed_out and _bind(candidate, held):
                chosen.append(candidate)
    if len(chosen) < count:
        raise OSError(f"no {count} free ports between {FIRST} and {LAST} on {HOST}")
    _handed_out.update(chosen)
    return tuple(chosen)


def free_port() -> int:
    return free_ports(1)[0]


def kept_port(note: Path) -> int:
    """The port that an earlier run noted in the file `note`, unless it is in use; else a free one, noted there."""
    try:
        port = int(note.read_text())
    except (OSError, ValueError):
        port = 0
    if not (FIRST <= port < LAST and port not in _handed_out and can_listen(port)):
        port = free_port()
        note.write_text(str(port))
    _handed_out.add(port)
    return port


@contextmanager
def claimed(port: int) -> Generator[bool]:
    """Whether `port` is free and nobody else on this machine has claimed it: others may be about to listen on it."""
    with ExitStack() as held:
        yield can_listen(port) and _locked(port, held)


def can_listen(port: int) -> bool:
    """Whether a server could open `port` now; connections of one that ended do not count."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except (OSError, OverflowError):
            return False
    return True


async def listening(port: int) -> bool:
    """Whether somebody takes connections on `port`."""
    try:
        _, writer = await asyncio.open_connection(HOST, port)
    except OSError:
        return False
    writer.close()
    await writer.wait_closed()
    return True


def _locked(port: int, held: ExitStack) -> bool:
    lock = Path(tempfile.gettempdir()) / f"wentlive-{port}.lock"
    try:
        fcntl.flock(held.enter_context(lock.open("w")), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    held.callback(lock.unlink, missing_ok=True)
    return True


def _bind(port: int, held: ExitStack) -> bool:
    sock = held.enter_context(socket.socket())
    try:
        sock.bind((HOST, port))
    except OSError:
        return False
    return True
