"""Which images container groups run: all of a resource group, whoever made them, and what each has pulled."""

import asyncio
import re
from collections.abc import Sequence
from typing import Any

from azure.mgmt.containerinstance import models
from azure.mgmt.containerinstance.aio import ContainerInstanceManagementClient

from wentlive_orchestrator.adapters.aci_errors import GroupAbsent, arm_errors
from wentlive_orchestrator.domain.images import DIGEST
from wentlive_orchestrator.janitor import ImageUse

AT_ONCE = 8
PULLED = re.compile(rf"\"([^\"\s]+@{DIGEST})\"")


class AciImages:
    """`ImageUsers`: groups that are listed without saying what they pulled are asked one by one."""

    def __init__(self, client: ContainerInstanceManagementClient, resource_groups: Sequence[str]) -> None:
        self._client = client
        self._resource_groups = tuple(dict.fromkeys(resource_groups))
        self._room = asyncio.Semaphore(AT_ONCE)

    async def images(self) -> Sequence[ImageUse]:
        uses: list[ImageUse] = []
        for resource_group in self._resource_groups:
            with arm_errors(f"The container groups of {resource_group} cannot be listed"):
                pages = self._client.container_groups.list_by_resource_group(resource_group)
                names = [str(group.name) async for group in pages]
            for found in await asyncio.gather(*(self._of_group(resource_group, name) for name in names)):
                uses += found
        return uses

    async def _of_group(self, resource_group: str, name: str) -> Sequence[ImageUse]:
        try:
            async with self._room:
                with arm_errors(f"Azure does not say what {name} runs"):
                    group = await self._client.container_groups.get(resource_group, name)
        except GroupAbsent:
            # Gone since it was listed: it pulls nothing any more.
            return []
        containers: list[models.Container | models.InitContainerDefinition] = [
            *group.containers,
            *(group.init_containers or ()),
        ]
        return [ImageUse(image=container.image or "", pulled=_pulled(container)) for container in containers]


def _pulled(container: models.Container | models.InitContainerDefinition) -> tuple[str, ...]:
    view: Any = container.instance_view
    messages = [str(event.message) for event in (view.events if view else None) or ()]
    return tuple(dict.fromkeys(image for message in messages for image in PULLED.findall(message)))
