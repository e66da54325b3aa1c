"""How a service of the product is, as it says itself."""

from pydantic import Field
from wentlive_common.model import Model


class ServiceHealth(Model):
    name: str
    answers: bool
    checks: dict[str, bool] = Field(default_factory=dict[str, bool])
    """What it needs to be of use, by name."""

    @property
    def well(self) -> bool:
        return self.answers and all(self.checks.values())
