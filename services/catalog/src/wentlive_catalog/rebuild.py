"""The index made again from storage alone, and the two compared."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from typing import Literal

import structlog
from wentlive_common.blobs import part_blobs
from wentlive_common.errors import Conflict
from wentlive_common.fragment_index import FragmentIndex, InvalidFragmentIndex, read_index
from wentlive_common.manifest import InvalidManifest, read_manifest
from wentlive_common.model import Model

from wentlive_catalog.domain.creators import Creator
from wentlive_catalog.domain.manifests import PartKey, open_parts, rebuilt, stored_parts
from wentlive_catalog.domain.recordings import Recording
from wentlive_catalog.keepsakes import InvalidKeepsakes, KeepsakeKeeper, Keepsakes, Touched, read_keepsakes
from wentlive_catalog.ports import CatalogStore
from wentlive_catalog.ports.library import Folder, LibraryStorage

log = structlog.get_logger(__name__)

AT_ONCE = 16
TRIES = 8
MANIFEST = "recording.json"

Outcome = Literal["added", "completed", "known", "unreadable"]


class Rebuilt(Model):
    """What a rebuild did, in recordings; and creators that were followed again."""

    added: int = 0
    completed: int = 0
    """Known before, and now with parts that the index did not know."""
    known: int = 0
    unreadable: int = 0
    creators: int = 0


class Rebuild:
    """Adds what the index lacks and takes nothing away: it may run beside everything else, and again."""

    def __init__(self, store: CatalogStore, storage: LibraryStorage) -> None:
        self._store = store
        self._storage = storage

    async def run(self) -> Rebuilt:
        keepsakes, readable = await self._keepsakes()
        creators = [await self._add_creator(creator) for creator in keepsakes.creators]
        touched = {one.recording_id: one for one in keepsakes.recordings}
        outcomes: list[Outcome] = []
        async for batch in _batches(self._storage):
            outcomes += await asyncio.gather(*(self._take_in(folder, touched) for folder in batch))
        counts = {outcome: outcomes.count(outcome) for outcome in ("added", "completed", "known", "unreadable")}
        if readable:
            await KeepsakeKeeper(self._store, self._storage).keep(take_over=True)
        return Rebuilt.model_validate(counts | {"creators": sum(creators)})

    async def _keepsakes(self) -> tuple[Keepsakes, bool]:
        try:
            return await read_keepsakes(self._storage), True
        except InvalidKeepsakes as error:
            log.warning("keepsakes_unreadable", error=error.message)
            return Keepsakes(), False

    async def _add_creator(self, creator: Creator) -> bool:
        """The watcher takes the follow list as a whole, so that no event is needed."""
        if await self._store.creator(creator.handle):
            return False
        await self._store.save_creator(creator)
        return True

    async def _take_in(self, folder: Folder, touched: Mapping[str, Touched]) -> Outcome:
        try:
            found = await made_of(folder, self._storage)
        except (InvalidManifest, InvalidFragmentIndex) as error:
            log.warning("folder_unreadable", folder=folder.prefix, error=error.message)
            return "unreadable"
        for _ in range(TRIES):
            known = await self._store.recording(found.recording_id)
            wanted = _with_missing(known, found) if known else _first(found, touched)
            if wanted == known:
                return "known"
            try:
                await self._store.save_recording(wanted)
            except Conflict:
                continue
            return "completed" if known else "added"
        raise Conflict


def _first(found: Recording, touched: Mapping[str, Touched]) -> Recording:
    mark = touched.get(found.recording_id)
    return mark.on(found) if mark else found


def _with_missing(known: Recording, found: Recording) -> Recording:
    """With the parts that storage holds and the index does not know."""
    names = {part.name for part in known.parts}
    more = [part for part in found.parts if part.name not in names]
    if known.erased_at or not more:
        return known
    parts = sorted((*known.parts, *more), key=lambda part: (part.attempt, part.report.part))
    return known.model_copy(update={"parts": tuple(parts)})


async def made_of(folder: Folder, storage: LibraryStorage) -> Recording:
    """The recording that a folder holds; raises InvalidManifest or InvalidFragmentIndex."""
    body = await storage.read(f"{folder.prefix}/{MANIFEST}") if MANIFEST in folder.blobs else None
    if body is None:
        raise InvalidManifest(f"There is no {MANIFEST} in {folder.prefix}.")
    manifest = read_manifest(body)
    if manifest.recording_id != folder.recording_id:
        raise InvalidManifest(f"The manifest in {folder.prefix} is another recording's.")
    indexes: dict[PartKey, FragmentIndex] = {}
    for key in open_parts(manifest, folder.blobs):
        if data := await storage.read(part_blobs(folder.prefix, *key).index):
            indexes[key] = read_index(data)
    return rebuilt(manifest, folder.prefix, folder.blobs, indexes)


Fault = Literal["not_in_index", "part_not_in_index", "not_in_storage", "size_differs", "erased_but_there"]


class Difference(Model):
    """Something that index and storage do not agree about."""

    recording_id: str
    fault: Fault
    detail: str = ""


class Check:
    """Compares; changes nothing. What is being recorded just now may differ for a moment, and is left out."""

    def __init__(self, store: CatalogStore, storage: LibraryStorage) -> None:
        self._store = store
        self._storage = storage

    async def run(self) -> AsyncGenerator[Difference]:
        seen: set[str] = set()
        async for batch in _batches(self._storage):
            for folder in batch:
                seen.add(folder.recording_id)
                known = await self._store.recording(folder.recording_id)
                for difference in _differences(known, folder):
                    yield difference
        async for recording in self._store.all_recordings():
            if recording.parts and recording.over and recording.recording_id not in seen:
                yield Difference(recording_id=recording.recording_id, fault="not_in_storage")


def _differences(known: Recording | None, folder: Folder) -> list[Difference]:
    def differs(fault: Fault, detail: str = "") -> Difference:
        return Difference(recording_id=folder.recording_id, fault=fault, detail=detail)

    if known is None:
        return [differs("not_in_index", folder.prefix)]
    if known.erased_at:
        return [differs("erased_but_there", folder.prefix)]
    if not known.over:
        return []
    parts = {(part.attempt, part.report.part) for part in known.parts}
    stored = stored_parts(folder.blobs)
    found = [differs("part_not_in_index", "a{}-p{}".format(*key)) for key in stored if key not in parts]
    for part in known.parts:
        size = folder.blobs.get(f"{part.name}.mp4")
        if size is None:
            found.append(differs("not_in_storage", part.name))
        elif part.report.state == "closed" and size != part.report.bytes:
            found.append(differs("size_differs", f"{part.name}: {size} bytes, not {part.report.bytes}"))
    return found


async def _batches(storage: LibraryStorage) -> AsyncGenerator[list[Folder]]:
    batch: list[Folder] = []
    async for folder in storage.folders():
        batch.append(folder)
        if len(batch) == AT_ONCE:
            yield batch
            batch = []
    if batch:
        yield batch
