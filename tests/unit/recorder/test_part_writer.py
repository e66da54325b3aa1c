"""Fragments reach storage in time, in order, once, and never at the price of memory."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wentlive_common.clock import Clock, SystemClock
from wentlive_common.errors import Forbidden, Transient
from wentlive_common.fragment_index import read_index
from wentlive_recorder.buffer import Buffer
from wentlive_recorder.errors import BlocksLost, Fenced, StorageBehind, StorageUnavailable
from wentlive_recorder.fragment import Ending, Fragment, MediaInfo
from wentlive_recorder.part_writer import MOST_BLOCKS, BlockNames, PartFiles, PartWriter, WriterLimits
from wentlive_recorder.patience import Patience
from wentlive_recorder.settings import RecorderSettings
from wentlive_recorder.testing import InMemoryBlobSink

INFO = MediaInfo("avc1.64001f", "mp4a.40.2", 720, 1280)
OPENED = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
LIMITS = WriterLimits(commit_interval=0.01, commit_bytes=1000, buffer_bytes=2000)
HEAD = b"HEAD"


def fragment(number: int, size: int = 10, duration: float = 2.0) -> Fragment:
    return Fragment(len(HEAD) + number * size, duration, bytes([65 + number]) * size)


def ending(head: bytes = b"NEW!", *tail: bytes) -> Ending:
    return Ending(head, tail or (b"TAIL",), len(b"".join(tail or (b"TAIL",))))


class FastClock(SystemClock):
    """Twenty seconds pass in one: for tests that wait out pauses which grow."""

    def monotonic(self) -> float:
        return super().monotonic() * 20

    async def sleep(self, seconds: float) -> None:
        await super().sleep(seconds / 20)


class Writing:
    """A writer at work, over storage in memory."""

    def __init__(
        self, sink: InMemoryBlobSink, limits: WriterLimits, buffer: Buffer, patience: Patience, clock: Clock
    ) -> None:
        self.sink, self.buffer = sink, buffer
        self.progressed = 0
        self.writer = PartWriter(buffer, limits, patience, clock, self._progressed)
        self.task = asyncio.create_task(self.writer.run(self._files))

    def _progressed(self) -> None:
        self.progressed += 1

    async def _files(self) -> PartFiles:
        files = PartFiles(self.sink.media("p.mp4"), self.sink.index("p.index"))
        await files.media.create()
        await files.index.create()
        return files

    async def put(self, *fragments: Fragment) -> None:
        for each in fragments:
            self.writer.put(each, HEAD, INFO, OPENED)
            await self.buffer.room()

    async def finish(self, ends: Ending | None) -> None:
        self.writer.end(ends)
        async with asyncio.timeout(10):
            await self.task
        if self.writer.failure:
            raise self.writer.failure

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(5):
            while not condition():
                await asyncio.sleep(0.005)

    async def until_committed(self, count: int) -> None:
        await self.until(lambda: self.writer.committed.fragments >= count)

    @property
    def data(self) -> bytes:
        return self.sink.blobs["p.mp4"].data


@asynccontextmanager
async def writing(
    sink: InMemoryBlobSink,
    limits: WriterLimits = LIMITS,
    *,
    patience: float = 10,
    clock: Clock | None = None,
    hold: float = 10,
) -> AsyncGenerator[Writing]:
    clock = clock or SystemClock()
    buffer = Buffer(limits.buffer_bytes, limits.buffer_bytes // 2, hold, clock)
    at_work = Writing(sink, limits, buffer, Patience(patience, clock), clock)
    try:
        yield at_work
    finally:
        at_work.task.cancel()
        await asyncio.gather(at_work.task, return_exceptions=True)
        assert at_work.buffer.waiting == 0


async def test_fragments_are_readable_once_committed_and_listed_in_the_index() -> None:
    sink = InMemoryBlobSink()
    async with writing(sink) as part:
        await part.put(fragment(0), fragment(1))
        await part.until_committed(2)
        assert part.data == HEAD + fragment(0).data + fragment(1).data
        await part.put(fragment(2))
        await part.finish(ending())
    media = b"".join(fragment(number).data for number in range(3))
    index = read_index(sink.blobs["p.index"].data)
    assert part.data == b"NEW!" + media + b"TAIL"
    assert [(f.offset, f.length, f.duration) for f in index.fragments] == [(4, 10, 2.0), (14, 10, 2.0), (24, 10, 2.0)]
    assert index.header.init_segment == HEAD
    assert index.closing is not None
    assert (index.closing.bytes, index.closing.duration) == (38, 6.0)
    committed = part.writer.committed
    assert (committed.bytes, committed.duration, committed.fragments) == (38, 6.0, 3)
    assert part.writer.finished


async def test_the_first_fragment_is_committed_at_once_and_the_next_ones_together() -> None:
    sink = InMemoryBlobSink()
    async with writing(sink, WriterLimits(30, 100_000, 200_000)) as part:
        await part.put(fragment(0))
        await part.until_committed(1)
        await part.put(*(fragment(number) for number in range(1, 5)))
        await part.finish(ending())
    assert len(sink.blobs["p.mp4"].blocks) == 4  # head, the first, the rest, tail


async def test_media_is_committed_before_it_is_older_than_the_interval() -> None:
    """A fragment as long as the interval is that old when it is complete: it waits for no other."""
    sink = InMemoryBlobSink()
    async with writing(sink, WriterLimits(4, 100_000, 200_000)) as part:
        await part.put(fragment(0))
        await part.until_committed(1)
        await part.put(fragment(1, duration=4.0))
        await part.until_committed(2)


async def test_large_fragments_do_not_wait_for_the_interval() -> None:
    sink = InMemoryBlobSink()
    async with writing(sink, WriterLimits(30, 1000, 9000)) as part:
        await part.put(*(fragment(number, 400) for number in range(7)))
        await part.until_committed(6)
        await part.finish(ending())
    assert len(sink.blobs["p.mp4"].blocks) < 7


async def test_a_commit_costs_three_calls() -> None:
    sink = InMemoryBlobSink()
    async with writing(sink) as part:
        await part.put(fragment(0))
        await part.until(lambda: part.progressed == 1)
        sink.calls.clear()
        await part.put(fragment(1))
        await part.until(lambda: part.progressed == 2)
        assert sink.calls == ["stage", "commit", "append"]


async def test_finishing_sends_no_media_twice_and_the_tail_in_pieces() -> None:
    sink = InMemoryBlobSink()
    async with writing(sink) as part:
        await part.put(fragment(0))
        await part.until_committed(1)
        blocks = list(sink.blobs["p.mp4"].blocks)
        await part.until(lambda: part.progressed == 1)
        sink.calls.clear()
        await part.finish(ending(b"NEW!", b"TA", b"IL"))
    assert sink.calls == ["stage", "stage", "stage", "commit", "append"]
    assert part.data == b"NEW!" + fragment(0).data + b"TAIL"
    assert [block for block in sink.blobs["p.mp4"].blocks if block in blocks] == blocks[1:]


async def test_without_an_ending_the_part_stays_open_with_all_that_came() -> None:
    sink = InMemoryBlobSink()
    async with writing(sink, WriterLimits(30, 1000, 2000)) as part:
        await part.put(fragment(0), fragment(1))
        await part.finish(None)
    assert part.data == HEAD + fragment(0).data + fragment(1).data
    assert not read_index(sink.blobs["p.index"].data).closed
    assert not part.writer.finished


async def test_a_part_without_media_stays_empty() -> None:
    sink = InMemoryBlobSink()
    async with writing(sink) as part:
        await part.finish(ending())
    assert (part.data, sink.blobs["p.index"].data) == (b"", b"")


async def test_lost_answers_change_nothing() -> None:
    sink = InMemoryBlobSink()
    async with writing(sink, patience=100, clock=FastClock()) as part:
        await part.until(lambda: "p.index" in sink.blobs)
        sink.lost_answers = 4
        await part.put(fragment(0))
        await part.until_committed(1)
        await part.until(lambda: sink.lost_answers == 0)
        sink.lost_answers = 3
        await part.finish(ending())
    assert part.data == b"NEW!" + fragment(0).data + b"TAIL"
    assert len(read_index(sink.blobs["p.index"].data).fragments) == 1


@pytest.mark.parametrize("trouble", [Transient("503"), Forbidden("the grant ran out")])
async def test_an_outage_or_an_expired_grant_shorter_than_patience_loses_nothing(trouble: Exception) -> None:
    sink = InMemoryBlobSink()
    async with writing(sink) as part:
        await part.put(fragment(0))
        await part.until(lambda: part.progressed == 1)
        sink.failing = trouble
        sink.calls.clear()
        await part.put(fragment(1))
        await part.until(lambda: len(sink.calls) >= 2)
        sink.failing = None
        await part.finish(ending())
    assert part.data == b"NEW!" + fragment(0).data + fragment(1).data + b"TAIL"


async def test_a_minute_of_two_megabits_fits_the_default_buffer() -> None:
    limits = RecorderSettings()
    backlog = (60 + limits.commit_interval + 2 + 5 + 10) * 250_000  # an open fragment, the last backoff, catching up
    assert backlog < limits.buffer_bytes


async def test_an_outage_longer_than_patience_is_told() -> None:
    sink = InMemoryBlobSink()
    async with writing(sink, patience=0.3) as part:
        await part.until(lambda: "p.index" in sink.blobs)
        sink.failing = Transient("503")
        await part.put(fragment(0))
        with pytest.raises(StorageUnavailable, match="503"):
            await part.finish(ending())
        with pytest.raises(StorageUnavailable):
            await part.put(fragment(1))


async def test_a_full_buffer_holds_the_stream_back_and_then_turns_it_away() -> None:
    sink = InMemoryBlobSink()
    async with writing(sink, hold=0.2) as part:
        await part.until(lambda: "p.index" in sink.blobs)
        sink.failing = Transient("503")
        await part.put(fragment(0, 900), fragment(1, 900))
        with pytest.raises(StorageBehind):
            await part.put(fragment(2, 900))
        assert part.buffer.behind
        sink.failing = None
        await part.until(lambda: not part.buffer.behind)
        await part.finish(ending())
    assert read_index(sink.blobs["p.index"].data).duration == 6.0


async def test_storage_that_is_always_a_little_too_slow_falls_behind_in_the_end() -> None:
    class SlowSink(InMemoryBlobSink):
        async def check(self, call: str) -> None:
            await super().check(call)
            await asyncio.sleep(0.02)

    async def bring(part: Writing) -> None:
        for number in range(200):
            await part.put(fragment(number % 26, 900))

    async with writing(SlowSink(), WriterLimits(0.01, 1000, 8000), hold=0.3) as part:
        with pytest.raises(StorageBehind):
            await bring(part)
        assert 4000 < part.buffer.waiting <= 8000 + 900


async def test_holding_back_now_and_then_is_no_falling_behind() -> None:
    clock = SystemClock()
    buffer = Buffer(100, 100, 0.2, clock)
    for _ in range(4):
        buffer.keep(bytes(100))
        asyncio.get_running_loop().call_later(0.1, buffer.take, 100)
        await buffer.room()
    assert not buffer.behind


async def test_a_fenced_writer_says_so_at_the_next_fragment_and_at_the_end() -> None:
    sink = InMemoryBlobSink()
    async with writing(sink) as part:
        await part.put(fragment(0))
        await part.until_committed(1)
        sink.blobs["p.mp4"].version += 1
        sink.blobs["p.mp4"].blocks = ["theirs"]
        await part.put(fragment(1))
        with pytest.raises(Fenced):
            await part.finish(ending())
        with pytest.raises(Fenced):
            await part.put(fragment(2))
    assert part.data == HEAD + fragment(0).data


async def test_blocks_that_storage_dropped_are_sent_again() -> None:
    class Forgetful(InMemoryBlobSink):
        forgets = 1

        async def check(self, call: str) -> None:
            await super().check(call)
            if call == "commit" and self.forgets:
                self.forgets -= 1
                self.blobs["p.mp4"].staged.clear()

    sink = Forgetful()
    async with writing(sink) as part:
        await part.put(fragment(0))
        await part.until_committed(1)
        sink.forgets = 100
        await part.put(fragment(1))
        with pytest.raises(BlocksLost):
            await part.finish(ending())
    assert part.data == HEAD + fragment(0).data


def test_block_names_have_one_length_and_no_two_writers_share_one() -> None:
    ours, theirs = BlockNames(), BlockNames()
    names = [ours.next() for _ in range(1000)] + [theirs.next() for _ in range(1000)]
    assert {len(name) for name in names} == {9}
    assert len(set(names)) == 2000


@settings(max_examples=60, deadline=None)
@given(
    days=st.floats(0.1, 30),
    interval=st.floats(0.5, 8),
    rates=st.lists(st.integers(10_000, 20_000_000), min_size=1, max_size=6),
)
def test_a_part_never_has_more_blocks_than_storage_allows(days: float, interval: float, rates: list[int]) -> None:
    """By the slowest way to commit less than is allowed: a fragment each half second, rates in bytes a second."""
    commit_bytes, largest = 4 * 1024**2, 30_000 * 4 * 1024**2
    limits = WriterLimits(interval, commit_bytes, 24 * 1024**2)
    blocks, elapsed, stored, turn = 1, 0.0, 0.0, 0
    while elapsed < days * 86400 and stored < largest:
        rate = rates[turn % len(rates)]
        wait = min(max(limits.interval(blocks) - 0.5, 0.5), limits.batch_bytes(blocks) / rate)
        steps = 200  # the limits change slowly
        blocks, elapsed, stored, turn = blocks + steps, elapsed + wait * steps, stored + rate * wait * steps, turn + 1
    assert blocks + 1_000 < MOST_BLOCKS
    assert WriterLimits(4, commit_bytes, 24 * 1024**2).interval(6 * 900) == 4


@pytest.mark.parametrize("blocks", [0, 19_999])
def test_the_interval_is_steady_for_the_longest_part_by_default(blocks: int) -> None:
    assert WriterLimits(4, 4 * 1024**2, 24 * 1024**2).interval(blocks) == 4
