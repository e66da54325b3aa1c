"""Secrets inside models: hidden in logs, reprs and JSON, unless the one writer of a private channel reveals them."""

from typing import Annotated

from pydantic import PlainSerializer, SecretStr, SerializationInfo

REVEALED = {"reveal_secrets": True}
"""The serialisation context that writes secrets in clear: `model.model_dump_json(context=REVEALED)`."""


def _write(secret: SecretStr, info: SerializationInfo) -> str:
    context: object = info.context
    return secret.get_secret_value() if context == REVEALED else str(secret)


Secret = Annotated[SecretStr, PlainSerializer(_write, return_type=str, when_used="json")]
