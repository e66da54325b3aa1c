"""What the services ask of TikTok, whichever route answers it."""

from typing import Protocol

from wentlive_tiktok.status import LiveStatus


class LiveStatusSource(Protocol):
    """Tells whether a creator is live."""

    async def live_status(
        self, handle: str, *, creator_id: str | None = None, open_room: str | None = None
    ) -> LiveStatus:
        """The creator's status now; trouble on the way is an answer too (Unknown, Blocked), never raised.

        With `creator_id` nobody else is ever answered about, and who took a new handle is followed: the answer's
        profile then carries it. `open_room` is the broadcast believed to be open; its end can then be confirmed
        even where TikTok does not speak of the creator any more.
        """
        ...


class LinkResolver(Protocol):
    """Finds out whose link it is that somebody pasted."""

    async def resolve_link(self, text: str) -> str:
        """The handle behind a name, a profile link or a share link.

        Raises InvalidHandle when it names nobody, LinkUnresolved when TikTok did not say.
        """
        ...


class TikTok(LiveStatusSource, LinkResolver, Protocol):
    """All that is asked of TikTok."""
