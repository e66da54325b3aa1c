"""What can be set about the orchestrator, by environment variables that begin with `WENTLIVE_ORCHESTRATOR_`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, HttpUrl, SecretStr, StringConstraints, model_validator
from pydantic_settings import SettingsConfigDict
from wentlive_common.model import Seconds
from wentlive_common.origin import storage_of_origin
from wentlive_common.settings import Settings

from wentlive_orchestrator.aci_settings import AciSettings, aci_of_origin
from wentlive_orchestrator.costs import BudgetLimits
from wentlive_orchestrator.domain import Policy, PriceTable
from wentlive_orchestrator.registry_settings import RegistrySettings

ACI_START_SECONDS = 240.0
VariableName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,62}$")]


class OrchestratorSettings(Settings):
    model_config = SettingsConfigDict(env_prefix="WENTLIVE_ORCHESTRATOR_")

    store_url: SecretStr
    """`sqlite:///absolute/path.db`, or `mongodb://host/database`."""
    amqp_url: SecretStr | None = None
    storage_connection_string: SecretStr
    storage_container: str = Field(default="recordings", pattern=r"^[a-z0-9](?:-?[a-z0-9]){2,62}$")
    storage_cors_origins: tuple[str, ...] = ()
    """The web app's addresses, when browsers play from an account that nobody else sets up; empty leaves its rules."""
    host: str = "127.0.0.1"
    port: int = Field(default=8082, ge=0, le=65535)
    """Recorders report to it, also those that outlive a killed orchestrator: it should stay the same."""
    report_base_url: HttpUrl | None = None
    """Where recorders reach this service; from `host` and `port` when it is not set."""
    data_dir: Path
    runtime: Literal["process", "aci"] = "process"
    """Recorders as processes of this machine, or as container groups in Azure."""
    aci: AciSettings | None = None
    reap: bool = True
    """Whether recorders that nobody owns are deleted; if not, the log names them and they are left."""
    recorder: dict[VariableName, str] = Field(default_factory=dict)
    """Settings of the recorders: `..._RECORDER__TIKTOK_BASE_URL` becomes their `WENTLIVE_RECORDER_TIKTOK_BASE_URL`."""
    grant_lifetime: Annotated[Seconds, Field(ge=60, le=7 * 86400)] = 4 * 3600.0
    """How long a recorder may write a blob with one grant; renewed when half of it has passed."""
    stop_recorders: bool | None = None
    """Whether recorders end together with an orchestrator that is stopped (not with one that is killed). If it is not
    set, processes do and container groups do not: they go on while another orchestrator takes over."""
    stop_seconds: Seconds = 8.0
    policy: Policy = Policy()
    service_token: SecretStr | None = Field(default=None, min_length=16)
    """What opens the operator's endpoints under `/internal/v1`; without it there are none."""
    prices: PriceTable = PriceTable()
    budget: BudgetLimits = BudgetLimits()
    registry: RegistrySettings | None = None
    """Which images are cleaned up; none without it."""

    @model_validator(mode="after")
    def _aci_is_complete(self) -> "OrchestratorSettings":
        if self.registry and self.aci is None:
            raise ValueError("registry needs aci__…: what container groups run must not be deleted")
        if self.registry and self.registry.url and not (self.aci and self.aci.simulated):
            raise ValueError("registry__url is for the simulator only: leave it out")
        if self.runtime != "aci":
            return self
        if self.aci is None:
            raise ValueError("runtime aci needs aci__subscription_id, aci__resource_group, aci__regions and aci__image")
        if not self.aci.simulated and (self.report_base_url is None or self.report_base_url.scheme != "https"):
            raise ValueError("runtime aci needs an https report_base_url that container groups can reach")
        return self

    @property
    def stops_recorders(self) -> bool:
        return self.runtime == "process" if self.stop_recorders is None else self.stop_recorders

    @property
    def effective_policy(self) -> Policy:
        """A container group takes a minute to come up, three when Azure is slow; a process is there at once."""
        if self.runtime == "process" or "start_timeout" in self.policy.model_fields_set:
            return self.policy
        return self.policy.model_copy(update={"start_timeout": ACI_START_SECONDS})

    @property
    def recorder_env(self) -> dict[str, str]:
        return {f"WENTLIVE_RECORDER_{name.upper()}": value for name, value in self.recorder.items()}

    @classmethod
    def from_origin(cls, environment: Mapping[str, str]) -> dict[str, Any]:
        """The names about Azure count for the runtime `aci` only: they are words that others use too."""
        wants_aci = environment.get("WENTLIVE_ORCHESTRATOR_RUNTIME", "").lower() == "aci"
        return storage_of_origin(environment) | ({"aci": aci_of_origin(environment)} if wants_aci else {})
