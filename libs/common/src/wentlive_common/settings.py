"""What all services' settings share: read once from the environment, checked, frozen, shown without secrets."""

from typing import Any

from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Subclasses set `env_prefix`, such as `WENTLIVE_WATCHER_`. Constructed by `main`, never at import."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_nested_delimiter="__")

    def summary(self) -> dict[str, Any]:
        """What to log at start: every value, secrets masked."""
        return self.model_dump(mode="json")
