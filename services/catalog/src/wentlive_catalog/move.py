"""Everything from one store into another, whichever databases they are."""

from typing import Any

import structlog
from wentlive_common.errors import Conflict, Permanent
from wentlive_common.model import Model

from wentlive_catalog.documents import DocumentKind
from wentlive_catalog.kinds import KINDS
from wentlive_catalog.ports import CatalogStore

log = structlog.get_logger(__name__)

PAGE = 500


class NotEmpty(Permanent):
    """The database to move into holds something already: name an empty one."""


class Unpublished(Permanent):
    """The database to move from still holds events to be published: start its catalog for a moment, then stop it."""


class Moved(Model):
    creators: int = 0
    recordings: int = 0
    documents: int = 0


async def move(source: CatalogStore, target: CatalogStore) -> Moved:
    """Copies all of it; the source stays as it is. Stop the catalog first: later changes are left behind."""
    if await source.pending(1):
        raise Unpublished
    async for _ in target.all_creators():
        raise NotEmpty
    async for _ in target.all_recordings():
        raise NotEmpty
    creators = recordings = documents = 0
    async for creator in source.all_creators():
        await target.save_creator(creator.model_copy(update={"version": 0}))
        creators += 1
    async for recording in source.all_recordings():
        await target.save_recording(recording.model_copy(update={"version": 0}))
        recordings += 1
    for kind in KINDS:
        documents += await _move_documents(source, target, kind)
    return Moved(creators=creators, recordings=recordings, documents=documents)


async def _move_documents(source: CatalogStore, target: CatalogStore, kind: DocumentKind[Any]) -> int:
    moved, below = 0, None
    while page := await source.documents(kind).page(PAGE, below):
        for document in page:
            try:
                await target.documents(kind).save(document.model_copy(update={"version": 0}))
            except Conflict as error:
                raise NotEmpty from error
        moved += len(page)
        below = kind.key_of(page[-1])
    return moved
