"""What Azure's answers say of a container group, checked and typed; the SDK's own models leave both to chance."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import BeforeValidator, ConfigDict, Field
from wentlive_common.model import Model, to_rfc3339

from wentlive_orchestrator.ports import Exited, Running, RuntimeHandle

APP = "wentlive"
ENDED = ("Succeeded", "Failed", "Stopped")
MAX_DETAIL = 300
EPOCH = re.compile(r"[0-9]{1,11}")


class View(Model):
    model_config = ConfigDict(frozen=True, extra="ignore", from_attributes=True)


def _or_empty(value: Any) -> Any:
    return () if value is None else value


class EventView(View):
    name: str | None = None
    message: str | None = None
    type: str | None = None


Events = Annotated[tuple[EventView, ...], BeforeValidator(_or_empty)]


class StateView(View):
    state: str | None = None
    exit_code: int | None = None
    detail_status: str | None = None


class InstanceView(View):
    """Of a group (`state`) or of its container (`current_state`). Lists have neither."""

    state: str | None = None
    current_state: StateView | None = None
    events: Events = ()


class RequestsView(View):
    cpu: float
    memory_in_gb: float


class ResourcesView(View):
    requests: RequestsView


class ContainerView(View):
    image: str
    resources: ResourcesView
    instance_view: InstanceView | None = None


class GroupView(View):
    name: str
    location: str
    tags: dict[str, str] | None = None
    priority: str | None = None
    provisioning_state: str | None = None
    containers: Annotated[tuple[ContainerView, ...], Field(min_length=1)]
    instance_view: InstanceView | None = None

    @property
    def region(self) -> str:
        """Azure answers `westeurope` or `West Europe`, as it likes."""
        return self.location.replace(" ", "").lower()

    @property
    def never_ran(self) -> bool:
        """Azure took it, yet no container of it was ever started."""
        current = self._current
        return self.provisioning_state == "Failed" or current is None or current.state == "Waiting"

    @property
    def status(self) -> Running | Exited:
        """It ended when any of its three states says so: they do not change together."""
        current = self._current
        if self.provisioning_state == "Failed":
            return Exited(None, self._detail("Azure could not set its container group up"))
        if current and current.state == "Terminated":
            return Exited(current.exit_code, self._detail(current.detail_status or ""))
        if current and "CrashLoopBackOff" in (current.detail_status or ""):
            return Exited(None, self._detail("Azure has stopped starting it again"))
        state = self.instance_view.state if self.instance_view else None
        return Exited(None, self._detail(f"its container group is {state}")) if state in ENDED else Running()

    def handle(self, now: datetime) -> RuntimeHandle:
        requests = self.containers[0].resources.requests
        state = runtime_state(
            self.region, requests.cpu, requests.memory_in_gb, self.priority or "Regular", self._created
        )
        return RuntimeHandle(name=self.name, state=state, doomed=self._doomed(now))

    def _doomed(self, now: datetime) -> str:
        if self.provisioning_state == "Failed":
            return "Azure could not set its container group up."
        deadline = self._tagged("delete-after")
        return "Its container group is past its deadline." if deadline and now > deadline else ""

    @property
    def _created(self) -> datetime | None:
        return self._tagged("created-at")

    def _tagged(self, name: str) -> datetime | None:
        value = (self.tags or {}).get(name, "")
        return datetime.fromtimestamp(int(value), UTC) if EPOCH.fullmatch(value) else None

    @property
    def _current(self) -> StateView | None:
        view = self.containers[0].instance_view
        return view.current_state if view else None

    def _detail(self, what: str) -> str:
        """With the last warning that Azure tells of it, which is mostly the cause."""
        views = [self.instance_view, *(container.instance_view for container in self.containers)]
        events = [event for view in views if view for event in view.events]
        warnings = [f"{e.name}: {e.message}" for e in events if e.type == "Warning" or e.name == "Killing"]
        return "; ".join(filter(None, (what, *warnings[-1:])))[:MAX_DETAIL]


def is_ours(tags: Mapping[str, str] | None, deployment: str) -> bool:
    """Nothing without these tags is ever touched."""
    return tags is not None and tags.get("app") == APP and tags.get("deployment") == deployment


def runtime_state(
    region: str, vcpu: float, memory_gb: float, priority: str, created: datetime | None
) -> dict[str, Any]:
    """What a handle keeps: where it runs, and what it costs; also when it turns up and nobody knows it any more."""
    state = {"runtime": "aci", "region": region, "vcpu": vcpu, "memory_gb": memory_gb, "priority": priority.lower()}
    return state | ({"created_at": to_rfc3339(created.replace(microsecond=0))} if created else {})
