"""Recorders as container groups in Azure Container Instances, one for each attempt.

No long-running operation is waited for: what exists is listed again and again, and told to go until it is gone.
"""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import structlog
from azure.core.exceptions import AzureError
from azure.mgmt.containerinstance import models
from azure.mgmt.containerinstance.aio import ContainerInstanceManagementClient
from pydantic import ValidationError
from wentlive_common.clock import Clock
from wentlive_common.job import RecordingJob

from wentlive_orchestrator.aci_settings import AciSettings
from wentlive_orchestrator.adapters.aci_client import get_group, open_aci_client
from wentlive_orchestrator.adapters.aci_deletions import Deletions
from wentlive_orchestrator.adapters.aci_errors import Kind, arm_errors, detail_of, kind_of, retry_after, start_error
from wentlive_orchestrator.adapters.aci_group import group_for
from wentlive_orchestrator.adapters.aci_group_view import GroupView, is_ours, runtime_state
from wentlive_orchestrator.adapters.aci_logs import AciLogs
from wentlive_orchestrator.adapters.aci_room import AciRoom, Usage
from wentlive_orchestrator.adapters.arm_allowance import Allowance
from wentlive_orchestrator.adapters.recorder_logs import RecorderLogs
from wentlive_orchestrator.finishing import FinishRequests
from wentlive_orchestrator.ports import AttemptSpec, Gone, RuntimeHandle, RuntimeStatus, RuntimeUnavailable, Unknown

log = structlog.get_logger(__name__)

USAGE_SECONDS = 30.0
READS_PER_HOUR = 6000
"""Half of what Azure grants: when all recorders fall silent at once, it is most likely we who do not hear them."""


@dataclass(frozen=True, slots=True)
class Look:
    status: RuntimeStatus
    at: float


class AciRuntime:
    """`RecorderRuntime` over container groups. `room` says whether, and where, there is place for another."""

    def __init__(
        self,
        settings: AciSettings,
        client: ContainerInstanceManagementClient,
        recorder_env: Mapping[str, str],
        finishing: FinishRequests,
        logs: RecorderLogs,
        clock: Clock,
    ) -> None:
        self._settings = settings
        self._client = client
        self.image: str | None = settings.image
        self._recorder_env = dict(recorder_env)
        self._finishing = finishing
        self._clock = clock
        creates = Allowance(settings.creates_per_hour, clock)
        self._creates = creates
        self.room = AciRoom(settings.regions, settings.cpu, settings.most_groups, creates, clock)
        self._logs = AciLogs(client, settings.resource_group, logs)
        self._deletions = Deletions(settings, client, self._logs.keep, clock)
        self._looks: dict[str, Look] = {}
        self._never_ran: dict[str, str] = {}
        """Region by name of groups that were up to nothing when last looked at."""
        self._reads = Allowance(READS_PER_HOUR, clock)
        self._usage_at: float | None = None

    async def start(self, spec: AttemptSpec, job: RecordingJob) -> RuntimeHandle:
        """One request, one name, one region: an attempt that is refused is followed by another, elsewhere."""
        region, now = self.room.take(spec.recording_id, spec.name), self._clock.now()
        group = group_for(self._settings, region, spec, job, self._recorder_env, now)
        # Untyped, as the SDK itself leaves this one call.
        groups: Any = self._client.container_groups
        try:
            await groups.begin_create_or_update(
                self._settings.resource_group, spec.name, group, polling=False, raw_response_hook=self._learn
            )
        except AzureError as error:
            self._refused(error, region, spec.name)
            raise start_error(error, region) from error
        finally:
            self.room.answered(spec.name)
        self.room.accepted(region)
        return RuntimeHandle(name=spec.name, state=self._state(region, now))

    async def status(self, handle: RuntimeHandle) -> RuntimeStatus:
        now = self._clock.monotonic()
        look = self._looks.get(handle.name)
        if look is None or now - look.at >= self._settings.look_interval:
            if not self._reads.take():
                return Unknown("Azure was asked about too many container groups lately.")
            look = Look(await self._status(handle), now)
            self._looks[handle.name] = look
        return look.status

    async def stop(self, handle: RuntimeHandle) -> None:
        """By the answer to its next report: Azure's own stop is a SIGKILL."""
        self._finishing.ask(handle.name)

    async def delete(self, handle: RuntimeHandle) -> None:
        self._looks.pop(handle.name, None)
        if region := self._never_ran.pop(handle.name, None):
            self.room.disappointed(region)
        await self._deletions.delete(handle.name)
        self.room.gone(handle.name)
        self._finishing.forget(handle.name)

    def began(self, name: str) -> bool:
        """Whether its container was up to something when it was last looked at."""
        return name in self._looks and name not in self._never_ran

    async def find(self, name: str) -> RuntimeHandle | None:
        group = await get_group(self._client, self._settings.resource_group, name)
        return group.handle(self._clock.now()) if group and is_ours(group.tags, self._settings.deployment) else None

    async def list(self) -> Sequence[RuntimeHandle]:
        known, listing = self.room.known(), self._deletions.listing()
        with arm_errors("Azure does not list the container groups"):
            pages = self._client.container_groups.list_by_resource_group(self._settings.resource_group)
            groups = [group async for group in pages if self._is_ours(group)]
        views = [view for group in groups if (view := _viewed(group))]
        by_region = {view.name: view.region for view in views}
        self.room.listed(by_region, known)
        listing.done(by_region.keys())
        self._forget_all_but(by_region)
        await self._learn_usage()
        now = self._clock.now()
        return [view.handle(now) for view in views]

    async def log(self, spec: AttemptSpec, handle: RuntimeHandle | None) -> str:
        return await self._logs.read(spec.name, spec.recording_id, spec.number)

    async def _status(self, handle: RuntimeHandle) -> RuntimeStatus:
        try:
            group = await get_group(self._client, self._settings.resource_group, handle.name)
        except RuntimeUnavailable as error:
            return Unknown(error.message)
        if group is None:
            return Gone()
        if group.never_ran:
            self._never_ran[handle.name] = group.region
        else:
            self._never_ran.pop(handle.name, None)
        return group.status

    def _is_ours(self, group: models.ContainerGroup) -> bool:
        """Before it is read any further: a stranger's group may look like anything."""
        return is_ours(group.tags, self._settings.deployment)

    def _state(self, region: str, now: datetime) -> dict[str, Any]:
        settings = self._settings
        return runtime_state(region, settings.cpu, settings.memory_gb, settings.priority, now)

    def _refused(self, error: AzureError, region: str, name: str) -> None:
        kind = kind_of(error)
        log.warning("container_group_refused", name=name, region=region, kind=kind.value, error=detail_of(error))
        if kind is Kind.UNCLEAR:
            return
        self.room.gone(name)
        if kind is Kind.THROTTLED:
            self._creates.close(retry_after(error))
        elif kind in (Kind.QUOTA, Kind.CAPACITY):
            self.room.refused(region, kind)

    def _learn(self, response: Any) -> None:
        self._creates.learn(response.http_response.headers)

    def _forget_all_but(self, names: Mapping[str, str]) -> None:
        for remembered in (self._looks, self._never_ran):
            for name in remembered.keys() - names.keys():
                del remembered[name]

    async def _learn_usage(self) -> None:
        """A region whose usage cannot be had counts as having room: Azure refuses by itself."""
        now = self._clock.monotonic()
        if self._usage_at is not None and now - self._usage_at < USAGE_SECONDS:
            return
        self._usage_at = now
        await asyncio.gather(*map(self._learn_usage_of, self._settings.regions))

    async def _learn_usage_of(self, region: str) -> None:
        usages: dict[str, Usage] = {}
        try:
            async for usage in self._client.location.list_usage(region):
                if usage.name and usage.name.value and usage.current_value is not None and usage.limit is not None:
                    usages[usage.name.value] = Usage(usage.current_value, usage.limit)
        except AzureError as error:
            log.warning("usage_unknown", region=region, error=detail_of(error))
        cores = "StandardSpotCores" if self._settings.priority == "Spot" else "StandardCores"
        self.room.learn_usage(region, usages.get("ContainerGroups"), usages.get(cores))


def _viewed(group: models.ContainerGroup) -> GroupView | None:
    """One that cannot be read is left out: nothing is done to it, and nothing else is held up by it."""
    try:
        return GroupView.model_validate(group)
    except ValidationError as error:
        log.error("container_group_unreadable", name=str(group.name), faults=error.error_count())
        return None


@asynccontextmanager
async def open_aci_runtime(
    settings: AciSettings, data_dir: Path, recorder_env: Mapping[str, str], finishing: FinishRequests, clock: Clock
) -> AsyncGenerator[AciRuntime]:
    logs = RecorderLogs(data_dir / "recorders")
    async with open_aci_client(settings) as client:
        yield AciRuntime(settings, client, recorder_env, finishing, logs, clock)
