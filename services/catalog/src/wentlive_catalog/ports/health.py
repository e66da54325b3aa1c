"""What the catalog needs to say how the product is."""

from collections.abc import Sequence
from typing import Protocol

from wentlive_catalog.domain.health import ServiceHealth


class HealthSource(Protocol):
    async def report(self) -> Sequence[ServiceHealth]:
        """Of every service that is known, this one first. Never raises."""
        ...
