"""What every part of a scenario has in common."""

from typing import Annotated

from pydantic import ConfigDict, Field
from wentlive_common.model import Model

Seconds = Annotated[float, Field(ge=0, le=86_400)]


class Script(Model):
    """Base of the scenario's parts: a misspelt field is an error, not something to ignore."""

    model_config = ConfigDict(frozen=True, extra="forbid")
