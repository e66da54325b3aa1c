"""Everything an operator can set about the watcher, read from `WENTLIVE_WATCHER_*`."""

from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import SettingsConfigDict
from wentlive_common.model import Handle, Model
from wentlive_common.settings import Settings

from wentlive_watcher.domain import EgressName, Policy
from wentlive_watcher.egress import Budget

STORES = ("sqlite:///", "mongodb://", "mongodb+srv://")

Interval = Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)]


class EgressSettings(Model):
    """One network address to ask from."""

    name: EgressName
    proxy: SecretStr | None = None
    """`http://user:password@host:port`; none asks directly."""
    cookies: SecretStr | None = None
    """A Cookie header of somebody signed in to TikTok, sent to TikTok's hosts only."""
    requests_per_second: float | None = Field(default=None, gt=0, le=1000)
    creators: frozenset[Handle] = frozenset()
    """Those, by the handle they are followed by, who are asked about over this egress and no other."""

    @field_validator("proxy")
    @classmethod
    def _is_http(cls, url: SecretStr | None) -> SecretStr | None:
        parts = urlsplit(url.get_secret_value()) if url else None
        if parts and (parts.scheme not in ("http", "https") or not parts.hostname):
            raise ValueError("must look like http://user:password@host:port")
        return url


class WatcherSettings(Settings):
    """Intervals are in seconds."""

    model_config = SettingsConfigDict(env_prefix="WENTLIVE_WATCHER_")

    store_url: SecretStr
    """`sqlite:///abs/path.db`, or `mongodb://host/dbname`, which may hold a password."""
    amqp_url: SecretStr | None = None
    tiktok_base_url: str = "https://www.tiktok.com"

    egresses: tuple[EgressSettings, ...] = (EgressSettings(name="direct"),)
    """The network addresses to ask TikTok from, as JSON: `[{"name": "direct"}, {"name": "de", "proxy": "http://…"}]`."""
    requests_per_second: float = Field(default=0.5, gt=0, le=1000)
    """The most that this process asks of TikTok over each egress. More sees more creators and is blocked sooner."""
    asked_per_minute: float = Field(default=6.0, gt=0, le=6000)
    """The same for looks that a person asks for and first looks at who is newly followed."""
    start_ramp: float = Field(default=30.0, ge=0, le=3600, allow_inf_nan=False)
    """For this long after a start, or after a rest, an egress asks less: bursts are what gets blocked."""
    block_backoff: Interval = 60.0
    """How long an egress rests when it is refused; each further refusal doubles it. Retry-After is honoured."""
    block_backoff_limit: Interval = 1800.0

    hot_interval: Interval = 15.0
    """How often a creator is looked at who is usually live at this hour, or was live just now."""
    check_interval: Interval = 60.0
    """The same for one of whom little is known, and while a live goes on."""
    cold_interval: Interval = 300.0
    """The same for one who is never live at this hour."""
    restricted_interval: Interval = 300.0
    """The same for a creator whose lives cannot be seen, or who is not found."""
    confirm_interval: Interval = 10.0
    """How soon to look again when one answer is not enough to believe."""
    ended_confirmations: int = Field(default=3, ge=1, le=10)
    """How many times TikTok has to say offline before a broadcast is over."""
    end_grace: float = Field(default=20.0, ge=0, le=3600, allow_inf_nan=False)
    """And for how long: who drops and returns to the same room within this time was never away."""
    hidden_grace: float = Field(default=600.0, ge=0, le=86_400, allow_inf_nan=False)
    """A broadcast that we are not allowed to see any more is given up after this long."""
    not_found_confirmations: int = Field(default=5, ge=2, le=1000)
    """How many times in a row a creator seen before has to be not found until it is said."""
    repeat_interval: Interval = 60.0
    """How often an open broadcast is told again."""
    profile_interval: Interval = 3600.0
    """How often follower counts and renewed avatar links are told; a new name or picture is told at once."""
    backoff_limit: Interval = 300.0
    """The longest wait after answers that said nothing."""
    jitter: float = Field(default=0.02, ge=0, le=0.4)
    """Each wait is shorter by up to this part, after trouble longer, so that checks do not bunch up again.

    Small, so that nobody is looked at twice in an interval: it is the start's ramp that spreads the checks.
    """

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

    @field_validator("egresses")
    @classmethod
    def _are_told_apart(cls, egresses: tuple[EgressSettings, ...]) -> tuple[EgressSettings, ...]:
        if not egresses or len({egress.name for egress in egresses}) != len(egresses):
            raise ValueError("at least one, each with a name of its own")
        named = [handle for egress in egresses for handle in egress.creators]
        if len(set(named)) != len(named):
            raise ValueError("a creator is asked about over one egress: name each under one only")
        return egresses

    @property
    def ties(self) -> dict[Handle, EgressName]:
        """Which egress is a creator's own."""
        return {handle: egress.name for egress in self.egresses for handle in egress.creators}

    @property
    def policy(self) -> Policy:
        """Hot is never slower than usual and cold never faster, so that `check_interval` can be set alone."""
        values = {name: getattr(self, name) for name in Policy.model_fields}
        hot, cold = min(self.hot_interval, self.check_interval), max(self.cold_interval, self.check_interval)
        return Policy.model_validate(values | {"hot_interval": hot, "cold_interval": cold})

    def budget(self, egress: EgressSettings) -> Budget:
        return Budget(
            requests_per_second=egress.requests_per_second or self.requests_per_second,
            asked_per_minute=self.asked_per_minute,
            ramp=self.start_ramp,
            block_backoff=self.block_backoff,
            block_backoff_limit=self.block_backoff_limit,
        )
