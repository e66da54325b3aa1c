"""The database is lost: what lies in storage gives the same library back; what does not agree is named."""

from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from azure.storage.blob.aio import BlobServiceClient, ContainerClient
from wentlive_catalog.adapters.azure_library import AzureLibraryStorage, StorageUnavailable
from wentlive_catalog.adapters.sqlite_catalog import SqliteCatalog, open_sqlite_catalog
from wentlive_catalog.domain.creators import Creator, followed
from wentlive_catalog.domain.library import RecordingFilter
from wentlive_catalog.domain.recordings import Recording, binned, erased, recorded, renamed, with_pin
from wentlive_catalog.keepsakes import BLOB, KeepsakeKeeper, OtherLibrary, read_keepsakes
from wentlive_catalog.rebuild import Check, Rebuild
from wentlive_catalog.testing import RecordingStory
from wentlive_common.ids import new_ulid
from wentlive_common.job import Outcome, PartReport
from wentlive_common.manifest import AttemptEntry, Manifest
from wentlive_devkit.recorded import StoredPart
from wentlive_devkit.servers import AzuriteServer

AT = datetime(2026, 11, 20, 20, 0, tzinfo=UTC)


@pytest.fixture
async def container(azurite: AzuriteServer) -> AsyncGenerator[ContainerClient]:
    async with BlobServiceClient.from_connection_string(azurite.connection_string) as service:
        made = service.get_container_client(f"test-{new_ulid()}")
        await made.create_container()
        yield made


@pytest.fixture
async def store(tmp_path: Path) -> AsyncGenerator[SqliteCatalog]:
    async with open_sqlite_catalog(tmp_path / "before.db") as opened:
        yield opened


@pytest.fixture
async def empty(tmp_path: Path) -> AsyncGenerator[SqliteCatalog]:
    async with open_sqlite_catalog(tmp_path / "after.db") as opened:
        yield opened


class Shelf:
    """Puts recordings into storage as recorders do, and into the index as events do."""

    def __init__(self, container: ContainerClient, store: SqliteCatalog, sample: Any) -> None:
        self.container, self.store, self.sample = container, store, sample

    async def add(
        self, room: str, *, parts: int = 1, outcome: Outcome | None = "ended", fail: bool = False
    ) -> Recording:
        story = RecordingStory("owl", "7", room, AT, title=f"live {room}")
        closed = [await self._closed(story, number) for number in range(1, parts + 1)]
        ended_at = AT + timedelta(minutes=9)
        entry = AttemptEntry(
            attempt=1, started_at=AT, ended_at=ended_at, outcome=outcome, parts=tuple(closed),
            reason="the stream was refused" if fail else None,
        )  # fmt: skip
        manifest = Manifest(
            recording_id=story.recording_id, creator_id="7", room_id=room, handle="owl", title=f"live {room}",
            live_started_at=AT, detected_at=AT + timedelta(seconds=2), updated_at=ended_at, attempts=(entry,),
        )  # fmt: skip
        await self.container.upload_blob(f"{story.prefix}/recording.json", manifest.to_json())
        events = [story.requested(), *(story.part_closed(part) for part in closed)]
        events.append(story.failed(ended_at, "the stream was refused") if fail else story.completed(ended_at))
        return await self._indexed(events)

    async def _closed(self, story: RecordingStory, number: int) -> PartReport:
        stored = StoredPart(self.container, story.stem(1, number), self.sample, AT)
        await stored.open()
        await stored.grow(2)
        await stored.close()
        return story.part(
            number, size=stored.size, duration=self.sample.duration(2), fragments=2, closed=True, opened_at=AT
        )  # fmt: skip

    async def _indexed(self, events: list[Any]) -> Recording:
        known: Recording | None = None
        for event in events:
            known = recorded(known, event.data)
        assert known is not None
        return await self.store.save_recording(known)


@pytest.fixture
def shelf(container: ContainerClient, store: SqliteCatalog, sample: Any) -> Shelf:
    return Shelf(container, store, sample)


def comparable(recording: Recording) -> Recording:
    """Without what counts writes and events."""
    return recording.model_copy(update={"version": 0, "sequence": 0})


async def library(store: SqliteCatalog) -> list[Recording]:
    return [comparable(recording) async for recording in store.all_recordings()]


async def test_deleting_the_database_and_rebuilding_gives_the_same_library(
    shelf: Shelf, store: SqliteCatalog, empty: SqliteCatalog, container: ContainerClient
) -> None:
    whole, failed, thrown = [
        await shelf.add("1", parts=2), await shelf.add("2", outcome="failed", fail=True), await shelf.add("3")
    ]  # fmt: skip
    await store.save_recording(with_pin(renamed(whole, "The best one"), pinned=True))
    await store.save_recording(binned(thrown, "ann", AT))
    await store.save_creator(followed(Creator(handle="owl", creator_id="7"), "ann", AT))
    storage = AzureLibraryStorage(container)
    keeper = KeepsakeKeeper(store, storage)
    assert await keeper.keep()
    assert not await keeper.keep()

    # An empty database in the lost one's place must not write over what that one kept.
    with pytest.raises(OtherLibrary):
        await KeepsakeKeeper(empty, storage).keep()
    done = await Rebuild(empty, storage).run()
    assert (done.added, done.unreadable, done.creators) == (3, 0, 1)
    assert not (await read_keepsakes(storage)).creators[0].broadcasts
    await empty.save_creator(Creator(handle="fox"))
    assert await KeepsakeKeeper(empty, storage).keep()
    await empty.save_creator(Creator(handle="elk"))
    assert await library(empty) == await library(store)
    assert [creator.handle for creator in await empty.followed_creators("ann")] == ["owl"]
    assert (await empty.recordings(RecordingFilter(text="best"), 5)).items[0].recording_id == whole.recording_id
    assert (await empty.recording(failed.recording_id)).failure == "the stream was refused"  # type: ignore[union-attr]
    again = await Rebuild(empty, storage).run()
    assert (again.added, again.known) == (0, 3)
    assert [difference async for difference in Check(empty, storage).run()] == []


async def test_a_part_that_was_left_open_is_told_by_its_index(
    container: ContainerClient, empty: SqliteCatalog, sample: Any
) -> None:
    story = RecordingStory("owl", "7", "8", AT)
    stored = StoredPart(container, story.stem(2, 1), sample, AT)
    await stored.open()
    await stored.grow(3)
    manifest = Manifest(recording_id=story.recording_id, creator_id="7", room_id="8", handle="owl", updated_at=AT)
    await container.upload_blob(f"{story.prefix}/recording.json", manifest.to_json())
    await Rebuild(empty, AzureLibraryStorage(container)).run()
    found = await empty.recording(story.recording_id)
    assert found is not None
    assert [(part.name, part.report.state, part.report.fragments) for part in found.parts] == [("a2-p1", "open", 3)]
    assert found.bytes == stored.size
    assert found.duration == pytest.approx(sample.duration(3))
    assert found.state == "completed"
    assert found.sequence == 0


async def test_what_an_event_told_is_not_overwritten(shelf: Shelf, store: SqliteCatalog) -> None:
    known = await shelf.add("1")
    kept = await store.save_recording(renamed(known, "mine"))
    done = await Rebuild(store, AzureLibraryStorage(shelf.container)).run()
    assert (done.added, done.completed, done.known) == (0, 0, 1)
    assert await store.recording(known.recording_id) == kept


async def test_differences_are_named(shelf: Shelf, store: SqliteCatalog, empty: SqliteCatalog) -> None:
    gone, cut, lost, erased_one = [await shelf.add(str(room)) for room in range(1, 5)]
    container = shelf.container
    storage = AzureLibraryStorage(container)
    await storage.erase(gone.parts[0].report.blob.rpartition("/")[0])
    await container.upload_blob(cut.parts[0].report.blob, b"short", overwrite=True)
    await store.remove_recording(lost)
    await store.save_recording(erased(erased_one, AT))
    found = {(one.recording_id, one.fault) async for one in Check(store, storage).run()}
    assert found == {
        (gone.recording_id, "not_in_storage"), (cut.recording_id, "size_differs"),
        (lost.recording_id, "not_in_index"), (erased_one.recording_id, "erased_but_there"),
    }  # fmt: skip


async def test_strange_folders_and_manifests_are_passed_over(container: ContainerClient, empty: SqliteCatalog) -> None:
    story = RecordingStory("owl", "7", "8", AT)
    for name in ("stray.txt", "7/2026/notes.txt", f"{story.prefix}/deep/er.mp4", f"{story.prefix}/recording.json"):
        await container.upload_blob(name, b"{not a manifest")
    await container.upload_blob(BLOB, b"{}")
    done = await Rebuild(empty, AzureLibraryStorage(container)).run()
    assert (done.added, done.unreadable) == (0, 1)
    assert (await read_keepsakes(AzureLibraryStorage(container))).recordings == ()


async def test_storage_that_does_not_answer_is_no_empty_library(empty: SqliteCatalog) -> None:
    url = "http://127.0.0.1:9/nowhere"
    async with BlobServiceClient(
        url, credential={"account_name": "x", "account_key": "a2V5"}, retry_total=0
    ) as service:
        with pytest.raises(StorageUnavailable):
            await Rebuild(empty, AzureLibraryStorage(service.get_container_client("x"))).run()
