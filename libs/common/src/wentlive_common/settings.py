"""What all services' settings share: read once, checked, frozen, and shown without secrets."""

import os
from typing import Any, Literal

from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SecretsSettingsSource,
    SettingsConfigDict,
)

SECRETS_DIR = "WENTLIVE_SECRETS_DIR"


class Settings(BaseSettings):
    """Subclasses set `env_prefix`, such as `WENTLIVE_WATCHER_`. Constructed by `main`, never at import.

    A value comes from the environment, or from a file of the variable's name, in lower case, in the folder that
    `WENTLIVE_SECRETS_DIR` names (`/run/secrets` under compose). Secrets belong into files: a process's environment
    can be read by more than the process.
    """

    model_config = SettingsConfigDict(
        frozen=True,
        extra="ignore",
        env_nested_delimiter="__",
        env_ignore_empty=True,
        hide_input_in_errors=True,  # the refused value may be a secret
    )

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        folder = os.environ.get(SECRETS_DIR)
        if folder is None:
            return (init_settings, env_settings)
        return (init_settings, env_settings, SecretsSettingsSource(settings_cls, secrets_dir=folder))

    def summary(self) -> dict[str, Any]:
        """What to log at start: every value, secrets masked."""
        return self.model_dump(mode="json")
