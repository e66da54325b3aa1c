"""One simulated container group: what was asked for, what became of it, and how Azure would tell it."""

import asyncio
from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

from pydantic import ConfigDict, Field
from wentlive_common.model import Model

from wentlive_devkit.azure.container import ContainerProcess
from wentlive_devkit.azure.script import Fate, Pace


class _Asked(Model):
    """As sent: names in camel case, and what is not used here is ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)


class Variable(_Asked):
    name: str
    value: str | None = None
    secure_value: str | None = Field(default=None, alias="secureValue")


class Requests(_Asked):
    cpu: float = Field(gt=0)
    memory_gb: float = Field(alias="memoryInGB", gt=0)


class Resources(_Asked):
    requests: Requests


class ContainerProperties(_Asked):
    image: str
    resources: Resources
    environment: tuple[Variable, ...] = Field(default=(), alias="environmentVariables")


class AskedContainer(_Asked):
    name: str
    properties: ContainerProperties


class RegistryCredential(_Asked):
    server: str
    identity: str | None = None
    username: str | None = None


class GroupProperties(_Asked):
    containers: tuple[AskedContainer, ...] = Field(min_length=1, max_length=60)
    os_type: str = Field(alias="osType")
    restart_policy: str = Field(default="Always", alias="restartPolicy")
    credentials: tuple[RegistryCredential, ...] = Field(default=(), alias="imageRegistryCredentials")
    priority: str | None = None


class AskedGroup(_Asked):
    location: str
    properties: GroupProperties
    tags: dict[str, str] = Field(default_factory=dict[str, str])
    identity: dict[str, Any] | None = None

    @property
    def region(self) -> str:
        return self.location.replace(" ", "").lower()

    @property
    def cores(self) -> float:
        return sum(container.properties.resources.requests.cpu for container in self.properties.containers)


def _stamp(*, fine: bool = False) -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds" if fine else "seconds").replace("+00:00", "Z")


class SimulatedGroup:
    """Lives from its creation until it is deleted, in a task of its own."""

    def __init__(self, resource_id: str, name: str, asked: AskedGroup, fate: Fate, process: ContainerProcess) -> None:
        self.id = resource_id
        self.name = name
        self.asked = asked
        self.fate = fate
        self.process = process
        self.provisioning = "Pending"
        self.state = "Pending"
        self.current: dict[str, Any] | None = None
        self.previous: dict[str, Any] | None = None
        self.events: list[dict[str, Any]] = []
        self.restarts = 0
        self.created_at = _stamp(fine=True)
        self.exit_code: int | None = None
        """What Azure will call its end, whatever its process says."""
        self.deleting = False

    @property
    def holds_cores(self) -> bool:
        return self.state in ("Pending", "Running")

    async def live(self, pace: Pace) -> None:
        """From the pull of the image to the end of its container."""
        image = self.asked.properties.containers[0].properties.image
        self._happened("Pulling", f'pulling image "{image}"')
        self.current = {"state": "Waiting", "detailStatus": ""}
        await asyncio.sleep(pace.pull)
        match self.fate.becomes:
            case "stuck":
                return
            case "failed":
                self._fail(f'Failed to pull image "{image}": rpc error: code = Unknown desc = context canceled')
            case "crash_loop":
                self._loop()
            case "normal":
                self._happened("Pulled", f'Successfully pulled image "{image}"')
                await asyncio.sleep(pace.start)
                await self._run()

    def end(self, exit_code: int | None = None) -> None:
        """Its process is killed; `exit_code` is what Azure will say of that."""
        self.exit_code = exit_code
        if exit_code is not None:
            self._happened("Killing", f"Killing container with id {self.name}.")
        self.process.kill()

    async def _run(self) -> None:
        self._happened("Created", "Created container")
        while not self.deleting:
            await self.process.start()
            if self.deleting:
                # It was told to go while its container was being started.
                self.process.kill()
            self._happened("Started", "Started container")
            self.provisioning, self.state = "Succeeded", "Running"
            self.current = {"state": "Running", "startTime": _stamp(fine=True), "detailStatus": ""}
            code = await self.process.ended()
            self._terminated(code if self.exit_code is None else self.exit_code)
            if code == 0 or self.deleting or not self.fate.restarted or self.restarts > 0:
                return
            self.restarts += 1

    def _terminated(self, code: int) -> None:
        started = (self.current or {}).get("startTime", _stamp(fine=True))
        self.previous = self.current = {
            "state": "Terminated",
            "startTime": started,
            "exitCode": code,
            "finishTime": _stamp(fine=True),
            "detailStatus": "Error" if code else "Completed",
        }
        self.state = "Failed" if code else "Succeeded"

    def _fail(self, message: str) -> None:
        self._happened("Failed", message, "Warning")
        self.provisioning = self.state = "Failed"

    def _loop(self) -> None:
        self.restarts = 4
        self._happened("BackOff", "Back-off restarting failed container", "Warning")
        detail = "CrashLoopBackOff: Back-off 40s restarting failed container"
        self.current = {"state": "Waiting", "detailStatus": detail}

    def _happened(self, name: str, message: str, kind: str = "Normal") -> None:
        now = _stamp()
        self.events.append(
            {"count": 1, "firstTimestamp": now, "lastTimestamp": now, "name": name, "message": message, "type": kind}
        )

    def described(self, *, with_views: bool = True) -> dict[str, Any]:
        """As GET tells it; a list leaves both instance views out. What was secret is never told again."""
        properties: dict[str, Any] = {
            "sku": "Standard",
            "provisioningState": "Deleting" if self.deleting else self.provisioning,
            "containers": [self._container(container, with_views) for container in self.asked.properties.containers],
            "initContainers": [],
            "restartPolicy": self.asked.properties.restart_policy,
            "osType": self.asked.properties.os_type,
        }
        if self.asked.properties.credentials:
            credentials = [c.model_dump(exclude_none=True) for c in self.asked.properties.credentials]
            properties["imageRegistryCredentials"] = credentials
        if self.asked.properties.priority:
            properties["priority"] = self.asked.properties.priority
        if with_views:
            properties["instanceView"] = {"events": [], "state": self.state}
        whole: dict[str, Any] = {"properties": properties}
        if self.asked.identity:
            whole["identity"] = _identity(self.asked.identity)
        return whole | {
            "id": self.id,
            "name": self.name,
            "type": "Microsoft.ContainerInstance/containerGroups",
            "location": self.asked.region,
            "tags": self.asked.tags,
        }

    def _container(self, asked: AskedContainer, with_views: bool) -> dict[str, Any]:
        requests = asked.properties.resources.requests
        properties: dict[str, Any] = {
            "image": asked.properties.image,
            "ports": [],
            "environmentVariables": [
                {"name": variable.name} | ({} if variable.value is None else {"value": variable.value})
                for variable in asked.properties.environment
            ],
        }
        if with_views and self.current is not None:
            view: dict[str, Any] = {"restartCount": self.restarts, "currentState": dict(self.current)}
            if self.restarts and self.previous:
                view["previousState"] = dict(self.previous)
            properties["instanceView"] = view | {"events": deepcopy(self.events)}
        properties["resources"] = {"requests": {"memoryInGB": requests.memory_gb, "cpu": requests.cpu}}
        return {"name": asked.name, "properties": properties}

    def operation(self) -> dict[str, Any]:
        """As the operation that its creation began is told."""
        status = {"Succeeded": "Succeeded", "Failed": "Failed"}.get(self.provisioning, "Pending")
        body: dict[str, Any] = {
            "id": self.id,
            "status": status,
            "startTime": self.created_at,
            "properties": {"events": deepcopy(self.events)},
        }
        if status == "Failed":
            body["error"] = {"code": "ContainerGroupDeploymentFailed", "message": self.events[-1]["message"]}
        return body


def _identity(asked: dict[str, Any]) -> dict[str, Any]:
    empty = "00000000-0000-0000-0000-000000000000"
    names: dict[str, Any] = asked.get("userAssignedIdentities") or {}
    known = {name: {"principalId": empty, "clientId": empty} for name in names}
    return {"type": asked.get("type", "None")} | ({"userAssignedIdentities": known} if known else {})
