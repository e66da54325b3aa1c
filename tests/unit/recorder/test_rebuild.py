"""Whatever a dead recorder left, all whole fragments of it become a standard MP4, and their media is not read."""

import asyncio
from datetime import UTC, datetime
from io import BytesIO
from typing import Any

import av
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wentlive_common.fragment_index import FragmentIndex, IndexFragment, make_header
from wentlive_common.mp4.run import KEY, NO_KEY, Run
from wentlive_recorder.errors import FinishedAlready, NothingRecorded, NotRebuildable
from wentlive_recorder.mp4.moof import pack_moof, unpack_moof
from wentlive_recorder.mp4.rebuild import Rebuilt, rebuild

REFUSALS = (NothingRecorded, NotRebuildable, FinishedAlready)


@pytest.fixture(scope="module")
def muxed(streams, portrait: bytes) -> Any:
    return streams.muxed(portrait)


@pytest.fixture(scope="module")
def decodable(muxed) -> list[tuple[float, bytes]]:
    """Every picture of the part, once decoded."""
    return pictures(muxed.live())


def pictures(data: bytes) -> list[tuple[float, bytes]]:
    """When each picture is shown, and the picture; errors in it are raised."""
    with av.open(BytesIO(data), "r", format="mp4") as container:
        container.streams.video[0].codec_context.options = {"err_detect": "explode"}
        frames = container.decode(video=0)
        return [(round(frame.time or 0, 3), b"".join(bytes(plane) for plane in frame.planes)) for frame in frames]


class Blob:
    """What is asked of a blob while it is rebuilt."""

    def __init__(self, data: bytes) -> None:
        self.data, self.asked = data, list[int]()
        self.open = self.most_open = 0

    async def read(self, start: int, length: int) -> bytes:
        assert 0 <= start <= start + length <= len(self.data)
        assert length > 0
        self.asked.append(length)
        self.open += 1
        self.most_open = max(self.open, self.most_open)
        await asyncio.sleep(0)
        self.open -= 1
        return self.data[start : start + length]


async def rebuilt(data: bytes, known: FragmentIndex | None = None) -> Rebuilt:
    return await rebuild(Blob(data).read, len(data), known)


def finished(found: Rebuilt, data: bytes) -> bytes:
    media = data[len(found.init_segment) : found.valid_size]
    tail = b"".join(found.ending.tail)
    assert (len(found.ending.head), len(tail)) == (len(found.init_segment), found.ending.tail_size)
    return found.ending.head + media + tail


def index_of(muxed: Any, fragments: list[IndexFragment]) -> FragmentIndex:
    header = make_header(muxed.init, opened_at=datetime(2026, 11, 23, tzinfo=UTC), width=96, height=160)
    return FragmentIndex(header=header, fragments=tuple(fragments))


def named(muxed: Any) -> list[IndexFragment]:
    return [IndexFragment(offset=f.offset, length=len(f.data), duration=f.duration) for f in muxed.fragments]


@pytest.mark.parametrize("indexed", [0, 5, 12])
async def test_a_whole_part_is_rebuilt_to_the_byte(muxed, indexed: int) -> None:
    found = await rebuilt(muxed.live(), index_of(muxed, named(muxed)[:indexed]) if indexed else None)
    assert finished(found, muxed.live()) == muxed.finished
    assert (found.init_segment, found.info, found.fragments) == (muxed.init, muxed.info, tuple(named(muxed)))
    assert found.duration == pytest.approx(12, abs=0.001)


async def test_so_is_one_whose_sound_was_away_and_one_of_sound_alone(streams, portrait: bytes) -> None:
    tags = [t for t in streams.tags(portrait) if t.kind == streams.video_kind or not 2000 < t.timestamp < 7000]
    for muxed in (streams.muxed(streams.flv(tags)), streams.muxed(portrait, audio_only=True)):
        found = await rebuilt(muxed.live())
        assert finished(found, muxed.live()) == muxed.finished
        assert (found.info, found.fragments) == (muxed.info, tuple(named(muxed)))


@settings(max_examples=30, deadline=None)
@given(data=st.data())
async def test_wherever_it_broke_off_every_whole_fragment_is_kept(muxed, decodable, data: st.DataObject) -> None:
    blob = muxed.live()
    ends = [0, len(muxed.init), *(fragment.end for fragment in muxed.fragments)]
    near = st.builds(lambda end, by: max(0, min(end + by, len(blob))), st.sampled_from(ends), st.integers(-20, 20))
    cut = data.draw(st.one_of(st.integers(0, len(blob)), near))
    index = index_of(muxed, named(muxed)[: data.draw(st.integers(0, 12))])
    whole = [fragment for fragment in muxed.fragments if fragment.end <= cut]
    if not whole:
        with pytest.raises(NothingRecorded):
            await rebuilt(blob[:cut], index)
        return
    found = await rebuilt(blob[:cut], index)
    assert found.valid_size == whole[-1].end
    assert found.fragments == tuple(named(muxed)[: len(whole)])
    assert pictures(finished(found, blob)) == decodable[: len(whole) * 20]


@settings(max_examples=100, deadline=None)
@given(data=st.data())
async def test_damage_ends_the_part_before_it_and_what_is_kept_is_as_it_was(muxed, data: st.DataObject) -> None:
    """In a `moof` or between fragments; damage within the media can be seen by nobody who does not read it."""
    blob = bytearray(muxed.live())
    number = data.draw(st.integers(0, 11))
    fragment = muxed.fragments[number]
    place = fragment.offset + data.draw(st.integers(0, int.from_bytes(fragment.data[:4], "big") + 7))
    old = bytes(blob[place : place + 4])
    blob[place : place + 4] = data.draw(st.binary(min_size=4, max_size=4).filter(lambda new: new != old))
    index = index_of(muxed, named(muxed)) if data.draw(st.booleans()) else None
    try:
        found = await rebuilt(bytes(blob), index)
    except NothingRecorded:
        assert number == 0
        return
    assert found.fragments[:number] == tuple(named(muxed)[:number])
    assert b"".join(found.ending.tail)
    # A number that was changed may still make sense (a time, a flag); it is never one that tells where media lies.
    assert [f.offset for f in found.fragments] == [f.offset for f in muxed.fragments][: len(found.fragments)]


@settings(max_examples=60, deadline=None)
@given(data=st.data())
async def test_any_damage_is_a_typed_failure_or_an_earlier_end(muxed, data: st.DataObject) -> None:
    blob = bytearray(muxed.live())
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.one_of(st.integers(0, 1500), st.integers(0, len(blob) - 9)))
        blob[place : place + 8] = data.draw(st.binary(min_size=8, max_size=8))
    try:
        found = await rebuilt(bytes(blob))
    except REFUSALS:
        return
    assert found.valid_size <= len(blob)
    assert len(finished(found, bytes(blob))) == found.valid_size + found.ending.tail_size


@settings(max_examples=60, deadline=None)
@given(data=st.data())
async def test_an_index_that_lies_changes_nothing(muxed, data: st.DataObject) -> None:
    lines = named(muxed)[: data.draw(st.integers(0, 12))]
    lie = st.builds(IndexFragment, offset=st.integers(0, 2**40), length=st.integers(1, 2**40), duration=st.just(1.0))
    for place in data.draw(st.lists(st.integers(0, len(lines)), max_size=3)):
        lines.insert(place, data.draw(lie))
    found = await rebuilt(muxed.live(), index_of(muxed, lines))
    assert finished(found, muxed.live()) == muxed.finished


async def test_the_media_is_not_read(streams) -> None:
    muxed = streams.muxed(streams.encode(20, width=320, height=480))
    for index in (index_of(muxed, named(muxed)), None):
        blob = Blob(muxed.live())
        await rebuild(blob.read, len(blob.data), index)
        assert len(blob.asked) <= len(muxed.fragments) + 3
        assert max(blob.asked) <= 4096
        assert blob.most_open <= 16


async def test_a_moof_that_is_larger_than_usual_is_read_whole(streams) -> None:
    muxed = streams.muxed(streams.encode(1, audio=False))
    data, count = muxed.init, 5000
    for number in range(1, 4):
        run = Run(1, 90 * number * count, [90] * count, [1 + n % 3 for n in range(count)], [KEY] * count, [0] * count)
        data += pack_moof(number, [run]) + (8 + sum(run.sizes)).to_bytes(4, "big") + b"mdat" + bytes(sum(run.sizes))
    found = await rebuilt(data)
    assert len(found.fragments) == 3
    assert found.valid_size == len(data)


async def test_a_finished_part_an_empty_one_and_another_file_are_told(muxed, streams, portrait: bytes) -> None:
    with pytest.raises(FinishedAlready):
        await rebuilt(muxed.finished)
    for empty in (b"", muxed.init[:30], muxed.init):
        with pytest.raises(NothingRecorded):
            await rebuilt(empty)
    for other in (b"<html>" * 100, streams.remuxed(portrait, "mp4"), portrait):
        with pytest.raises(NotRebuildable):
            await rebuilt(other)


# The box in which fragments say what they hold

words = st.integers(0, 2**32 - 1)


@st.composite
def any_runs(draw: st.DrawFn) -> list[Run]:
    runs: list[Run] = []
    for track in draw(st.lists(words, min_size=1, max_size=3)):
        count = draw(st.integers(1, 20))
        alike = words.map(lambda n, count=count: [n] * count)
        column = st.one_of(alike, st.lists(words, min_size=count, max_size=count))
        delays = st.lists(st.integers(-(2**31), 2**31 - 1), min_size=count, max_size=count)
        sizes = st.lists(st.integers(0, 1000), min_size=count, max_size=count)
        flags = st.lists(st.sampled_from([KEY, NO_KEY]), min_size=count, max_size=count)
        start = draw(st.integers(0, 2**64 - 1))
        delays = st.one_of(st.just([0] * count), delays)
        runs.append(Run(track, start, draw(column), draw(sizes), draw(flags), draw(delays)))
    return runs


@given(words, any_runs())
def test_what_a_moof_says_is_read_back(sequence: int, runs: list[Run]) -> None:
    assert unpack_moof(pack_moof(sequence, runs)) == (sequence, runs)


@given(any_runs(), st.integers(0, 400), st.binary(min_size=1, max_size=8))
def test_a_moof_that_is_not_ours_is_refused(runs: list[Run], place: int, data: bytes) -> None:
    moof = pack_moof(1, runs)
    for other in (data, moof[:place], moof + data, moof[:place] + data + moof[place + len(data) :]):
        try:
            _, found = unpack_moof(other)
        except NotRebuildable:
            continue
        assert all(len(run.sizes) == len(run.durations) == len(run.flags) == len(run.delays) > 0 for run in found)
