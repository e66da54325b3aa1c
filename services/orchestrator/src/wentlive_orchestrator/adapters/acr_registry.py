"""The images of an Azure Container Registry: its own API lists and deletes them, Azure's Resource Manager measures."""

import asyncio
from collections.abc import AsyncGenerator, Generator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from azure.containerregistry.aio import ContainerRegistryClient
from azure.core.exceptions import AzureError, ResourceNotFoundError
from azure.mgmt.containerregistry.aio import ContainerRegistryManagementClient
from pydantic import ValidationError
from wentlive_common.logging import redact

from wentlive_orchestrator.aci_settings import AciSettings
from wentlive_orchestrator.adapters.aci_client import PlainBearer, open_credential
from wentlive_orchestrator.domain.images import INDEXES, Manifest
from wentlive_orchestrator.janitor import RegistryUnavailable, RegistryUsage
from wentlive_orchestrator.registry_settings import RegistrySettings

AT_ONCE = 8
MOST_MANIFESTS = 5000
LISTING_SECONDS = 600.0
SECONDS = 60.0
CONNECT_SECONDS = 5
READ_SECONDS = 20


class AcrRegistry:
    """`ImageRegistry` over azure-containerregistry, and azure-mgmt-containerregistry for the usage."""

    def __init__(
        self, client: ContainerRegistryClient, management: ContainerRegistryManagementClient,
        aci: AciSettings, settings: RegistrySettings,
    ) -> None:  # fmt: skip
        self.address = aci.registry
        # Untyped, as the package leaves it.
        self._client: Any = client
        self._management = management
        self._resource_group = settings.resource_group or aci.resource_group
        self._name = settings.name or aci.registry.partition(".")[0]
        # The data plane's client has no other way to speak plain http, and takes it at every call.
        self._options: dict[str, Any] = {"enforce_https": False} if aci.simulated else {}
        self._room = asyncio.Semaphore(AT_ONCE)

    async def manifests(self, repository: str) -> Sequence[Manifest]:
        with _errors(f"The images of {repository} cannot be listed"):
            async with asyncio.timeout(LISTING_SECONDS):
                found = await self._found(repository)
        return [manifest for manifest in found if manifest]

    async def _found(self, repository: str) -> Sequence[Manifest | None]:
        listed: list[Any] = []
        try:
            async for properties in self._client.list_manifest_properties(repository, **self._options):
                listed.append(properties)
        except ResourceNotFoundError:
            return []
        if len(listed) > MOST_MANIFESTS:
            raise RegistryUnavailable(f"{repository} has more than {MOST_MANIFESTS} images: delete some by hand.")
        return await asyncio.gather(*(self._manifest(repository, properties) for properties in listed))

    async def digest_of(self, repository: str, tag: str) -> str | None:
        with _errors(f"The tag {repository}:{tag} cannot be read"):
            try:
                async with asyncio.timeout(SECONDS):
                    properties = await self._client.get_tag_properties(repository, tag, **self._options)
            except ResourceNotFoundError:
                return None
        return properties.digest

    async def delete(self, repository: str, digest: str) -> None:
        with _errors(f"{repository}@{digest} cannot be deleted"):
            async with asyncio.timeout(SECONDS):
                await self._client.delete_manifest(repository, digest, **self._options)

    async def usage(self) -> RegistryUsage:
        with _errors(f"The usage of the registry {self._name} cannot be read"):
            async with asyncio.timeout(SECONDS):
                answer = await self._management.registries.list_usages(self._resource_group, self._name)
        size = next((usage for usage in answer.value or () if usage.name == "Size"), None)
        if size is None:
            raise RegistryUnavailable(f"The registry {self._name} does not tell its size.")
        return RegistryUsage(bytes=size.current_value or 0, limit=size.limit or 0)

    async def _manifest(self, repository: str, properties: Any) -> Manifest | None:
        """None when it went between the list and this look. The list tells neither its kind nor what belongs to it."""
        digest: str = properties.digest
        async with self._room, asyncio.timeout(SECONDS):
            try:
                content = await self._client.get_manifest(repository, digest, **self._options)
            except ResourceNotFoundError:
                return None
        body: Mapping[str, Any] = content.manifest
        children: Sequence[Mapping[str, str]] = body["manifests"] if content.media_type in INDEXES else ()
        return Manifest(
            repository=repository,
            digest=digest,
            tags=tuple(properties.tags or ()),
            media_type=content.media_type or "",
            updated_at=properties.last_updated_on or properties.created_on,
            bytes=properties.size_in_bytes or 0,
            locked=properties.can_delete is False or properties.can_write is False,
            children=tuple(child["digest"] for child in children),
            subject=body.get("subject") is not None,
        )


@contextmanager
def _errors(what: str) -> Generator[None]:
    try:
        yield
    except (AzureError, TimeoutError, ValidationError, KeyError, TypeError, ValueError) as error:
        # The last four: an answer of a shape that is not known.
        why = redact(str(getattr(error, "message", "") or "")) or type(error).__name__
        raise RegistryUnavailable(f"{what}: {why}") from error


@asynccontextmanager
async def open_acr_registry(aci: AciSettings, settings: RegistrySettings) -> AsyncGenerator[AcrRegistry]:
    base_url = str(aci.arm_url).rstrip("/")
    options: dict[str, Any] = {"connection_timeout": CONNECT_SECONDS, "read_timeout": READ_SECONDS}
    plain: dict[str, Any] = {"authentication_policy": PlainBearer()} if aci.simulated else {}
    endpoint = str(settings.url).rstrip("/") if aci.simulated and settings.url else f"https://{aci.registry}"
    async with (
        open_credential(aci) as credential,
        ContainerRegistryClient(endpoint, credential, **options) as client,
        ContainerRegistryManagementClient(
            credential, aci.subscription_id, base_url, credential_scopes=[f"{base_url}/.default"], **options, **plain
        ) as management,
    ):
        yield AcrRegistry(client, management, aci, settings)
