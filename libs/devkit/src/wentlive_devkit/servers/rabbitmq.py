"""A private RabbitMQ node: own ports, data, cookie and port mapper, so that it meets no other node."""

import asyncio
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Self

import httpx

from wentlive_devkit.servers.errors import ServerFailed
from wentlive_devkit.servers.ports import HOST, free_ports
from wentlive_devkit.servers.process import ChildProcess
from wentlive_devkit.servers.programs import find_program

NODE_NAME = "wentlive@localhost"
USER = PASSWORD = "guest"  # noqa: S105 - RabbitMQ's own account, which it accepts from the loopback only
# The scripts themselves: the wrappers in /usr/sbin switch users as root and refuses everybody else.
SCRIPT_FOLDERS = ("/usr/lib/rabbitmq/bin", "/opt/rabbitmq/sbin")
INSTALL = "run `apt-get install rabbitmq-server` as root, or start without a broker by `--solo`"
# A young quorum queue whose broker was killed can stay without a leader for ever; a leader ignores this.
ELECT_LEADERS = "[ra:trigger_election(amqqueue:get_pid(Q)) || Q <- rabbit_amqqueue:list_by_type(rabbit_quorum_queue)]."
SYNC_TABLES = "[dets:sync(Table) || Table <- dets:all()]."
READY_SECONDS = 90.0
STOP_SECONDS = 20.0

CONFIG = """\
listeners.tcp.1 = {host}:{amqp}
management.tcp.ip = {host}
management.tcp.port = {management}
loopback_users.guest = true
disk_free_limit.absolute = 200MB
vm_memory_high_watermark.absolute = 512MiB
log.console = false
log.file.rotation.size = 4194304
log.file.rotation.count = 2
"""


class RabbitMqNode:
    """`async with RabbitMqNode.start(folder) as node:` gives a broker at `node.amqp_url`."""

    def __init__(self, data_dir: Path) -> None:
        self._dir = data_dir.resolve()
        self._amqp, self._management, self._distribution, self._epmd_port = free_ports(4)
        self.version = ""
        epmd = find_program("RabbitMQ", paths=("epmd", "/usr/lib/erlang/bin/epmd"), install=INSTALL)
        script = _script("rabbitmq-server")
        # Started by us and not by the node, which would leave it behind.
        self._epmd = self._child("epmd", [str(epmd), "-port", str(self._epmd_port), "-address", HOST])
        self._broker = self._child("RabbitMQ", [str(script)])

    @classmethod
    @asynccontextmanager
    async def start(cls, data_dir: Path) -> AsyncGenerator[Self]:
        node = cls(data_dir)
        try:
            await node.restart()
            yield node
        finally:
            await node._stop()

    @staticmethod
    def installed() -> str:
        """Where its program is; raises `ServerUnavailable`."""
        return str(_script("rabbitmq-server"))

    @property
    def name(self) -> str:
        return f"RabbitMQ {self.version}"

    @property
    def amqp_url(self) -> str:
        return f"amqp://{USER}:{PASSWORD}@{HOST}:{self._amqp}/"

    @property
    def management_url(self) -> str:
        return f"http://{HOST}:{self._management}/"

    @property
    def pid(self) -> int | None:
        return self._broker.pid

    @property
    def running(self) -> bool:
        """Whether node and port mapper are there: without the latter nobody could control the former."""
        return self._broker.running and self._epmd.running

    @property
    def log_path(self) -> Path:
        return self._broker.log_path

    async def kill(self) -> None:
        """Ends the node by SIGKILL, as a crash would; `restart` brings it back on the same ports and data."""
        await self._broker.kill()

    async def restart(self) -> None:
        """Stops the node when it runs, starts it, and returns when it takes connections."""
        await self._broker.stop(STOP_SECONDS)
        self._write_config()
        if not self._epmd.running:
            await self._epmd.start()
            await self._epmd.wait_ready(self._epmd_answers, READY_SECONDS)
        await self._broker.start()
        await self._broker.wait_ready(self._answers, READY_SECONDS)
        if any((self._dir / "mnesia" / NODE_NAME / "quorum").glob("*/*/")):
            await self.control("eval", ELECT_LEADERS)

    async def sync(self) -> None:
        """Writes the registry of quorum queues to disk: call it between declaring a queue and a `kill`.

        RabbitMQ does it by itself after some 3 s. A queue whose broker is killed earlier comes back empty, though
        publishes were confirmed.
        """
        await self.control("eval", SYNC_TABLES)

    async def control(self, *arguments: str, within: float = 30.0) -> str:
        """Runs `rabbitmqctl` against this node and returns what it prints."""
        program = _script("rabbitmqctl")
        process = await asyncio.create_subprocess_exec(
            str(program),
            *arguments,
            env=self._environment(),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            output, _ = await asyncio.wait_for(process.communicate(), within)
        finally:
            with suppress(ProcessLookupError):
                process.kill()
        if process.returncode:
            raise ServerFailed(f"rabbitmqctl {' '.join(arguments)}: {output.decode(errors='replace').strip()}")
        return output.decode()

    async def _stop(self) -> None:
        try:
            await self._broker.stop(STOP_SECONDS)
        finally:
            await self._epmd.kill()

    def _child(self, name: str, argv: list[str]) -> ChildProcess:
        log_path = self._dir / "log" / f"{name.lower()}.out"
        return ChildProcess(name, argv, cwd=self._dir, env=self._environment(), log_path=log_path)

    def _write_config(self) -> None:
        for folder in ("home", "mnesia", "log", "gen"):
            (self._dir / folder).mkdir(parents=True, exist_ok=True)
        ports = {"host": HOST, "amqp": self._amqp, "management": self._management}
        (self._dir / "rabbitmq.conf").write_text(CONFIG.format_map(ports))
        (self._dir / "enabled_plugins").write_text("[rabbitmq_management].\n")

    def _environment(self) -> dict[str, str]:
        """Everything the node reads, and nothing inherited: no file of a system-wide RabbitMQ takes part."""
        own = self._dir
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "LANG": "C.UTF-8",
            "HOME": str(own / "home"),
            "RABBITMQ_CONF_ENV_FILE": os.devnull,
            # Makes the script exec the broker instead of waiting for it: the pid is the broker's own.
            "RUNNING_UNDER_SYSTEMD": "true",
            "RABBITMQ_NODENAME": NODE_NAME,
            "RABBITMQ_DIST_PORT": str(self._distribution),
            "RABBITMQ_MNESIA_BASE": str(own / "mnesia"),
            "RABBITMQ_LOG_BASE": str(own / "log"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(own / "enabled_plugins"),
            "RABBITMQ_CONFIG_FILE": str(own / "rabbitmq.conf"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(own / "advanced.config"),
            "RABBITMQ_GENERATED_CONFIG_DIR": str(own / "gen"),
            "RABBITMQ_PID_FILE": str(own / "rabbit.pid"),
            "ERL_EPMD_PORT": str(self._epmd_port),
            "ERL_EPMD_ADDRESS": HOST,
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
        }

    async def _epmd_answers(self) -> bool:
        return await _exchange(self._epmd_port, b"\x00\x01n") is not None

    async def _answers(self) -> bool:
        if not await _exchange(self._amqp, b"AMQP\x00\x00\x09\x01"):
            return False
        try:
            async with httpx.AsyncClient(auth=(USER, PASSWORD), timeout=5, trust_env=False) as client:
                overview = await client.get(f"{self.management_url}api/overview")
        except httpx.TransportError:
            return False
        if not overview.is_success:
            return False
        self.version = str(overview.json()["rabbitmq_version"])
        return True


def _script(name: str) -> Path:
    paths = [f"{folder}/{name}" for folder in SCRIPT_FOLDERS]
    return find_program("RabbitMQ", paths=paths, install=INSTALL)


async def _exchange(port: int, greeting: bytes, within: float = 2.0) -> bytes | None:
    """The first byte that a server answers, empty when it hangs up, None when nobody listens."""
    writer: asyncio.StreamWriter | None = None
    try:
        async with asyncio.timeout(within):
            reader, writer = await asyncio.open_connection(HOST, port)
            writer.write(greeting)
            return await reader.read(1)
    except (OSError, TimeoutError):
        return None
    finally:
        if writer is not None:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()
