"""`recording.json` while attempts come and go, race, die and meet damage: nothing that was written is lost."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs
from wentlive_common.capture import Gap, StreamChoice
from wentlive_common.clock import SystemClock
from wentlive_common.errors import Transient
from wentlive_common.ids import new_ulid
from wentlive_common.job import PartReport, RecordingJob, Salvaged
from wentlive_common.manifest import AttemptEntry, Manifest, read_manifest
from wentlive_recorder.errors import StorageRefused
from wentlive_recorder.manifest import (
    MANIFEST_KEPT_ASIDE,
    MANIFEST_NOT_WRITTEN,
    MANIFEST_SUPERSEDED,
    ManifestKeeper,
    ManifestPlace,
)
from wentlive_recorder.progress import Progress
from wentlive_recorder.testing import InMemoryBlobSink, StoredBlob

BLOB = "42/x/recording.json"
NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
ID = new_ulid()
CHOICE = StreamChoice(quality="origin", protocol="flv", role="main", codec="h264", why="best: first of 3")


class QuickClock(SystemClock):
    """A pause is over as soon as everybody else had a turn."""

    async def sleep(self, seconds: float) -> None:
        await super().sleep(seconds / 500)


def part(number: int, state: str = "open", **more: Any) -> PartReport:
    values = {"part": number, "state": state, "blob": f"a1-p{number}.mp4", "index_blob": "i", "opened_at": NOON}
    return PartReport.model_validate(values | more)


def gap(second: int) -> Gap:
    return Gap(started_at=NOON + timedelta(seconds=second), ended_at=NOON + timedelta(seconds=second + 2), why="lost")


class Attempt:
    """One attempt's keeper over storage that attempts share."""

    def __init__(self, sink: InMemoryBlobSink, number: int, task: str = "record") -> None:
        self.sink, self.progress = sink, Progress()
        job = RecordingJob.model_validate(
            {
                "recording_id": ID, "attempt": number, "creator_id": "42", "room_id": "7001", "handle": "ada",
                "title": "Hi", "live_started_at": NOON, "detected_at": NOON, "blob_prefix": "42/x",
                "report_url": "http://o/report", "report_token": "t", "task": task,
            }
        )  # fmt: skip
        self.keeper = ManifestKeeper(ManifestPlace(sink, BLOB, f"42/x/a{number}.log"), job, self.progress, QuickClock())

    async def write(self) -> Manifest:
        """One round, as if something had changed."""
        self.progress.gap(gap(len(self.progress.gaps) * 10))
        await self.keeper.close()
        return stored(self.sink)


def stored(sink: InMemoryBlobSink) -> Manifest:
    return read_manifest(sink.blobs[BLOB].data)


@pytest.fixture
def sink() -> InMemoryBlobSink:
    return InMemoryBlobSink()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.001)


async def test_it_is_written_at_the_start_at_changes_and_with_the_outcome(sink: InMemoryBlobSink) -> None:
    attempt = Attempt(sink, 1)
    running = asyncio.create_task(attempt.keeper.run())
    await until(lambda: BLOB in sink.blobs)
    first = stored(sink)
    assert (first.recording_id, first.title, first.live_started_at) == (ID, "Hi", NOON)
    assert first.attempts == (
        AttemptEntry(attempt=1, recorder_version=first.attempts[0].recorder_version,
                     started_at=first.attempts[0].started_at, log_blob="42/x/a1.log"),
    )  # fmt: skip
    assert first.attempts[0].recorder_version
    attempt.progress.choose(CHOICE)
    attempt.progress.update(part(1))
    await until(lambda: stored(sink).attempts[0].parts == (part(1),))
    uploads = sink.calls.count("upload")
    attempt.progress.update(part(1, bytes=1000, duration=4.0, fragments=2))
    attempt.progress.update(part(1, "closed", bytes=2000, duration=8.0, fragments=4))
    await until(lambda: stored(sink).attempts[0].parts[0].state == "closed")
    assert sink.calls.count("upload") <= uploads + 2
    running.cancel()
    attempt.progress.end("ended", "See https://cdn/x.flv?sign=abc for it.")
    await attempt.keeper.close()
    entry = stored(sink).attempts[0]
    assert (entry.outcome, entry.choices) == ("ended", (CHOICE,))
    assert entry.ended_at
    assert "abc" not in (entry.reason or "")
    calls = len(sink.calls)
    await attempt.keeper.close()
    assert len(sink.calls) == calls


async def test_growth_alone_is_no_reason_to_write(sink: InMemoryBlobSink) -> None:
    attempt = Attempt(sink, 1)
    attempt.progress.update(part(1, committed_at=NOON, bytes=1000))
    await attempt.keeper.close()
    calls = len(sink.calls)
    attempt.progress.update(part(1, committed_at=NOON, bytes=9000))
    await attempt.keeper.close()
    assert len(sink.calls) == calls


async def test_a_later_attempt_keeps_the_earlier_ones_entry(sink: InMemoryBlobSink) -> None:
    first, second = Attempt(sink, 1), Attempt(sink, 2)
    first.progress.update(part(1))
    await first.write()
    manifest = await second.write()
    assert [entry.attempt for entry in manifest.attempts] == [1, 2]
    assert manifest.attempts[0].parts == (part(1),)


async def test_an_attempt_that_was_replaced_writes_no_more(sink: InMemoryBlobSink) -> None:
    first, second = Attempt(sink, 1), Attempt(sink, 2)
    await first.write()
    await second.write()
    before = sink.blobs[BLOB].data
    with capture_logs() as logs:
        await first.write()
        await first.write()
        await asyncio.wait_for(first.keeper.run(), 5)
    assert sink.blobs[BLOB].data == before
    assert [line["event"] for line in logs] == [MANIFEST_SUPERSEDED]


async def test_an_older_attempt_that_comes_late_to_a_new_manifest_leaves_it_alone(sink: InMemoryBlobSink) -> None:
    await Attempt(sink, 2).write()
    before = sink.blobs[BLOB].data
    await Attempt(sink, 1).write()
    assert sink.blobs[BLOB].data == before


async def test_a_restarted_attempt_goes_on_with_its_own_entry(sink: InMemoryBlobSink) -> None:
    before, after = Attempt(sink, 1), Attempt(sink, 1)
    before.progress.choose(CHOICE)
    before.progress.update(part(1))
    before.progress.update(part(2))
    first = await before.write()
    after.progress.gaps = [gap(60)]
    after.progress.update(part(2, "closed"))
    after.progress.update(part(3))
    await after.keeper.close()
    (entry,) = stored(sink).attempts
    assert [(p.part, p.state) for p in entry.parts] == [(1, "open"), (2, "closed"), (3, "open")]
    assert entry.started_at == first.attempts[0].started_at
    assert entry.gaps == (gap(0), gap(60))
    assert entry.choices == (CHOICE,)
    await after.write()
    assert stored(sink).attempts[0].gaps == (gap(0), gap(10), gap(60))


async def test_what_was_salvaged_stands_with_who_recorded_it(sink: InMemoryBlobSink) -> None:
    first, salvage = Attempt(sink, 1), Attempt(sink, 3, "salvage")
    first.progress.update(part(1))
    first.progress.update(part(2))
    await first.write()
    salvage.progress.salvage(Salvaged(attempt=1, part=2, report=part(2, "closed", bytes=9)))
    salvage.progress.salvage(Salvaged(attempt=2, part=1, report=part(1, "closed")))
    salvage.progress.salvage(Salvaged(attempt=1, part=3, problem="nothing in it"))
    manifest = await salvage.write()
    told = [(entry.attempt, entry.task, [(p.part, p.state) for p in entry.parts]) for entry in manifest.attempts]
    assert told == [
        (1, "record", [(1, "open"), (2, "closed")]),
        (2, "record", [(1, "closed")]),
        (3, "salvage", []),
    ]


DAMAGED = [b"", b"\x00\xff", b"<html>", b'{"format": "wentlive.recording.v2", "all": "new"}', b'{"format":']


@pytest.mark.parametrize("data", DAMAGED)
async def test_what_cannot_be_read_is_kept_aside(sink: InMemoryBlobSink, data: bytes) -> None:
    sink.blobs[BLOB] = StoredBlob(data, 1)
    with capture_logs() as logs:
        manifest = await Attempt(sink, 2).write()
    (aside,) = manifest.kept_aside
    assert (aside.text, aside.bytes) == (data.decode(errors="replace"), len(data))
    assert [line["event"] for line in logs] == [MANIFEST_KEPT_ASIDE]
    assert (await Attempt(sink, 3).write()).kept_aside == (aside,)


async def test_of_much_that_cannot_be_read_the_beginning_is_kept(sink: InMemoryBlobSink) -> None:
    attempt = Attempt(sink, 1)
    attempt.progress.update(part(1))
    manifest = await attempt.write()
    for number in range(6):
        sink.blobs[BLOB] = StoredBlob(b"%d" % number * 100_000, 10 * number + 10)
        await attempt.write()
    manifest = stored(sink)
    assert [(aside.text[0], len(aside.text), aside.bytes) for aside in manifest.kept_aside] == [
        ("3", 65536, 100_000), ("4", 65536, 100_000), ("5", 65536, 100_000),
    ]  # fmt: skip
    assert manifest.attempts[0].parts == (part(1),)


async def test_two_that_write_at_once_both_stand(sink: InMemoryBlobSink) -> None:
    older, newer = Attempt(sink, 1), Attempt(sink, 2)
    await asyncio.gather(*(attempt.write() for attempt in (older, newer) for _ in range(3)))
    await newer.write()
    assert [entry.attempt for entry in stored(sink).attempts][-1] == 2
    assert newer.progress.gaps == list(stored(sink).attempts[-1].gaps)


async def test_a_write_whose_answer_was_lost_is_done_again(sink: InMemoryBlobSink) -> None:
    attempt = Attempt(sink, 1)
    sink.lost_answers = 1
    await attempt.write()
    assert len((await attempt.write()).attempts) == 1
    assert len(stored(sink).attempts[0].gaps) == 2


@pytest.mark.parametrize("failure", [Transient("away"), StorageRefused()])
async def test_storage_that_fails_is_tried_again_and_complained_about_once(
    sink: InMemoryBlobSink, failure: Exception
) -> None:
    attempt = Attempt(sink, 1)
    sink.failing = failure
    with capture_logs() as logs:
        running = asyncio.create_task(attempt.keeper.run())
        await until(lambda: len(sink.calls) >= 3)
        sink.failing = None
        await until(lambda: BLOB in sink.blobs)
        running.cancel()
    assert [line["event"] for line in logs] == [MANIFEST_NOT_WRITTEN]
