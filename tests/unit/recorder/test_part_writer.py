"""Fragments reach storage in time, in order, once, and never at the price of memory."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest
from wentlive_common.clock import Clock, SystemClock
from wentlive_common.errors import Transient
from wentlive_common.fragment_index import read_index
from wentlive_recorder.errors import Fenced, StorageUnavailable
from wentlive_recorder.fragment import Ending, Fragment, MediaInfo
from wentlive_recorder.part_writer import PartWriter, WriterLimits
from wentlive_recorder.testing import InMemoryBlobSink

INFO = MediaInfo("avc1.64001f", "mp4a.40.2", 720, 1280)
OPENED = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
LIMITS = WriterLimits(commit_interval=0.01, commit_bytes=1000, buffer_bytes=2000, patience=0.4)
HEAD = b"HEAD"


def fragment(number: int, size: int = 10) -> Fragment:
    return Fragment(len(HEAD) + number * size, 2.0, bytes([65 + number]) * size)


class FastClock(SystemClock):
    """Twenty seconds pass in one: for tests that wait out pauses which grow."""

    def monotonic(self) -> float:
        return super().monotonic() * 20

    async def sleep(self, seconds: float) -> None:
        await super().sleep(seconds / 20)


@asynccontextmanager
async def writing(
    sink: InMemoryBlobSink, limits: WriterLimits = LIMITS, clock: Clock | None = None
) -> AsyncGenerator[PartWriter]:
    writer = PartWriter(sink.media("p.mp4"), sink.index("p.index"), limits, clock or SystemClock(), lambda: None)
    await writer.create()
    task = asyncio.create_task(writer.run())
    try:
        yield writer
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def put(writer: PartWriter, *fragments: Fragment) -> None:
    for each in fragments:
        await writer.put(each, HEAD, INFO, OPENED)


async def until_committed(writer: PartWriter, count: int) -> None:
    async with asyncio.timeout(5):
        while writer.committed.fragments < count:
            await asyncio.sleep(0.005)


async def test_fragments_are_readable_once_committed_and_listed_in_the_index() -> None:
    sink = InMemoryBlobSink()
    async with writing(sink) as writer:
        await put(writer, fragment(0), fragment(1))
        await until_committed(writer, 2)
        assert sink.blobs["p.mp4"].data == HEAD + fragment(0).data + fragment(1).data
        await put(writer, fragment(2))
        await writer.finish(Ending(b"NEW!", b"TAIL"))
    media = b"".join(fragment(number).data for number in range(3))
    index = read_index(sink.blobs["p.index"].data)
    assert sink.blobs["p.mp4"].data == b"NEW!" + media + b"TAIL"
    assert [(f.offset, f.length, f.duration) for f in index.fragments] == [(4, 10, 2.0), (14, 10, 2.0), (24, 10, 2.0)]
    assert index.header.init_segment == HEAD
    assert index.closing is not None
    assert (index.closing.bytes, index.closing.duration) == (38, 6.0)
    assert (writer.committed.bytes, writer.committed.duration, writer.committed.fragments) == (38, 6.0, 3)


async def test_small_fragments_share_a_block_and_large_ones_do_not_wait() -> None:
    sink = InMemoryBlobSink()
    async with writing(sink, WriterLimits(30, 1000, 9000, 0.4)) as writer:
        await put(writer, *(fragment(number, 400) for number in range(6)))
        await until_committed(writer, 4)
        await writer.finish(Ending(b"NEW!", b"TAIL"))
    assert len(sink.blobs["p.mp4"].blocks) < 6


async def test_finishing_sends_no_media_twice() -> None:
    sink = InMemoryBlobSink()
    async with writing(sink) as writer:
        await put(writer, fragment(0))
        await until_committed(writer, 1)
        before = dict(sink.blobs["p.mp4"].staged)
        await writer.finish(Ending(b"NEW!", b"TAIL"))
    after = sink.blobs["p.mp4"].staged
    assert {name: data for name, data in after.items() if name not in before}.keys() == {"head0001", "tail0000"}


async def test_lost_answers_change_nothing() -> None:
    sink = InMemoryBlobSink()
    limits = WriterLimits(0.01, 1000, 2000, 100)
    async with writing(sink, limits, FastClock()) as writer:
        sink.lost_answers = 4
        await put(writer, fragment(0))
        await until_committed(writer, 1)
        sink.lost_answers = 3
        await writer.finish(Ending(b"NEW!", b"TAIL"))
    assert sink.blobs["p.mp4"].data == b"NEW!" + fragment(0).data + b"TAIL"
    assert len(read_index(sink.blobs["p.index"].data).fragments) == 1


async def test_an_outage_shorter_than_patience_loses_nothing() -> None:
    class CountingSink(InMemoryBlobSink):
        refused = 0

        def check(self) -> None:
            self.refused += self.failing is not None
            super().check()

    sink = CountingSink()
    async with writing(sink, WriterLimits(0.01, 1000, 2000, 10)) as writer:
        sink.failing = Transient("503")
        await put(writer, fragment(0))
        async with asyncio.timeout(5):
            while sink.refused < 2:
                await asyncio.sleep(0.005)
        sink.failing = None
        await writer.finish(Ending(b"NEW!", b"TAIL"))
    assert sink.blobs["p.mp4"].data == b"NEW!" + fragment(0).data + b"TAIL"


async def test_a_full_buffer_holds_the_reader_back_and_then_fails() -> None:
    sink = InMemoryBlobSink()
    async with writing(sink, WriterLimits(0.01, 1000, 2000, 0.3)) as writer:
        sink.failing = Transient("503")
        await put(writer, fragment(0, 900), fragment(1, 900), fragment(2, 900))
        with pytest.raises(StorageUnavailable):
            await put(writer, fragment(3, 900))


async def test_a_fenced_writer_says_so_at_the_next_fragment_and_at_the_end() -> None:
    sink = InMemoryBlobSink()
    async with writing(sink) as writer:
        await put(writer, fragment(0))
        await until_committed(writer, 1)
        sink.blobs["p.mp4"].version += 1
        await put(writer, fragment(1))
        with pytest.raises(Fenced):
            await writer.finish(Ending(b"NEW!", b"TAIL"))
        with pytest.raises(Fenced):
            await put(writer, fragment(2))
    assert sink.blobs["p.mp4"].data == HEAD + fragment(0).data
