"""What carries news to people."""

from typing import Protocol

from wentlive_catalog.domain.notices import Delivery, Target


class NewsCarrier(Protocol):
    async def check(self, url: str) -> str:
        """The address as it is kept; raises InvalidInput, saying why it cannot be one."""
        ...

    async def carry(self, delivery: Delivery, target: Target) -> None:
        """Raises Transient when it may work later, Permanent when it never will."""
        ...
