"""Keeps open pages fresh: one event stream a page, made of the same partial templates the page is made of.

A stream never queues states. It notes what changed, and renders the newest state when the browser has taken the
last; a slow browser skips states, and nothing grows. It begins with the whole of the page's living parts, so that a
browser that comes back after a pause is right at once.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing

from fastapi.sse import format_sse_event
from wentlive_common.errors import WentliveError

from wentlive_catalog.api.context import Context
from wentlive_catalog.changes import Change, CreatorChanged, Listener, RecordingChanged
from wentlive_catalog.domain.sessions import Session
from wentlive_catalog.web.templates import Templates
from wentlive_catalog.web.views import Views

HEARTBEAT_SECONDS = 15.0
LIFETIME_SECONDS = 600.0
"""Then the browser connects again: a dead connection cannot stay, a moved session is noticed."""
PAUSE_SECONDS = 0.4
"""At least this between two updates of one page, so that a burst becomes one."""

HEARTBEAT = format_sse_event(comment="still here")


class PageStream:
    """What one kind of page wants to hear, rendered."""

    def __init__(self, here: Context, templates: Templates, session: Session) -> None:
        self._here = here
        self._views = Views(here.store)
        self._templates = templates
        self._session = session

    def home(self) -> AsyncGenerator[bytes]:
        return self._stream(self._home_update)

    def recording(self, recording_id: str) -> AsyncGenerator[bytes]:
        async def update(changes: frozenset[Change] | None) -> str:
            ours = changes is None or any(
                isinstance(change, RecordingChanged) and change.recording_id == recording_id for change in changes
            )
            card = await self._views.card(recording_id) if ours else None
            return self._templates.text("_stream_recording.html", card=card) if card else ""

        return self._stream(update)

    async def _home_update(self, changes: frozenset[Change] | None) -> str:
        changed = changes if changes is not None else frozenset[Change]()
        creators = changes is None or any(isinstance(change, CreatorChanged) for change in changed)
        recordings = [change for change in changed if isinstance(change, RecordingChanged)]
        if creators or any(change.entered for change in recordings):
            home = await self._views.home(self._session, self._here.clock.now())
            return self._templates.text("_stream_home.html", home=home)
        cards = [await self._views.card(change.recording_id) for change in recordings]
        return "".join(self._templates.text("_stream_card.html", card=card) for card in cards if card)

    async def _stream(self, update: Callable[[frozenset[Change] | None], Awaitable[str]]) -> AsyncGenerator[bytes]:
        clock = self._here.clock
        ends_at = clock.monotonic() + LIFETIME_SECONDS
        with self._here.changes.listen() as listener:
            yield _event(await update(None))
            while clock.monotonic() < ends_at:
                changes = await listener.take(HEARTBEAT_SECONDS)
                if listener.closed or not await self._welcome():
                    return
                text = await self._fresh(listener, changes, update)
                yield _event(text) if text else HEARTBEAT
                await self._breathe(listener)

    async def _fresh(
        self, listener: Listener, changes: frozenset[Change],
        update: Callable[[frozenset[Change] | None], Awaitable[str]],
    ) -> str:  # fmt: skip
        if listener.overflown:
            listener.overflown = False
            return await update(None)
        return await update(changes) if changes else ""

    async def _breathe(self, listener: Listener) -> None:
        await self._here.clock.sleep(0 if listener.closed else PAUSE_SECONDS)

    async def _welcome(self) -> bool:
        """Before anything is told: is the session still open? While recordings grow there is no quiet moment."""
        if self._session.expires_at <= self._here.clock.now():
            return False
        try:
            return await self._here.store.session(self._session.token_hash) is not None
        except WentliveError:
            return True


def _event(text: str) -> bytes:
    # Empty lines carry nothing in HTML, and each line costs a `data:`.
    return format_sse_event(data_str="\n".join(line for line in text.splitlines() if line.strip()))


async def closing(stream: AsyncGenerator[bytes]) -> AsyncIterator[bytes]:
    """Ends the stream's listener with the response, however that ends."""
    async with aclosing(stream):
        async for chunk in stream:
            yield chunk
