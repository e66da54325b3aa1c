"""When storage falls behind: the stream is held back, then media is dropped, and what is missing is stated."""

import asyncio
import gc
import weakref
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from wentlive_common.blobs import part_blobs
from wentlive_common.clock import SystemClock
from wentlive_common.errors import Transient
from wentlive_common.fragment_index import read_index
from wentlive_common.job import BlobGrant
from wentlive_recorder.buffer import Buffer
from wentlive_recorder.connection import Connection
from wentlive_recorder.continuity import Continuity
from wentlive_recorder.decoder import SampleDecoder
from wentlive_recorder.flv import FlvReader
from wentlive_recorder.grants import GrantBook
from wentlive_recorder.part import Part, PartOpener, Storage
from wentlive_recorder.part_writer import WriterLimits
from wentlive_recorder.patience import Patience
from wentlive_recorder.pictures.studio import Studio
from wentlive_recorder.progress import Progress
from wentlive_recorder.samples import Unit
from wentlive_recorder.splitter import PartLimits
from wentlive_recorder.testing import InMemoryBlobSink

CLOCK = SystemClock()


def grants(parts: int) -> list[BlobGrant]:
    expires_at = datetime.now(UTC) + timedelta(hours=1)
    blobs = [blob for part in range(1, parts + 1) for blob in part_blobs("x", 1, part)]
    return [BlobGrant.model_validate({"blob": b, "url": "http://b", "expires_at": expires_at}) for b in blobs]


class Feed:
    """Brings a clip's units one by one, and does at each of its keyframes what the test says."""

    expects_audio = True

    def __init__(self, flv: bytes, at_keyframe: Any) -> None:
        self._units: list[Unit] = list(SampleDecoder().units(FlvReader().feed(flv)))
        self._at_keyframe = at_keyframe

    async def __aiter__(self) -> AsyncIterator[list[Unit]]:
        keyframes = 0
        for unit in self._units:
            if getattr(unit, "keyframe", False):
                keyframes += 1
                await self._at_keyframe(keyframes)
            yield [unit]

    @asynccontextmanager
    async def open(self, _: object) -> AsyncGenerator["Feed"]:
        yield self


class Recording:
    def __init__(self, buffer_bytes: int) -> None:
        self.sink, self.progress = InMemoryBlobSink(), Progress()
        limits = WriterLimits(0.01, 4_000, buffer_bytes)
        self.buffer = Buffer(buffer_bytes, buffer_bytes // 2, 0.1, CLOCK)
        book = GrantBook("x", 1, CLOCK, grants(4))
        storage = Storage(self.sink, book, limits, self.buffer, Patience(20, CLOCK), 1)
        self.opener = PartOpener(storage, Studio(self.sink, book.recording.preview), self.progress, CLOCK)

    async def run(self, flv: bytes, at_keyframe: Any) -> Connection:
        connection = Connection(self.opener, self.progress, Continuity(CLOCK), PartLimits(), 20, CLOCK)
        async with asyncio.timeout(30):
            await connection.record(Feed(flv, at_keyframe), None)  # type: ignore[arg-type]
            await connection.finish()
            await self.opener.settle()
        return connection

    def durations(self) -> list[float]:
        return [round(read_index(blob.data).duration, 1) for name, blob in self.sink.blobs.items() if "index" in name]


async def test_a_short_outage_costs_nothing(portrait: bytes) -> None:
    recording = Recording(1_000_000)

    async def outage(keyframe: int) -> None:
        await asyncio.sleep(0.02)
        recording.sink.failing = Transient("503") if 3 <= keyframe < 9 else None

    connection = await recording.run(portrait, outage)
    assert (recording.durations(), recording.progress.gaps) == ([12.0], [])
    assert round(connection.seconds) == 12


async def test_a_part_that_begins_while_storage_is_away_costs_nothing_either(portrait: bytes, landscape: bytes) -> None:
    recording = Recording(1_000_000)

    async def away(keyframe: int) -> None:
        recording.sink.failing = Transient("503")

    async def back(keyframe: int) -> None:
        recording.sink.failing = None

    for flv, at_keyframe in ((portrait, away), (landscape, back)):
        connection = Connection(recording.opener, recording.progress, Continuity(CLOCK), PartLimits(), 20, CLOCK)
        await connection.record(Feed(flv, at_keyframe), None)  # type: ignore[arg-type]
        await connection.finish()
    await recording.opener.settle()
    assert recording.durations() == [12.0, 8.0]
    assert [part.state for part in recording.progress.parts.values()] == ["closed", "closed"]


async def test_a_part_that_is_over_leaves_nothing_behind(portrait: bytes) -> None:
    """Its pictures and tables are megabytes: they must not wait for the next look for garbage."""
    recording = Recording(1_000_000)
    parts: list[weakref.ref[Part]] = []

    async def remember(keyframe: int) -> None:
        running = [part for part in gc.get_objects() if isinstance(part, Part)] if keyframe == 3 else []
        parts.extend(map(weakref.ref, running))

    gc.collect()
    gc.disable()
    try:
        await recording.run(portrait, remember)
        await asyncio.sleep(0)
        assert [part() for part in parts] == [None]
    finally:
        gc.enable()


async def test_a_full_buffer_closes_the_part_and_the_next_begins_when_there_is_room(portrait: bytes) -> None:
    recording = Recording(8_000)

    async def outage(keyframe: int) -> None:
        await asyncio.sleep(0.02)
        if keyframe == 3:
            recording.sink.failing = Transient("503")
        if keyframe == 9:
            assert recording.opener.behind
            assert recording.buffer.waiting < 8_000 + 60_000
            recording.sink.failing = None
            async with asyncio.timeout(10):
                while recording.opener.behind:
                    await asyncio.sleep(0.01)

    connection = await recording.run(portrait, outage)
    first, second = recording.durations()
    assert first >= 2
    assert 3 <= second <= 4
    [gap] = recording.progress.gaps
    assert gap.seconds > 0.5  # the clip comes faster than it plays, so how long it was is not for this test
    assert "too slowly" in gap.why
    assert [part.state for part in recording.progress.parts.values()] == ["closed", "closed"]
    assert abs(connection.seconds - first - second) < 0.5
    assert recording.buffer.waiting == 0
