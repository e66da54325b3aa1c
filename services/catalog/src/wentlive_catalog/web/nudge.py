"""A stream for pages that are made anew as a whole: it only says that something changed, and the page asks again."""

from collections.abc import AsyncGenerator

from fastapi.sse import format_sse_event
from wentlive_common.errors import WentliveError

from wentlive_catalog.access import Identity
from wentlive_catalog.api.context import Context
from wentlive_catalog.web.stream import HEARTBEAT, HEARTBEAT_SECONDS, LIFETIME_SECONDS

PAUSE_SECONDS = 2.0
"""A page is not made anew more often than this, however much happens."""

CHANGED = format_sse_event(event="changed", data_str="")


async def nudges(here: Context, asker: Identity) -> AsyncGenerator[bytes]:
    """Begins with a nudge: what happened while the page was on its way, or the browser away, is not missed."""
    ends_at = here.clock.monotonic() + LIFETIME_SECONDS
    with here.changes.listen() as listener:
        yield CHANGED
        while here.clock.monotonic() < ends_at:
            await here.clock.sleep(0 if listener.closed else PAUSE_SECONDS)
            changes = await listener.take(HEARTBEAT_SECONDS)
            if listener.closed or not await _welcome(here, asker):
                return
            yield CHANGED if changes else HEARTBEAT


async def _welcome(here: Context, asker: Identity) -> bool:
    try:
        return await here.access.still(asker)
    except WentliveError:
        return True
