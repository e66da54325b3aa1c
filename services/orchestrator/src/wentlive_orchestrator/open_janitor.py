"""Puts the registry's janitor together, for the orchestrator and for the command alike."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from wentlive_common.clock import Clock

from wentlive_orchestrator.aci_settings import AciSettings
from wentlive_orchestrator.adapters.aci_client import open_aci_client
from wentlive_orchestrator.adapters.aci_images import AciImages
from wentlive_orchestrator.adapters.acr_registry import open_acr_registry
from wentlive_orchestrator.janitor import PlannedImages, RegistryJanitor
from wentlive_orchestrator.ports import RecordingStore
from wentlive_orchestrator.registry_settings import RegistrySettings


@asynccontextmanager
async def open_janitor(
    aci: AciSettings, settings: RegistrySettings, store: RecordingStore, clock: Clock
) -> AsyncGenerator[RegistryJanitor]:
    """The image of the next recorder counts as in use."""
    async with open_aci_client(aci) as client, open_acr_registry(aci, settings) as registry:
        users = (AciImages(client, (aci.resource_group, *settings.also_used_in)), PlannedImages(store))
        pinned = (aci.image, *settings.pinned_images)
        yield RegistryJanitor(registry, users, settings.repositories, pinned, settings.policy, clock)
