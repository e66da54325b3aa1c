"""What all services' settings share: read once, checked, frozen, and shown without secrets."""

import os
from collections.abc import Mapping
from typing import Any, Literal, cast

from pydantic.fields import FieldInfo
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
        origin = _OriginSource(settings_cls)
        folder = os.environ.get(SECRETS_DIR)
        if folder is None:
            return (init_settings, env_settings, origin)
        return (init_settings, env_settings, SecretsSettingsSource(settings_cls, secrets_dir=folder), origin)

    @classmethod
    def from_origin(cls, environment: Mapping[str, str]) -> dict[str, Any]:
        """What is set under the names of the project that this one grew from; a name of our own goes first."""
        return {}

    def summary(self) -> dict[str, Any]:
        """What to log at start: every value, secrets masked."""
        return self.model_dump(mode="json")


class _OriginSource(PydanticBaseSettingsSource):
    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        return None, field_name, False

    def __call__(self) -> dict[str, Any]:
        settings = cast("type[Settings]", self.settings_cls)
        return settings.from_origin({name: value for name, value in os.environ.items() if value})
