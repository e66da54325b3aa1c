"""What accompanies the media: pictures, the manifest, the log. The recording goes on without any of them."""

import asyncio
from collections.abc import Coroutine
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import structlog

from wentlive_recorder.journal import Journal
from wentlive_recorder.manifest import ManifestKeeper
from wentlive_recorder.pictures.studio import Studio

COMPANION_BROKE = "companion_broke"
_CLOSING_PATIENCE = 5.0

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Companions:
    studio: Studio
    manifest: ManifestKeeper
    journal: Journal

    def listening(self) -> AbstractContextManager[None]:
        """Within it, what is logged goes into the journal."""
        return self.journal.pages.attached()

    async def run(self) -> None:
        """All of them, for ever; cancel it to stop."""
        await asyncio.gather(
            _unharmful(self.studio.run(), "pictures"),
            _unharmful(self.manifest.run(), "manifest"),
            _unharmful(self.journal.run(), "journal"),
        )

    async def close(self) -> None:
        """The last words, once the verdict is known; takes seconds at most."""
        try:
            async with asyncio.timeout(_CLOSING_PATIENCE):
                await _unharmful(self.manifest.close(), "manifest")
                await _unharmful(self.journal.close(), "journal")
        except TimeoutError:
            return


async def _unharmful(work: Coroutine[Any, Any, None], what: str) -> None:
    try:
        await work
    except Exception:
        # A defect of theirs must be known, but it is no reason to lose media.
        log.exception(COMPANION_BROKE, what=what)
