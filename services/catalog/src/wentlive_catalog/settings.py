"""The catalog's settings, from `WENTLIVE_CATALOG_*`."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from pydantic import Field, HttpUrl, SecretStr, field_validator
from pydantic_settings import SettingsConfigDict
from wentlive_common.origin import storage_of_origin
from wentlive_common.settings import Settings

from wentlive_catalog.domain.users import Username

TIKTOK_IMAGES = ("https://*.tiktokcdn.com", "https://*.tiktokcdn-us.com", "https://*.tiktokcdn-eu.com")


class CatalogSettings(Settings):
    model_config = SettingsConfigDict(env_prefix="WENTLIVE_CATALOG_")

    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=0, le=65535)
    public_url: HttpUrl | None = None
    """Where people reach the catalog; with https, cookies are sent over https only."""
    store_url: SecretStr
    """`sqlite:///absolute/path.db` or `mongodb://host/database`."""
    amqp_url: SecretStr | None = None
    storage_connection_string: SecretStr | None = None
    """With the account's key. Better have none: name the account's URL, and give the catalog an identity."""
    storage_account_url: HttpUrl | None = None
    """Such as `https://name.blob.core.windows.net`; used without a connection string."""
    identity_client_id: str | None = None
    """Of the user-assigned managed identity, where there are several."""
    storage_container: str = "recordings"
    storage_public_url: HttpUrl | None = None
    """Scheme and host of storage as a browser reaches it, where that differs from the connection string's."""
    storage_usd_per_gb_month: float = Field(default=0.0184, ge=0)
    """What a gigabyte costs a month, for estimates: hot, locally redundant, East US."""
    budget_usd_per_month: float | None = Field(default=None, gt=0)
    """Admins are told when recording has cost more, by estimate."""
    webhooks_into_private_networks: bool = False
    """Whether people here may have Wentlive call addresses of the network that it runs in."""
    admin_username: Username = "admin"
    admin_password: SecretStr | None = None
    """Makes the admin at start and keeps their password as it is here; without it, the first visitor from this machine
    (or with the set-up code) makes the first admin."""
    setup_code: SecretStr | None = None
    """What the first admin has to know to set this up from another machine."""
    service_token: SecretStr
    """What the watcher shows to read the follow list, and the catalog to read the watcher's status."""
    watcher_url: HttpUrl | None = None
    """Where the watcher answers `/internal/v1/watches`; without it pages do not say when creators are checked."""
    service_urls: dict[str, HttpUrl] = Field(default_factory=dict[str, HttpUrl])
    """Where the other services answer `/readyz`, by name, for the System page: `{"orchestrator": "http://..."}`."""
    session_lifetime: timedelta = timedelta(days=14)
    audit_lifetime: timedelta = timedelta(days=365)
    """How long the audit trail reaches back."""
    playback_lifetime: timedelta = timedelta(hours=4)
    """How long the links inside a playlist hold; at least half of it is left when one is given out."""
    image_sources: tuple[str, ...] = TIKTOK_IMAGES
    """Where pictures of creators may come from, as in a content security policy."""

    @field_validator("admin_password", "setup_code", "service_token")
    @classmethod
    def _long_enough(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(value.get_secret_value()) < 8:
            raise ValueError("is too short: take at least 8 characters")
        return value

    @field_validator("image_sources")
    @classmethod
    def _plain_sources(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if any(not source or set(source) & set(" ;,'\"\r\n") for source in value):
            raise ValueError("each image source is one URL without quotes, spaces, commas and semicolons")
        return value

    @classmethod
    def from_origin(cls, environment: Mapping[str, str]) -> dict[str, Any]:
        return storage_of_origin(environment)
