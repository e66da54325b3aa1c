"""Cards as streams send them: read and rendered once for all pages that are open, however many there are."""

import asyncio
from weakref import WeakKeyDictionary

from wentlive_catalog.changes import Changes
from wentlive_catalog.web.templates import Templates
from wentlive_catalog.web.views import Views


class CardTexts:
    """Holds what was rendered since the last change, and nothing longer."""

    def __init__(self) -> None:
        self._told = -1
        self._texts: dict[str, asyncio.Task[str]] = {}

    async def text(self, told: int, recording_id: str, views: Views, templates: Templates) -> str:
        """Of its live card, as it is after `told` changes; empty for a recording that is over or gone."""
        if self._told != told:
            self._told, self._texts = told, {}
        if recording_id not in self._texts:
            self._texts[recording_id] = asyncio.create_task(_text(recording_id, views, templates))
        # A page that is closed meanwhile must not take it from the others.
        return await asyncio.shield(self._texts[recording_id])


async def _text(recording_id: str, views: Views, templates: Templates) -> str:
    card = await views.card(recording_id)
    return templates.text("_stream_card.html", card=card) if card else ""


_known: WeakKeyDictionary[Changes, CardTexts] = WeakKeyDictionary()


def card_texts(changes: Changes) -> CardTexts:
    """Those of the catalog that announces these changes."""
    return _known.setdefault(changes, CardTexts())
