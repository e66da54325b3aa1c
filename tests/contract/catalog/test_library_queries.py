"""Whatever is asked of the library, both databases answer as a plain loop over all recordings would."""

import random
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from wentlive_catalog.domain.creators import Creator, followed
from wentlive_catalog.domain.library import ORDERS, CreatorTotals, DayTotals, Position, RecordingFilter, RecordingOrder
from wentlive_catalog.domain.recordings import RECORDING_STATES, Recording, binned, recorded, renamed, with_pin
from wentlive_catalog.domain.retention import Outline
from wentlive_catalog.domain.words import wanted_words, words_of
from wentlive_catalog.ports import CatalogStore
from wentlive_catalog.testing import RecordingStory
from wentlive_common.errors import Conflict
from wentlive_common.events import RecordingData

AT = datetime(2026, 11, 20, 20, 0, 0, 123_000, tzinfo=UTC)
HANDLES = ("owl", "fox.and.elk", "elk_7")
TITLES = ("Late night RAMEN", "ramen, again", "Café au lait", "今日は日本語", "สวัสดีตอนเช้า", "", "don't “quote” me* OR")
SEARCHES = ("ram", "RAMEN night", "cafe", "日本", "語", "สวัส", "fox.and", "owl", "zzz", "!!", '"', "or quote*", "elk 7")


def made_up(count: int) -> list[Recording]:
    chance = random.Random(7)
    recordings: list[Recording] = []
    for number in range(count):
        at = AT + timedelta(hours=chance.randrange(96))
        story = RecordingStory(chance.choice(HANDLES), "7", str(number + 1), at, title=chance.choice(TITLES))
        part = story.part(
            1, size=chance.choice((0, 10, 20, 2**40)), duration=chance.choice((0.0, 1.5, 60.0)), fragments=1
        )
        told = [story.part_opened(part)] + [story.completed(at + timedelta(hours=1))] * chance.randrange(2)
        recording: Recording | None = None
        for event in told:
            assert isinstance(event.data, RecordingData)
            recording = recorded(recording, event.data)
        assert recording is not None
        recording = with_pin(recording, pinned=chance.random() < 0.3)
        recording = renamed(recording, chance.choice((None, "Ramen with Öwl")))
        recordings.append(binned(recording, "ann", AT) if chance.random() < 0.2 else recording)
    return recordings


LIBRARY = made_up(60)
FOLLOWED = {"ann": ("owl", "elk_7"), "bob": ()}


@pytest.fixture
async def library(store: CatalogStore) -> CatalogStore:
    for handle in HANDLES:
        creator = Creator(handle=handle)
        for person, handles in FOLLOWED.items():
            creator = followed(creator, person, AT) if handle in handles else creator
        await store.save_creator(creator)
    for recording in LIBRARY:
        await store.save_recording(recording)
    return store


def matches(one: Recording, wanted: RecordingFilter) -> bool:
    words = words_of((one.title, one.name or "", one.handle))
    searched = wanted_words(wanted.text)
    return all((
        wanted.place in (None, "bin" if one.deleted_at else "library"),
        wanted.handle in (None, one.handle),
        not wanted.states or one.state in wanted.states,
        wanted.since is None or one.live_started_at >= wanted.since,
        wanted.until is None or one.live_started_at < wanted.until,
        wanted.min_duration is None or one.duration >= wanted.min_duration,
        wanted.max_duration is None or one.duration <= wanted.max_duration,
        wanted.min_bytes is None or one.bytes >= wanted.min_bytes,
        wanted.max_bytes is None or one.bytes <= wanted.max_bytes,
        wanted.pinned in (None, one.pinned),
        wanted.touched in (None, one.pinned or one.deleted_at is not None or one.name is not None),
        wanted.follower is None or one.handle in FOLLOWED.get(wanted.follower, ()),
        not wanted.text or bool(searched),
        all(any(word.startswith(start) for word in words) for start in searched),
    ))  # fmt: skip


def expected(wanted: RecordingFilter, order: RecordingOrder) -> list[str]:
    by, falls = ORDERS[order]
    found = [one for one in LIBRARY if matches(one, wanted)]
    found.sort(key=lambda one: (getattr(one, by), one.recording_id), reverse=falls)
    return [one.recording_id for one in found]


moments = st.none() | st.integers(0, 96).map(lambda hours: AT + timedelta(hours=hours))
seconds = st.none() | st.sampled_from((0.0, 1.0, 1.5, 59.0, 60.0))
sizes = st.none() | st.sampled_from((0, 10, 15, 2**40))
filters = st.builds(
    RecordingFilter,
    handle=st.none() | st.sampled_from((*HANDLES, "nobody")),
    states=st.lists(st.sampled_from(RECORDING_STATES), max_size=2, unique=True).map(tuple),
    since=moments, until=moments, min_duration=seconds, max_duration=seconds, min_bytes=sizes, max_bytes=sizes,
    pinned=st.sampled_from((None, None, True, False)), touched=st.sampled_from((None, None, True, False)),
    place=st.sampled_from(("library", "library", "bin", "gone", None)),
    text=st.just("") | st.sampled_from(SEARCHES) | st.text(max_size=12),
    follower=st.sampled_from((None, None, "ann", "bob", "nobody")),
)  # fmt: skip
orders = st.sampled_from(tuple(ORDERS))
quick = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True
)


async def walk(store: CatalogStore, wanted: RecordingFilter, order: RecordingOrder, size: int) -> list[str]:
    seen: list[str] = []
    after: Position | None = None
    while True:
        page = await store.recordings(wanted, size, after, order)
        seen += [one.recording_id for one in page.items]
        if page.next is None:
            return seen
        after = page.next


@given(wanted=filters, order=orders, size=st.integers(1, 30))
@quick
async def test_pages_together_are_what_a_loop_would_find(
    library: CatalogStore, wanted: RecordingFilter, order: RecordingOrder, size: int
) -> None:
    assert await walk(library, wanted, order, size) == expected(wanted, order)


@given(wanted=filters, size=st.integers(1, 30))
@quick
async def test_outlines_are_those_of_what_was_found(library: CatalogStore, wanted: RecordingFilter, size: int) -> None:
    seen: list[Outline] = []
    while page := await library.outlines(wanted, size, seen[-1].recording_id if seen else None):
        seen += page
    assert [one.recording_id for one in seen] == expected(wanted, "newest")
    by_id = {one.recording_id: one for one in LIBRARY}
    assert all(
        (one.bytes, one.ended_at, one.started_at)
        == (by_id[one.recording_id].bytes, by_id[one.recording_id].ended_at, by_id[one.recording_id].live_started_at)
        for one in seen
    )


@given(wanted=filters)
@quick
async def test_sums_are_those_of_what_was_found(library: CatalogStore, wanted: RecordingFilter) -> None:
    found = [one for one in LIBRARY if matches(one, wanted)]
    totals = await library.totals(wanted)
    assert (totals.recordings, totals.bytes) == (len(found), sum(one.bytes for one in found))
    assert totals.duration == pytest.approx(sum(one.duration for one in found))
    days = await library.totals_by_day(wanted, 3)
    assert [day.day for day in days] == sorted({f"{one.live_started_at:%Y-%m-%d}" for one in found}, reverse=True)[:3]
    assert all(_counts(day, [one for one in found if f"{one.live_started_at:%Y-%m-%d}" == day.day]) for day in days)
    creators = await library.totals_by_creator(wanted, 2)
    assert all(_counts(sums, [one for one in found if one.handle == sums.handle]) for sums in creators)
    assert [sums.bytes for sums in creators] == sorted((sums.bytes for sums in creators), reverse=True)
    spans = await library.live_spans(wanted, 100)
    assert sorted((span.started_at, span.ended_at is None) for span in spans) == sorted(
        (one.live_started_at, one.ended_at is None) for one in found
    )


def _counts(sums: DayTotals | CreatorTotals, those: list[Recording]) -> bool:
    return (sums.recordings, sums.bytes) == (len(those), sum(one.bytes for one in those))


async def test_what_changes_is_found_as_it_is_now(store: CatalogStore) -> None:
    saved = await store.save_recording(LIBRARY[0].model_copy(update={"deleted_at": None, "name": "first"}))
    for name in ("second", "third"):
        saved = await store.save_recording(renamed(saved, name))
        page = await store.recordings(RecordingFilter(text=name[:3]), 5)
        assert page.items == (saved,)
    assert (await store.recordings(RecordingFilter(text="first"), 5)).items == ()
    assert (await store.totals(RecordingFilter())).recordings == 1


async def test_what_is_removed_is_found_no_more(store: CatalogStore) -> None:
    saved = await store.save_recording(LIBRARY[0].model_copy(update={"deleted_at": None, "name": "first"}))
    newer = await store.save_recording(saved)
    with pytest.raises(Conflict):
        await store.remove_recording(saved)
    await store.remove_recording(newer)
    assert await store.recording(saved.recording_id) is None
    assert (await store.recordings(RecordingFilter(text="first"), 5)).items == ()
    with pytest.raises(Conflict):
        await store.remove_recording(newer)


async def test_all_of_them_are_walked_through(library: CatalogStore) -> None:
    assert [one.recording_id async for one in library.all_recordings()] == sorted(one.recording_id for one in LIBRARY)
    assert [creator.handle async for creator in library.all_creators()] == sorted(HANDLES)
