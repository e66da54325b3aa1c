"""Where and how recorders run as container groups in Azure."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, HttpUrl, SecretStr, StringConstraints, model_validator
from wentlive_common.model import Model, Seconds

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")

Region = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]{1,64}$")]
IdentityId = Annotated[
    str,
    StringConstraints(
        pattern=r"(?i)^/subscriptions/[^/]+/resourceGroups/[^/]+"
        r"/providers/Microsoft\.ManagedIdentity/userAssignedIdentities/[^/]+$"
    ),
]


def _distinct(regions: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(regions)) < len(regions):
        raise ValueError("names a region twice")
    return regions


class AciSettings(Model):
    """`WENTLIVE_ORCHESTRATOR_ACI__…`."""

    subscription_id: str = Field(min_length=1)
    resource_group: str = Field(pattern=r"^[A-Za-z0-9_.()-]{1,90}$")
    """One that holds nothing but recorders: it is the inventory, and it bounds what the orchestrator may touch."""
    deployment: str = Field(default="default", pattern=r"^[a-z0-9-]{1,63}$")
    """Tells this installation's groups from another's in the same resource group: whatever carries this name and
    belongs to no recording here is deleted."""
    regions: Annotated[tuple[Region, ...], Field(min_length=1, max_length=20), AfterValidator(_distinct)]
    """In the order of preference; the next one is used when one has no room."""
    image: str = Field(pattern=r"^[a-z0-9.-]+(?::[0-9]+)?/[a-z0-9._/-]+@sha256:[0-9a-f]{64}$")
    """By digest: what runs is then what was tested, and the registry's clean-up knows what is in use."""
    identity_id: IdentityId | None = None
    """The user-assigned identity that pulls the image; none when the registry needs none."""
    cpu: float = Field(default=1.0, gt=0, le=4)
    memory_gb: float = Field(default=1.0, gt=0, le=16)
    priority: Literal["Regular", "Spot"] = "Regular"
    most_groups: int = Field(default=100, ge=1)
    """More than this are never asked for in one region, whatever Azure would allow."""
    longest_life: Annotated[Seconds, Field(ge=3600)] = 48 * 3600.0
    """A group older than this is deleted, whatever it does; the recording goes on in a new one."""
    creates_per_hour: int = Field(default=300, ge=1)
    """Azure's default for a subscription in a region; a higher one is learned from its answers. A twelfth of the
    hour may use up a third of it, as Azure has it."""
    look_interval: Annotated[Seconds, Field(ge=0)] = 5.0
    """One group's state is not asked for more often."""
    delete_repeat: Annotated[Seconds, Field(gt=0)] = 60.0
    """A group that is still there this long after it was told to go is told again."""
    delete_patience: Annotated[Seconds, Field(gt=0)] = 300.0
    """A group that is still there this long after it was first told to go is shown as undeletable."""
    arm_url: HttpUrl = HttpUrl("https://management.azure.com")
    credential: Literal["default", "managed_identity", "client_secret", "simulator"] = "default"
    """`default` is the chain of azure-identity (environment, workload, managed identity, `az login`)."""
    client_id: str | None = None
    """Of the orchestrator's own user-assigned identity, for `managed_identity`; of its app, for `client_secret`."""
    tenant_id: str | None = None
    client_secret: SecretStr | None = None
    """An app's password, for an orchestrator outside Azure. An identity is better: it has none."""

    @model_validator(mode="after")
    def _no_token_in_clear(self) -> "AciSettings":
        if self.arm_url.scheme != "https" and not self.simulated:
            raise ValueError("arm_url must be https: its requests carry a token and recorders' secrets")
        if self.simulated and self.arm_url.host not in LOOPBACK:
            raise ValueError("the simulator's credential is for an arm_url on this machine only")
        return self

    @model_validator(mode="after")
    def _has_its_secret(self) -> "AciSettings":
        if self.credential == "client_secret" and not all(self.app):
            raise ValueError("credential client_secret needs tenant_id, client_id and client_secret")
        return self

    @property
    def app(self) -> tuple[str, str, str]:
        """Tenant, client and password, for `client_secret`; empty where one is not set."""
        secret = self.client_secret.get_secret_value() if self.client_secret else ""
        return self.tenant_id or "", self.client_id or "", secret

    @property
    def simulated(self) -> bool:
        return self.credential == "simulator"

    @property
    def registry(self) -> str:
        return self.image.partition("/")[0]


_OF_ORIGIN = {
    "SUBSCRIPTION_ID": "subscription_id",
    "RESOURCE_GROUP": "resource_group",
    "CREDENTIAL_TENANT_ID": "tenant_id",
    "CREDENTIAL_CLIENT_ID": "client_id",
    "CREDENTIAL_CLIENT_SECRET": "client_secret",
}


def aci_of_origin(environment: Mapping[str, str]) -> dict[str, Any]:
    """What tiktok-stream-recording's names say. Its `IMAGE_NAME` has to hold a digest: `recorder@sha256:…`."""
    found: dict[str, Any] = {ours: environment[name] for name, ours in _OF_ORIGIN.items() if name in environment}
    if "client_secret" in found:
        found["credential"] = "client_secret"
    if "LOCATION" in environment:
        # Azure writes a region both ways: `West Europe` and `westeurope`.
        found["regions"] = [environment["LOCATION"].replace(" ", "").lower()]
    if "CONTAINER_REGISTRY_NAME" in environment and "IMAGE_NAME" in environment:
        found["image"] = f"{environment['CONTAINER_REGISTRY_NAME'].lower()}.azurecr.io/{environment['IMAGE_NAME']}"
    return found
