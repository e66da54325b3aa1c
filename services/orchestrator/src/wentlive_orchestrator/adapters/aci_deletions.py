"""Deleting container groups: told to go, told again, and believed to be gone only when Azure answers 404."""

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from typing import Any

import structlog
from azure.core.exceptions import AzureError
from azure.mgmt.containerinstance.aio import ContainerInstanceManagementClient
from wentlive_common.clock import Clock

from wentlive_orchestrator.aci_settings import AciSettings
from wentlive_orchestrator.adapters.aci_client import get_group
from wentlive_orchestrator.adapters.aci_errors import Kind, detail_of, kind_of, retry_after
from wentlive_orchestrator.adapters.arm_allowance import Allowance
from wentlive_orchestrator.ports import DeletionUnderWay, RuntimeUnavailable

log = structlog.get_logger(__name__)

TRANSITION_SECONDS = 10.0
"""Azure wants at least this long between two operations on a group that is changing."""
DELETES_PER_HOUR = 300
LastWords = Callable[[str], Awaitable[None]]
"""What is to be done with a group just before it is told to go."""
FORGET_SECONDS = 3600.0


@dataclass(slots=True)
class Deletion:
    """One group on its way out."""

    since: float
    tell_again_at: float
    told_at: float | None = None
    seen_at: float | None = None
    """When the last listing that still showed it was begun."""
    refusal: str = ""


class Listing:
    """A listing under way: it counts as of its beginning."""

    def __init__(self, deletions: dict[str, Deletion], began: float) -> None:
        self._deletions = deletions
        self._began = began

    def done(self, names: Collection[str]) -> None:
        for name, deletion in tuple(self._deletions.items()):
            deletion.seen_at = self._began if name in names else None
            if deletion.seen_at is None and self._began - deletion.since > FORGET_SECONDS:
                del self._deletions[name]


class Deletions:
    """Remembers when each group was told to go: such requests are limited, and it takes a minute or two."""

    def __init__(
        self, settings: AciSettings, client: ContainerInstanceManagementClient, last_words: LastWords, clock: Clock
    ) -> None:
        self._settings = settings
        self._client = client
        self._last_words = last_words
        self._clock = clock
        self._allowance = Allowance(DELETES_PER_HOUR, clock)
        self._deletions: dict[str, Deletion] = {}

    def listing(self) -> Listing:
        return Listing(self._deletions, self._clock.monotonic())

    async def delete(self, name: str) -> None:
        """Returns when it does not exist; raises `DeletionUnderWay` as long as that may still come by itself."""
        now = self._clock.monotonic()
        deletion = self._deletions.get(name)
        if deletion is None:
            await self._last_words(name)
            deletion = self._deletions.setdefault(name, Deletion(since=now, tell_again_at=now))
        if now >= deletion.tell_again_at:
            await self._tell(name, deletion)
        if self._surely_there(deletion) or await self._exists(name):
            raise self._still_there(name, deletion)
        self._deletions.pop(name, None)

    async def _tell(self, name: str, deletion: Deletion) -> None:
        now = self._clock.monotonic()
        if not self._allowance.take():
            deletion.refusal = "Azure's limit of deletions is reached"
            return
        deletion.tell_again_at = now + self._settings.delete_repeat
        try:
            await self._client.container_groups.begin_delete(
                self._settings.resource_group,
                name,
                polling=False,
                raw_response_hook=self._learn,
            )
        except AzureError as error:
            deletion.refusal = detail_of(error)
            deletion.tell_again_at = now + TRANSITION_SECONDS
            if kind_of(error) is Kind.THROTTLED:
                self._allowance.close(retry_after(error))
            log.warning("container_group_not_deleted", name=name, error=deletion.refusal)
        else:
            deletion.told_at, deletion.refusal = now, ""

    def _learn(self, response: Any) -> None:
        self._allowance.learn(response.http_response.headers)

    def _surely_there(self, deletion: Deletion) -> bool:
        """A list that was begun after it was told to go shows it still: no need to ask for it alone."""
        return deletion.told_at is not None and deletion.seen_at is not None and deletion.seen_at > deletion.told_at

    async def _exists(self, name: str) -> bool:
        return await get_group(self._client, self._settings.resource_group, name) is not None

    def _still_there(self, name: str, deletion: Deletion) -> RuntimeUnavailable:
        seconds = self._clock.monotonic() - deletion.since
        said = f" Azure said last: {deletion.refusal}." if deletion.refusal else ""
        if seconds < self._settings.delete_patience:
            return DeletionUnderWay(f"{name} is not gone after {seconds:.0f} s.{said}")
        return RuntimeUnavailable(
            f"{name} still exists {seconds:.0f} s after it was first deleted, and may cost money.{said}"
            " Look at it in the portal; creating a group of the same name and deleting that one has helped others."
        )
