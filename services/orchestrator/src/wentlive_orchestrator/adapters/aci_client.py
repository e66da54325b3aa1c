"""The SDK's client for container groups, as the settings say: Azure itself, or a simulator on this machine."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any

from azure.core.credentials import AccessToken
from azure.core.credentials_async import AsyncTokenCredential
from azure.core.pipeline import PipelineRequest
from azure.core.pipeline.policies import SansIOHTTPPolicy
from azure.identity.aio import ClientSecretCredential, DefaultAzureCredential, ManagedIdentityCredential
from azure.mgmt.containerinstance.aio import ContainerInstanceManagementClient

from wentlive_orchestrator.aci_settings import AciSettings
from wentlive_orchestrator.adapters.aci_errors import GroupAbsent, arm_errors
from wentlive_orchestrator.adapters.aci_group_view import GroupView

CONNECT_SECONDS = 5
READ_SECONDS = 20
FAR_FUTURE = 4_102_444_800


class SimulatorCredential:
    """What a simulator takes for a token. It opens nothing else."""

    async def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        return AccessToken("simulator", FAR_FUTURE)

    async def close(self) -> None: ...

    async def __aenter__(self) -> "SimulatorCredential":
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None: ...


class PlainBearer(SansIOHTTPPolicy[Any, Any]):
    """Puts the simulator's token on every request; the SDK's own policy refuses to speak plain http."""

    def on_request(self, request: PipelineRequest[Any]) -> None:
        request.http_request.headers["Authorization"] = "Bearer simulator"


@asynccontextmanager
async def open_credential(settings: AciSettings) -> AsyncGenerator[AsyncTokenCredential]:
    match settings.credential:
        case "simulator":
            yield SimulatorCredential()
        case "managed_identity":
            async with ManagedIdentityCredential(client_id=settings.client_id) as credential:
                yield credential
        case "client_secret":
            async with ClientSecretCredential(*settings.app) as credential:
                yield credential
        case "default":
            async with DefaultAzureCredential(managed_identity_client_id=settings.client_id) as credential:
                yield credential


@asynccontextmanager
async def open_aci_client(settings: AciSettings) -> AsyncGenerator[ContainerInstanceManagementClient]:
    """Never retries by itself: who asks looks again in seconds anyway, and must not be held up by a `Retry-After`."""
    base_url = str(settings.arm_url).rstrip("/")
    options: dict[str, Any] = {"authentication_policy": PlainBearer()} if settings.simulated else {}
    async with (
        open_credential(settings) as credential,
        ContainerInstanceManagementClient(
            credential,
            settings.subscription_id,
            base_url,
            credential_scopes=[f"{base_url}/.default"],
            retry_total=0,
            connection_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
            **options,
        ) as client,
    ):
        yield client


async def get_group(client: ContainerInstanceManagementClient, resource_group: str, name: str) -> GroupView | None:
    """None for a 404, and for nothing else; raises `RuntimeUnavailable` for any other answer that is no group."""
    try:
        with arm_errors(f"Azure does not say how {name} is"):
            return GroupView.model_validate(await client.container_groups.get(resource_group, name))
    except GroupAbsent:
        return None
