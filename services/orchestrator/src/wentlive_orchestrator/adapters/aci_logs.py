"""What recorders in container groups write: asked of Azure while the group exists, kept by us before it goes."""

import asyncio
import os

import structlog
from azure.mgmt.containerinstance.aio import ContainerInstanceManagementClient
from wentlive_common.errors import WentliveError

from wentlive_orchestrator.adapters.aci_errors import arm_errors
from wentlive_orchestrator.adapters.aci_group import CONTAINER
from wentlive_orchestrator.adapters.recorder_logs import RecorderLogs
from wentlive_orchestrator.domain import named_attempt

log = structlog.get_logger(__name__)

LINES = 1000
"""Of an ended container Azure has no more than that, and no more than 16 KB."""
FETCH_SECONDS = 5.0


class AciLogs:
    def __init__(self, client: ContainerInstanceManagementClient, resource_group: str, kept: RecorderLogs) -> None:
        self._client = client
        self._resource_group = resource_group
        self._kept = kept

    async def read(self, name: str, recording_id: str, attempt: int) -> str:
        """The newest lines of a running recorder, what was kept of one that is gone, or nothing."""
        try:
            return await self._fetched(name)
        except WentliveError:
            return self._kept.tail(recording_id, attempt)

    async def keep(self, name: str) -> None:
        """As far as Azure shows it now: often it does not, and no deletion waits for it."""
        attempt = named_attempt(name)
        try:
            text = await self._fetched(name) if attempt else ""
            if attempt and text:
                with os.fdopen(self._kept.open(*attempt), "w") as file:
                    file.write(text)
                self._kept.tidy()
        except (WentliveError, OSError) as error:
            log.info("recorder_log_lost", name=name, error=str(error))

    async def _fetched(self, name: str) -> str:
        with arm_errors(f"Azure does not show the log of {name}"):
            try:
                async with asyncio.timeout(FETCH_SECONDS):
                    answer = await self._client.containers.list_logs(self._resource_group, name, CONTAINER, tail=LINES)
            except TimeoutError as error:
                raise LogTooSlow from error
        return answer.content or ""


class LogTooSlow(WentliveError):
    """Azure takes too long to show the log."""
