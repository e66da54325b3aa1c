"""Everything an operator can set about the watcher, read from `WENTLIVE_WATCHER_*`."""

from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import SettingsConfigDict
from wentlive_common.settings import Settings

from wentlive_watcher.domain import Policy

STORES = ("sqlite:///", "mongodb://", "mongodb+srv://")

Interval = Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)]


class WatcherSettings(Settings):
    """Intervals are in seconds."""

    model_config = SettingsConfigDict(env_prefix="WENTLIVE_WATCHER_")

    store_url: SecretStr
    """`sqlite:///abs/path.db`, or `mongodb://host/dbname`, which may hold a password."""
    amqp_url: SecretStr | None = None
    tiktok_base_url: str = "https://www.tiktok.com"

    check_interval: Interval = 30.0
    """How often a creator is looked at. Shorter sees a live sooner and is blocked sooner."""
    restricted_interval: Interval = 300.0
    """The same for a creator whose lives cannot be seen, or who is not found."""
    confirm_interval: Interval = 10.0
    """How soon to look again when one answer is not enough to believe."""
    ended_confirmations: int = Field(default=2, ge=1, le=10)
    """How many times TikTok has to say offline before a broadcast is over."""
    not_found_confirmations: int = Field(default=5, ge=2, le=1000)
    """How many times in a row a creator seen before has to be not found until it is said."""
    repeat_interval: Interval = 60.0
    """How often an open broadcast is told again."""
    profile_interval: Interval = 3600.0
    """How often follower counts and renewed avatar links are told; a new name or picture is told at once."""
    backoff_limit: Interval = 300.0
    """The longest wait after answers that said nothing."""
    jitter: float = Field(default=0.1, ge=0, le=0.4)
    """Each wait is longer or shorter by up to this part, so that checks do not bunch up."""

    checks_per_second: float = Field(default=2.0, gt=0, le=1000)
    """The most that this process asks of TikTok from its one network address."""
    max_concurrent_checks: int = Field(default=16, ge=1, le=1000)
    check_timeout: Interval = 25.0
    lease: Interval = 30.0
    """After this long the share of a watcher that died is taken over by another."""
    claim_interval: Interval = 0.5
    """How often to look for creators that are due."""

    health_host: str = "127.0.0.1"
    health_port: int = Field(default=8081, ge=0, le=65535)
    """0 takes a free one."""

    follow_snapshot_url: str | None = None
    """The catalog's `/internal/v1/follows`: heals what lost follow events left behind."""
    service_token: SecretStr | None = None
    snapshot_interval: Interval = 60.0

    @field_validator("store_url")
    @classmethod
    def _is_store(cls, url: SecretStr) -> SecretStr:
        if not url.get_secret_value().startswith(STORES):
            raise ValueError("must begin with sqlite:/// or mongodb://")
        return url

    @field_validator("amqp_url")
    @classmethod
    def _is_amqp(cls, url: SecretStr | None) -> SecretStr | None:
        parts = urlsplit(url.get_secret_value()) if url else None
        if parts and (parts.scheme not in ("amqp", "amqps") or not parts.hostname):
            raise ValueError("must look like amqp://user:password@host:5672/vhost")
        return url

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.lease <= self.check_timeout:
            raise ValueError("lease must be longer than check_timeout, or two watchers check the same creator")
        if self.follow_snapshot_url and not self.service_token:
            raise ValueError("follow_snapshot_url needs service_token")
        return self

    @property
    def policy(self) -> Policy:
        return Policy.model_validate({name: getattr(self, name) for name in Policy.model_fields})
