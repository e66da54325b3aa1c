"""One store, two adapters: what every `CatalogStore` keeps and refuses."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta

import pytest
from wentlive_catalog.domain.creators import Creator, Profile, followed, unfollowed
from wentlive_catalog.domain.library import Position
from wentlive_catalog.domain.recordings import Recording, recorded
from wentlive_catalog.ports import CatalogStore, RecordingFilter
from wentlive_catalog.testing import RecordingStory
from wentlive_common.errors import Conflict
from wentlive_common.events import AnyEvent, CreatorFollowed, RecordingData, RecordingStopRequested, new_event
from wentlive_common.ids import new_ulid

Open = Callable[[str], AbstractAsyncContextManager[CatalogStore]]

AT = datetime(2026, 11, 20, 20, 0, 0, 123_000, tzinfo=UTC)


def recording_of(story: RecordingStory, *events: AnyEvent) -> Recording:
    recording: Recording | None = None
    for event in events or (story.requested(),):
        assert isinstance(event.data, RecordingData)
        recording = recorded(recording, event.data)
    assert recording is not None
    return recording


def followed_event(handle: str) -> AnyEvent:
    return new_event(CreatorFollowed(handle=handle), "catalog", time=AT)


async def test_what_is_saved_comes_back_whole(store: CatalogStore) -> None:
    creator = followed(Creator(handle="owl", creator_id="7", profile=Profile(at=AT, nickname="Öwl ✏️")), "admin", AT)
    story = RecordingStory("owl", "7", "8", AT, title="ramen")
    part = story.part(1, size=2**40, duration=8.25, fragments=2)
    recording = recording_of(story, story.part_opened(part), story.failed(AT + timedelta(minutes=1), "because"))
    saved_creator, saved_recording = await store.save_creator(creator), await store.save_recording(recording)
    assert await store.creator("owl") == saved_creator == creator.model_copy(update={"version": 1})
    assert await store.recording(story.recording_id) == saved_recording
    assert saved_recording.version == 1
    assert await store.creators_by_id("7") == (saved_creator,)
    renamed = await store.save_creator(Creator(handle="night.owl", creator_id="7"))
    assert await store.creators_by_id("7") == (renamed, saved_creator)
    assert await store.creators(["owl", "fox"]) == {"owl": saved_creator}
    assert await store.ready()


async def test_what_is_not_there_is_none(store: CatalogStore) -> None:
    assert await store.creator("owl") is None
    assert await store.creators_by_id("7") == ()
    assert await store.recording(new_ulid()) is None
    assert await store.creators([]) == {}


async def test_an_outdated_save_is_a_conflict_and_leaves_no_event(store: CatalogStore) -> None:
    first = await store.save_creator(Creator(handle="owl"))
    await store.save_creator(first)
    for outdated in (first, Creator(handle="owl")):
        with pytest.raises(Conflict):
            await store.save_creator(outdated, [followed_event("owl")])
    recording = await store.save_recording(recording_of(RecordingStory("owl", "7", "8", AT)))
    await store.save_recording(recording)
    with pytest.raises(Conflict):
        await store.save_recording(recording, [followed_event("owl")])
    assert await store.pending(10) == []


async def test_of_racing_saves_one_wins(store: CatalogStore) -> None:
    racers = [store.save_creator(Creator(handle="owl"), [followed_event("owl")]) for _ in range(8)]
    outcomes = await asyncio.gather(*racers, return_exceptions=True)
    assert sum(isinstance(outcome, Creator) for outcome in outcomes) == 1
    assert all(isinstance(outcome, Creator | Conflict) for outcome in outcomes)
    assert len(await store.pending(10)) == 1


async def test_events_wait_in_order_until_cleared(store: CatalogStore) -> None:
    events = [followed_event("owl") for _ in range(3)]
    saved = await store.save_creator(Creator(handle="owl"), events[:2])
    await store.save_creator(saved, events[2:])
    stop = new_event(RecordingStopRequested(recording_id=new_ulid(), requested_by="admin"), "catalog", time=AT)
    await store.save_recording(recording_of(RecordingStory("owl", "7", "8", AT)), [stop])
    pending = await store.pending(10)
    assert [event.id for event in pending if event.subject == "owl"] == [event.id for event in events]
    assert stop in pending
    assert len(await store.pending(2)) == 2
    await store.clear([events[0].id, stop.id])
    assert [event.id for event in await store.pending(10)] == [event.id for event in events[1:]]
    assert await store.creator("owl") == saved.model_copy(update={"version": 2})


async def test_follows_by_follower_and_by_anybody(store: CatalogStore) -> None:
    for handle, followers in (("owl", ("ann", "bob")), ("fox", ("bob",)), ("elk", ())):
        creator = Creator(handle=handle)
        for follower in followers:
            creator = followed(creator, follower, AT)
        await store.save_creator(creator)
    assert [creator.handle for creator in await store.followed_creators("bob")] == ["fox", "owl"]
    assert [creator.handle for creator in await store.followed_creators("ann")] == ["owl"]
    assert [creator.handle for creator in await store.followed_creators()] == ["fox", "owl"]
    owl = await store.creator("owl")
    assert owl is not None
    await store.save_creator(unfollowed(owl, "ann"))
    assert await store.followed_creators("ann") == ()


async def test_pages_are_stable_while_new_recordings_come(store: CatalogStore) -> None:
    stories = [RecordingStory("owl" if n % 3 else "fox", "7", str(n + 1), AT) for n in range(10)]
    for story in stories:
        await store.save_recording(recording_of(story))
    expected = sorted((story.recording_id for story in stories), reverse=True)
    seen: list[str] = []
    after: Position | None = None
    while True:
        page = await store.recordings(RecordingFilter(), 4, after)
        seen += [recording.recording_id for recording in page.items]
        if page.next is None:
            break
        after = page.next
        await store.save_recording(recording_of(RecordingStory("owl", "7", str(len(seen) + 100), AT)))
    assert seen == expected


async def test_filters_go_together(store: CatalogStore) -> None:
    for n, handle in enumerate(("owl", "owl", "fox")):
        story = RecordingStory(handle, "7", str(n + 1), AT)
        events = [story.requested()] + ([story.failed(AT, "no")] if n else [])
        await store.save_recording(recording_of(story, *events))

    async def count(**wanted: object) -> int:
        return len((await store.recordings(RecordingFilter.model_validate(wanted), 10)).items)

    assert await count() == 3
    assert await count(handle="owl") == 2
    assert await count(states=("failed",)) == 2
    assert await count(handle="owl", states=("failed",)) == 1
    assert await count(handle="owl", states=("completed", "recording")) == 0
    assert await count(handle="elk") == 0


async def test_all_of_it_is_there_after_opening_again(opening: Open) -> None:
    name = f"catalog_{new_ulid()}"
    async with opening(name) as before:
        saved = await before.save_creator(Creator(handle="owl"), [followed_event("owl")])
    async with opening(name) as after:
        assert await after.creator("owl") == saved
        assert [event.subject for event in await after.pending(5)] == ["owl"]
