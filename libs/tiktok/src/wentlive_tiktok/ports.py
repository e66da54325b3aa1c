"""What the services ask of TikTok, whichever route answers it."""

from typing import Protocol

from wentlive_tiktok.status import LiveStatus


class LiveStatusSource(Protocol):
    """Tells whether a creator is live."""

    async def live_status(self, handle: str) -> LiveStatus:
        """The creator's status now; trouble on the way is an answer too (Unknown, Blocked), never raised."""
        ...
