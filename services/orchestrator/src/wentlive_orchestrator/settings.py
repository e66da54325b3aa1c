"""What can be set about the orchestrator, by environment variables that begin with `WENTLIVE_ORCHESTRATOR_`."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, HttpUrl, SecretStr, StringConstraints
from pydantic_settings import SettingsConfigDict
from wentlive_common.model import Seconds
from wentlive_common.settings import Settings

from wentlive_orchestrator.domain import Policy

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
    runtime: Literal["process"] = "process"
    recorder: dict[VariableName, str] = Field(default_factory=dict)
    """Settings of the recorders: `..._RECORDER__TIKTOK_BASE_URL` becomes their `WENTLIVE_RECORDER_TIKTOK_BASE_URL`."""
    grant_lifetime: Annotated[Seconds, Field(ge=60, le=7 * 86400)] = 4 * 3600.0
    """How long a recorder may write a blob with one grant; renewed when half of it has passed."""
    stop_recorders: bool = True
    """Whether recorders end together with an orchestrator that is stopped (not with one that is killed)."""
    stop_seconds: Seconds = 8.0
    policy: Policy = Policy()

    @property
    def recorder_env(self) -> dict[str, str]:
        return {f"WENTLIVE_RECORDER_{name.upper()}": value for name, value in self.recorder.items()}
