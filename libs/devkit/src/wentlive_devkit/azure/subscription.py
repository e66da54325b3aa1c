"""The simulated subscription: its container groups, its quotas, and everything that was told to go wrong."""

import asyncio
import re
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from pydantic import ValidationError

from wentlive_devkit.azure import refusals
from wentlive_devkit.azure.container import ContainerProcess
from wentlive_devkit.azure.group import AskedGroup, SimulatedGroup
from wentlive_devkit.azure.refusals import Refused
from wentlive_devkit.azure.script import Fate, Fault, Operation, Pace, Quotas

NAME = re.compile(r"[a-z0-9](?:[a-z0-9]|-(?!-)){0,61}[a-z0-9]|[a-z0-9]")
NORMAL = Fate(times=None)


@dataclass(frozen=True, slots=True)
class Created:
    """A group that was asked for, for tests to count and to time."""

    name: str
    region: str
    tags: dict[str, str]
    at: float
    """`time.monotonic()` when the request came."""


class Requests:
    """Requests of a kind in the last five minutes and in the last hour."""

    def __init__(self) -> None:
        self._at: deque[float] = deque()

    def remaining(self, limit: int, now: float) -> tuple[int, int]:
        """How many more there may be in five minutes, and in an hour."""
        while self._at and self._at[0] < now - 3600:
            self._at.popleft()
        lately = sum(at > now - 300 for at in self._at)
        return max(1, limit // 3) - lately, limit - len(self._at)

    def count(self, limit: int) -> dict[str, str]:
        """Headers that say what is left; refuses the one that is too many."""
        now = time.monotonic()
        short, long = self.remaining(limit, now)
        if min(short, long) <= 0:
            raise refusals.throttled(17)
        self._at.append(now)
        prefix = "x-ms-ratelimit-remaining-subscription-resource-requests-"
        return {f"{prefix}pt5m": str(short - 1), f"{prefix}pt1h": str(long - 1)}


class Subscription:
    """All operations on container groups, without HTTP. Refusals are raised."""

    def __init__(self, folder: Path, command: Sequence[str], pace: Pace, quotas: Quotas) -> None:
        self.pace = pace
        self.quotas = quotas
        self.groups: dict[tuple[str, str], SimulatedGroup] = {}
        self.operations: dict[str, SimulatedGroup] = {}
        self.created: list[Created] = []
        self.updated: list[str] = []
        """Groups that were created a second time: Azure would have restarted them."""
        self.deletes: list[str] = []
        self._folder = folder
        self._command = command
        self._faults: list[Fault] = []
        self._fates: list[Fate] = []
        self._creates, self._removals = Requests(), Requests()
        self._tasks: set[asyncio.Task[None]] = set()
        self._lives: dict[str, asyncio.Task[None]] = {}

    def plan(self, fault: Fault) -> None:
        self._faults.append(fault)

    def plan_fate(self, fate: Fate) -> None:
        self._fates.append(fate)

    def heal(self) -> None:
        """Nothing goes wrong from now on, and what could not be deleted can be."""
        self._faults.clear()
        self._fates.clear()
        for group in self.groups.values():
            group.fate = NORMAL

    def fault(self, operation: Operation, region: str | None = None) -> Fault | None:
        """The trouble that this request meets, used up by it."""
        for index, fault in enumerate(self._faults):
            if fault.on == operation and fault.region in (None, region):
                _use(self._faults, index)
                return fault
        return None

    def create(self, resource_group: str, name: str, resource_id: str, body: Any) -> tuple[SimulatedGroup, bool, Any]:
        """The group, whether it is new, and the headers about what is left."""
        at = time.monotonic()
        asked = _checked(name, body)
        known = self.groups.get((resource_group.lower(), name.lower()))
        if known is not None:
            return self._update(known, asked), False, {}
        headers = self._creates.count(self.quotas.creates_per_hour)
        self._check_quotas(asked)
        fate = self._next_fate()
        group = SimulatedGroup(resource_id, name, asked, fate, self._process(name, asked))
        self.groups[resource_group.lower(), name.lower()] = group
        self.created.append(Created(name, asked.region, asked.tags, at))
        operation = str(uuid4())
        self.operations[operation] = group
        self._lives[group.id] = self._run(group.live(self.pace))
        return group, True, headers | {"operation": operation}

    def find(self, resource_group: str, name: str) -> SimulatedGroup:
        group = self.groups.get((resource_group.lower(), name.lower()))
        if group is None:
            raise refusals.not_found(name, resource_group)
        return group

    def of(self, resource_group: str) -> list[SimulatedGroup]:
        return [group for (where, _), group in self.groups.items() if where == resource_group.lower()]

    def delete(self, resource_group: str, name: str) -> tuple[SimulatedGroup | None, dict[str, str]]:
        """What is being deleted, None when there is no such group."""
        headers = self._removals.count(self.quotas.deletes_per_hour)
        self.deletes.append(name)
        group = self.groups.get((resource_group.lower(), name.lower()))
        if group is not None and not group.deleting and not group.fate.undeletable:
            group.deleting = True
            group.end()
            self._run(self._remove(resource_group, name))
        return group, headers

    def usages(self, region: str) -> list[dict[str, Any]]:
        groups = [group for group in self.groups.values() if group.asked.region == region]
        cores = sum(group.asked.cores for group in groups if group.holds_cores)
        return [
            _usage("ContainerGroups", "Container Groups", len(groups), self.quotas.groups),
            _usage("StandardCores", "Standard Cores", cores, self.quotas.cores),
        ]

    async def close(self) -> None:
        """Nothing of it runs any more."""
        for group in self.groups.values():
            group.deleting = True
            group.process.kill()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for group in self.groups.values():
            await self._ended(group)

    async def _remove(self, resource_group: str, name: str) -> None:
        await asyncio.sleep(self.pace.delete)
        key = resource_group.lower(), name.lower()
        # It is known until nothing of it runs: whoever closes this meanwhile ends it, too.
        await self._ended(self.groups[key])
        del self.groups[key]

    async def _ended(self, group: SimulatedGroup) -> None:
        """Its process may just be being started."""
        life = self._lives.pop(group.id, None)
        if life is not None:
            life.cancel()
            await asyncio.gather(life, return_exceptions=True)
        group.process.kill()
        await group.process.ended()

    def _update(self, group: SimulatedGroup, asked: AskedGroup) -> SimulatedGroup:
        if group.deleting:
            raise refusals.transitioning(group.name)
        if asked.region != group.asked.region:
            message = f"The resource '{group.name}' already exists in location '{group.asked.region}'."
            raise Refused(409, "InvalidResourceLocation", message)
        self.updated.append(group.name)
        group.end()
        return group

    def _check_quotas(self, asked: AskedGroup) -> None:
        groups, cores = self.usages(asked.region)
        if groups["currentValue"] + 1 > groups["limit"]:
            raise refusals.quota("ContainerGroups", asked.region, groups["limit"], groups["currentValue"])
        if cores["currentValue"] + asked.cores > cores["limit"]:
            raise refusals.quota("StandardCores", asked.region, cores["limit"], cores["currentValue"])

    def _next_fate(self) -> Fate:
        return _use(self._fates, 0) if self._fates else NORMAL

    def _process(self, name: str, asked: AskedGroup) -> ContainerProcess:
        variables = {
            variable.name: variable.secure_value if variable.secure_value is not None else variable.value or ""
            for variable in asked.properties.containers[0].properties.environment
        }
        return ContainerProcess(self._command, variables, self._folder / f"{name}.log")

    def _run(self, work: Any) -> asyncio.Task[None]:
        task: asyncio.Task[None] = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


def _use(scripts: list[Any], index: int) -> Any:
    """One of its times is over."""
    script = scripts[index]
    if script.times is not None:
        if script.times == 1:
            del scripts[index]
        else:
            scripts[index] = script.model_copy(update={"times": script.times - 1})
    return script


def _checked(name: str, body: Any) -> AskedGroup:
    if not NAME.fullmatch(name):
        raise Refused(400, "InvalidContainerGroupName", f"The container group name '{name}' is invalid.")
    try:
        asked = AskedGroup.model_validate(body)
    except ValidationError as error:
        places = [".".join(map(str, fault["loc"])) for fault in error.errors(include_input=False)]
        raise refusals.invalid(f"The request content was invalid: {', '.join(places)}.") from error
    held: dict[str, Any] = (asked.identity or {}).get("userAssignedIdentities") or {}
    for credential in asked.properties.credentials:
        if credential.identity is not None and credential.identity not in held:
            message = (
                f"The identity in the 'imageRegistryCredentials' of container group '{name}' not found in container"
                " group identity list."
            )
            raise Refused(400, "InvalidImageRegistryIdentity", message)
    return asked


def _usage(name: str, words: str, current: float, limit: float) -> dict[str, Any]:
    return {
        "unit": "Count",
        "currentValue": int(current),
        "limit": int(limit),
        "name": {"value": name, "localizedValue": words},
    }
