"""Keeps open pages fresh: one event stream a page, made of the same partial templates the page is made of.

A stream never queues states. It notes what changed, and renders the newest state when the browser has taken the
last; a slow browser skips states, and nothing grows. It begins with the whole of the page's living parts, so that a
browser that comes back after a pause is right at once.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing

from fastapi.sse import format_sse_event
from wentlive_common.errors import WentliveError

from wentlive_catalog.access import Identity
from wentlive_catalog.api.context import Context
from wentlive_catalog.changes import Change, CreatorChanged, Listener, RecordingChanged
from wentlive_catalog.web.card_texts import card_texts
from wentlive_catalog.web.templates import Templates
from wentlive_catalog.web.views import Home, Views
from wentlive_catalog.web.watching import differences

HEARTBEAT_SECONDS = 15.0
CHECKS_SECONDS = 3.0
"""So often a page with creators asks what the watcher did; pages share the answers."""
LIFETIME_SECONDS = 600.0
"""Then the browser connects again: a dead connection cannot stay, a moved session is noticed."""
PAUSE_SECONDS = 0.4
"""At least this between two updates of one page, so that a burst becomes one."""

HEARTBEAT = format_sse_event(comment="still here")


class PageStream:
    """What one kind of page wants to hear, rendered."""

    def __init__(self, here: Context, templates: Templates, asker: Identity) -> None:
        self._here = here
        self._views = Views(here.store, here.watches)
        self._templates = templates
        self._asker = asker
        self._shown: Home | None = None
        """What the page holds of creators, when a watcher tells more of them than events do."""

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
            home = await self._views.home(self._asker.username, self._here.clock.now())
            self._shown = home if self._here.watches else None
            return self._templates.text("_stream_home.html", home=home)
        told, shared = self._here.changes.told, card_texts(self._here.changes)
        texts = [await shared.text(told, one.recording_id, self._views, self._templates) for one in recordings]
        return "".join(texts)

    async def _checks(self) -> str:
        """Only what the watcher tells differently than the page does: most often the times of a few checks."""
        if self._shown is None:
            return ""
        shown, self._shown = self._shown, await self._views.watched_again(self._shown)
        changed, checked = differences(shown.creators, self._shown.creators)
        notice = shown.notice != self._shown.notice
        return self._templates.text(
            "_stream_checks.html", home=self._shown, notice=notice, changed=changed, checked=checked
        )

    async def _stream(self, update: Callable[[frozenset[Change] | None], Awaitable[str]]) -> AsyncGenerator[bytes]:
        clock = self._here.clock
        ends_at = clock.monotonic() + LIFETIME_SECONDS
        with self._here.changes.listen() as listener:
            yield _event(await update(None))
            checks_at = clock.monotonic() + CHECKS_SECONDS
            while clock.monotonic() < ends_at:
                changes = await listener.take(self._patience(checks_at))
                if listener.closed or not await self._welcome():
                    return
                text = await self._fresh(listener, changes, update)
                if clock.monotonic() >= checks_at:
                    text += await self._checks()
                    checks_at = clock.monotonic() + CHECKS_SECONDS
                yield _event(text) if text.strip() else HEARTBEAT
                await self._breathe(listener)

    def _patience(self, checks_at: float) -> float:
        """How long to wait for an event."""
        if self._shown is None:
            return HEARTBEAT_SECONDS
        return min(HEARTBEAT_SECONDS, max(0.0, checks_at - self._here.clock.monotonic()))

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
        try:
            return await self._here.access.still(self._asker)
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
