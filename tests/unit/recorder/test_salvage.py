"""What a dead recorder left becomes a standard MP4, whatever it had come to, and without its media being read."""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime
from io import BytesIO
from typing import Any

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st
from wentlive_common.clock import SystemClock
from wentlive_common.errors import Transient
from wentlive_common.fragment_index import read_index
from wentlive_common.job import PartReport, SalvagePart
from wentlive_recorder.buffer import Buffer
from wentlive_recorder.decoder import SampleDecoder
from wentlive_recorder.errors import BlobMissing, Fenced, NothingRecorded, NotRebuildable, StorageUnavailable
from wentlive_recorder.flv import FlvReader
from wentlive_recorder.fragment import Ending
from wentlive_recorder.grants import GrantBook
from wentlive_recorder.muxer import PartMuxer
from wentlive_recorder.part_writer import PartFiles, PartWriter, WriterLimits
from wentlive_recorder.patience import Patience
from wentlive_recorder.ports import StoredBlock
from wentlive_recorder.progress import Progress
from wentlive_recorder.salvage import Salvage, Stretch, kept
from wentlive_recorder.salvager import Salvager
from wentlive_recorder.splitter import PartSplitter, Start, Write
from wentlive_recorder.testing import InMemoryBlobSink

CLOCK = SystemClock()
OPENED = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
PART = SalvagePart(attempt=1, part=1, blob="x/a1-p1.mp4", index_blob="x/a1-p1.index")


def muxed(flv: bytes) -> tuple[list[Any], Ending, PartMuxer]:
    splitter, muxer, fragments = PartSplitter(), None, []
    for unit in SampleDecoder().units(FlvReader().feed(flv)):
        for action in splitter.push(unit, expects_audio=True):
            if isinstance(action, Start):
                muxer = PartMuxer(action)
            elif isinstance(action, Write) and muxer:
                fragments += muxer.write(action)
    assert muxer
    last, ending = muxer.close()
    return [*fragments, *last], ending, muxer


class Left:
    """A part as a recorder left it: so many fragments committed, and whatever else is done to it."""

    def __init__(self, flv: bytes, sink: InMemoryBlobSink | None = None) -> None:
        self.sink = sink or InMemoryBlobSink()
        self.fragments, self.ending, self.muxer = muxed(flv)
        self.rival = InMemoryBlobSink(self.sink.blobs)

    async def written(self, fragments: int, ending: Ending | None = None) -> PartWriter:
        async def files() -> PartFiles:
            files = PartFiles(self.rival.media(PART.blob), self.rival.index(PART.index_blob))
            await files.media.create()
            await files.index.create()
            return files

        limits = WriterLimits(30, 20_000, 1_000_000)
        writer = PartWriter(Buffer(1_000_000, 1_000_000, 1, CLOCK), limits, Patience(1, CLOCK), CLOCK, lambda: None)
        for fragment in self.fragments[:fragments]:
            writer.put(fragment, self.muxer.init_segment, self.muxer.info, OPENED)
        writer.end(ending)
        await writer.run(files)
        assert writer.failure is None
        return writer

    async def salvaged(self, part: SalvagePart = PART) -> PartReport:
        return await Salvage(self.sink, Patience(0.5, CLOCK), CLOCK).finish(part)

    @property
    def media(self) -> bytes:
        return self.sink.blobs[PART.blob].data

    @property
    def index(self) -> Any:
        return read_index(self.sink.blobs[PART.index_blob].data)


def seconds_in(data: bytes) -> float:
    with av.open(BytesIO(data), "r", format="mp4") as container:
        frames = [frame.time for frame in container.decode(video=0) if frame.time is not None]
        assert container.duration is not None
        assert container.duration / 1_000_000 == pytest.approx(len(frames) / 20, abs=0.2)
    return frames[-1] - frames[0]


def check_closed(left: Left, report: PartReport, fragments: int) -> None:
    duration = sum(fragment.duration for fragment in left.fragments[:fragments])
    assert (report.state, report.bytes, report.fragments) == ("closed", len(left.media), fragments)
    assert report.duration == pytest.approx(duration, abs=0.001)
    assert (report.width, report.height) == (96, 160)
    assert report.video_codec == left.muxer.info.video_codec
    assert left.index.closing.bytes == len(left.media)
    assert [f.offset for f in left.index.fragments] == [f.offset for f in left.fragments[:fragments]]
    assert left.index.header.init_segment == left.muxer.init_segment
    assert seconds_in(left.media) == pytest.approx(duration, abs=0.2)


@pytest.mark.parametrize("fragments", [1, 5, 12])
async def test_a_part_that_was_left_open_becomes_a_standard_mp4(portrait: bytes, fragments: int) -> None:
    left = Left(portrait)
    await left.written(fragments)
    check_closed(left, await left.salvaged(), fragments)
    assert left.sink.blobs[PART.blob].content_type == "video/mp4"


async def test_the_media_is_not_read_again(streams: Any) -> None:
    left = Left(streams.encode(30, width=640, height=480))
    await left.written(30)
    await left.salvaged()
    assert left.sink.bytes_read < len(left.media) + 30 * 8192
    assert "read" in left.sink.calls
    assert left.sink.calls.count("stage") <= 2 + left.ending.tail_size // 1024**2 + 1


async def test_an_index_that_lags_behind_is_completed(portrait: bytes) -> None:
    left = Left(portrait)
    await left.written(6)
    lines = left.sink.blobs[PART.index_blob].data.splitlines(keepends=True)
    left.sink.blobs[PART.index_blob].data = b"".join(lines[:3])
    check_closed(left, await left.salvaged(), 6)


@pytest.mark.parametrize("damage", ["missing", "empty", "garbage", "foreign"])
async def test_an_index_that_is_of_no_use_is_written_anew(portrait: bytes, damage: str) -> None:
    left = Left(portrait)
    await left.written(6)
    blobs = left.sink.blobs
    if damage == "missing":
        del blobs[PART.index_blob]
    elif damage == "foreign":
        header = blobs[PART.index_blob].data.splitlines(keepends=True)[0]
        blobs[PART.index_blob].data = header + b"[1000,20,2.0]\n[1020,20,2.0]\n"
    else:
        blobs[PART.index_blob].data = b"" if damage == "empty" else b"no index\nat all\n"
    known = PartReport(
        part=1, state="open", blob=PART.blob, index_blob=PART.index_blob, opened_at=OPENED, committed_at=OPENED,
        video_codec=left.muxer.info.video_codec,
    )  # fmt: skip
    report = await left.salvaged(PART.model_copy(update={"known": known}))
    check_closed(left, report, 6)
    assert (report.opened_at, left.index.header.opened_at) == (OPENED, OPENED)


async def test_only_the_last_word_is_missing_when_the_recorder_died_right_after_its_last_commit(
    portrait: bytes,
) -> None:
    left = Left(portrait)
    await left.written(12, left.ending)
    index = left.sink.blobs[PART.index_blob]
    finished, closing = left.media, index.data.splitlines(keepends=True)[-1]
    index.data = index.data.removesuffix(closing)
    check_closed(left, await left.salvaged(), 12)
    assert left.media == finished
    check_closed(left, await left.salvaged(), 12)
    assert index.data.endswith(closing)


async def test_nothing_to_salvage_is_told_from_what_cannot_be(portrait: bytes) -> None:
    left = Left(portrait)
    with pytest.raises(BlobMissing):
        await left.salvaged()
    await left.written(0)
    with pytest.raises(NothingRecorded):
        await left.salvaged()
    media = left.sink.media("x/other.mp4")
    await media.create()
    await media.stage("block-000", b"this is no MP4 at all, and never was one" * 10)
    await media.commit(["block-000"])
    with pytest.raises(NotRebuildable):
        await left.salvaged(PART.model_copy(update={"blob": "x/other.mp4"}))


async def test_a_recorder_that_was_believed_dead_is_fenced(portrait: bytes) -> None:
    left = Left(portrait)
    media = left.rival.media(PART.blob)
    await left.written(6)
    await media.adopt()
    await media.stage("their-new", b"more")
    check_closed(left, await left.salvaged(), 6)
    closed = left.media
    with pytest.raises(Fenced):
        await media.commit([*left.sink.blobs[PART.blob].blocks, "their-new"])
    assert left.media == closed


@pytest.mark.parametrize("moment", ["read", "append", "stage", "commit"])
async def test_a_recorder_that_lives_is_left_alone(portrait: bytes, moment: str) -> None:
    class Racing(InMemoryBlobSink):
        async def check(self, call: str) -> None:
            await super().check(call)
            if call == moment and not self.blobs[PART.blob].blocks[-1].startswith("theirs"):
                self.blobs[PART.blob].staged["theirs"] = b"more"
                self.blobs[PART.blob].committed([*self.blobs[PART.blob].blocks, "theirs"])

    left = Left(portrait, Racing())
    await left.written(6)
    index = left.sink.blobs[PART.index_blob]
    index.data = b"".join(index.data.splitlines(keepends=True)[:4])
    with pytest.raises(Fenced):
        await left.salvaged()
    assert left.media.endswith(b"more")
    assert not left.index.closed


@pytest.mark.parametrize("dies_at", range(1, 11))
async def test_a_salvage_that_dies_anywhere_is_begun_again(portrait: bytes, dies_at: int) -> None:
    class Dying(InMemoryBlobSink):
        calls_left = 1_000_000

        async def check(self, call: str) -> None:
            self.calls_left -= 1
            if self.calls_left < 0:
                raise asyncio.CancelledError
            await super().check(call)

    sink = Dying()
    left = Left(portrait, sink)
    await left.written(3)
    index = sink.blobs[PART.index_blob]
    index.data = b"".join(index.data.splitlines(keepends=True)[:2])
    sink.calls_left = dies_at
    with suppress(asyncio.CancelledError):
        await left.salvaged()
    sink.calls_left = 1_000_000
    check_closed(left, await left.salvaged(), 3)


async def test_lost_answers_do_not_harm_a_salvage(portrait: bytes) -> None:
    left = Left(portrait)
    await left.written(6)
    left.sink.lost_answers = 3
    salvage = Salvage(left.sink, Patience(30, CLOCK), CLOCK)
    check_closed(left, await salvage.finish(PART), 6)


@given(sizes=st.lists(st.integers(1, 20), min_size=1, max_size=12), data=st.data())
def test_what_is_kept_is_exactly_what_lies_between(sizes: list[int], data: st.DataObject) -> None:
    total = sum(sizes)
    start = data.draw(st.integers(0, total))
    end = data.draw(st.integers(start, total))
    blocks = [StoredBlock(str(number), size) for number, size in enumerate(sizes)]
    content = bytes(number % 256 for number in range(total))
    places = {str(number): sum(sizes[:number]) for number in range(len(sizes))}
    pieces = [
        content[piece.start : piece.start + piece.size]
        if isinstance(piece, Stretch)
        else content[places[piece] : places[piece] + sizes[int(piece)]]
        for piece in kept(blocks, start, end)
    ]
    assert b"".join(pieces) == content[start:end]
    assert sum(isinstance(piece, Stretch) for piece in kept(blocks, start, end)) <= 2


class Salvaging:
    def __init__(self, left: Left, *parts: SalvagePart, attempt: int = 2, quiet: float = 0.2) -> None:
        self.progress = Progress()
        salvage = Salvage(left.sink, Patience(0.3, CLOCK), CLOCK)
        self.salvager = Salvager(salvage, self.progress, CLOCK, attempt, parts, quiet)

    async def settle(self) -> None:
        self.salvager.start()
        async with asyncio.timeout(10):
            await self.salvager.settle()


async def test_each_part_is_told_of_as_what_became_of_it(portrait: bytes) -> None:
    left = Left(portrait)
    await left.written(6)
    broken = left.sink.media("x/a1-p3.mp4")
    await broken.create()
    await broken.stage("block-000", b"nonsense" * 100)
    await broken.commit(["block-000"])
    parts = [
        PART.model_copy(update={"part": number, "blob": f"x/a1-p{number}.mp4", "index_blob": f"x/a1-p{number}.index"})
        for number in (1, 2, 3)
    ]
    at_work = Salvaging(left, *parts)
    await at_work.settle()
    first, second, third = at_work.progress.salvaged
    assert first.report is not None
    assert (first.part, first.report.state, first.problem) == (1, "closed", None)
    assert (second.part, second.report, second.problem) == (2, None, None)
    assert (third.part, third.report) == (3, None)
    assert "not hold what a recorder writes" in (third.problem or "")
    assert at_work.salvager.problem is None


async def test_storage_that_is_away_puts_it_off(portrait: bytes) -> None:
    left = Left(portrait)
    await left.written(6)
    left.sink.failing = Transient("503")
    at_work = Salvaging(left, PART)
    await at_work.settle()
    assert at_work.progress.salvaged == []
    assert "503" in (at_work.salvager.problem or "")
    with pytest.raises(StorageUnavailable):
        await left.salvaged()


@pytest.mark.parametrize(("quiet", "closed"), [(60.0, True), (0.0, False)])
async def test_a_restarted_recorder_closes_its_own_part_only_when_nobody_writes_it(
    portrait: bytes, quiet: float, *, closed: bool
) -> None:
    left = Left(portrait)
    await left.written(6)
    left.sink.blobs[PART.blob].quiet = quiet
    at_work = Salvaging(left, attempt=1, quiet=0.02)
    names = GrantBook("x", 1, CLOCK).names(1)
    at_work.salvager.found(names)
    await at_work.settle()
    assert left.index.closed == closed
    assert at_work.progress.salvaged == []
    assert [part.state for part in at_work.progress.parts.values()] == (["closed"] if closed else [])
