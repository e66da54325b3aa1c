"""The log beside a recording: whole lines, no secret, bounded, and what is missing is said."""

import asyncio
import json
import logging
from collections.abc import AsyncGenerator, Callable, Generator
from typing import Any

import pytest
import structlog
from wentlive_common.clock import SystemClock
from wentlive_common.errors import Transient
from wentlive_common.logging import configure_logging
from wentlive_recorder.journal import JOURNAL_NOT_STORED, LARGEST, LINES_LEFT_OUT, MOST_WAITING, Journal
from wentlive_recorder.testing import InMemoryBlobSink, StoredBlob

BLOB = "42/x/a1.log"
log = structlog.get_logger("wentlive_recorder.session")


class QuickClock(SystemClock):
    async def sleep(self, seconds: float) -> None:
        await super().sleep(seconds / 1000)


@pytest.fixture(autouse=True)
def logging_as_in_a_process() -> Generator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    configure_logging("recorder", style="json")
    yield
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def sink() -> InMemoryBlobSink:
    return InMemoryBlobSink()


@pytest.fixture
async def journal(sink: InMemoryBlobSink) -> AsyncGenerator[Journal]:
    journal = Journal(sink, BLOB, QuickClock())
    with journal.pages.attached():
        yield journal


def lines(sink: InMemoryBlobSink) -> list[dict[str, Any]]:
    return [json.loads(line) for line in sink.blobs[BLOB].data.splitlines()]


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.001)


async def test_lines_are_stored_as_they_are_logged_without_secrets(sink: InMemoryBlobSink, journal: Journal) -> None:
    log.info("stream_opening", url="https://cdn/x.flv?sign=abcdef", report_token="abcdef", part=1)
    logging.getLogger("third.party").warning("failed: %s", "https://blob/x?sv=1&sig=abcdef")
    log.debug("not_said")
    try:
        raise ValueError("broken at https://blob/x?sig=abcdef")
    except ValueError:
        log.exception("recording_broke")
    await journal.close()
    first, second, third = lines(sink)
    assert (first["event"], first["part"], first["service"], first["level"]) == (
        "stream_opening", 1, "recorder", "info",
    )  # fmt: skip
    assert first["timestamp"].endswith("Z")
    assert second["logger"] == "third.party"
    assert "ValueError: broken at" in third["exception"]
    assert b"abcdef" not in sink.blobs[BLOB].data
    assert sink.blobs[BLOB].content_type == "application/x-ndjson"


async def test_while_it_runs_lines_are_appended_now_and_then(sink: InMemoryBlobSink, journal: Journal) -> None:
    running = asyncio.create_task(journal.run())
    for number in range(3):
        log.info("line", number=number)
        await until(lambda number=number: BLOB in sink.blobs and len(sink.blobs[BLOB].data.splitlines()) > number)
    running.cancel()
    log.info("line", number=3)
    await journal.close()
    assert [line["number"] for line in lines(sink)] == [0, 1, 2, 3]


async def test_a_restarted_attempt_goes_on_with_its_log(sink: InMemoryBlobSink, journal: Journal) -> None:
    sink.blobs[BLOB] = StoredBlob(b'{"event": "before"}\n', content_type="application/x-ndjson")
    log.info("after")
    await journal.close()
    assert [line["event"] for line in lines(sink)] == ["before", "after"]


async def test_lines_that_find_no_room_while_storage_is_away_are_counted(
    sink: InMemoryBlobSink, journal: Journal
) -> None:
    sink.failing = Transient("away")
    await journal.close()
    for number in range(5000):
        log.info("line", number=number, text="x" * 100)
    sink.failing = None
    await journal.close()
    missing, *kept = lines(sink)
    numbers = [line["number"] for line in kept if line["event"] == "line"]
    assert missing["event"] == LINES_LEFT_OUT
    assert numbers == list(range(numbers[0], 5000))
    assert missing["count"] == numbers[0] + 1  # and the complaint itself
    assert len(sink.blobs[BLOB].data) < MOST_WAITING + 1000


async def test_an_outage_is_complained_about_once(sink: InMemoryBlobSink, journal: Journal) -> None:
    sink.failing = Transient("away")
    running = asyncio.create_task(journal.run())
    await until(lambda: len(sink.calls) > 3)
    running.cancel()
    sink.failing = None
    await journal.close()
    assert [line["event"] for line in lines(sink)] == [JOURNAL_NOT_STORED]


async def test_it_stops_growing_and_still_keeps_the_last_lines(sink: InMemoryBlobSink, journal: Journal) -> None:
    sink.blobs[BLOB] = StoredBlob(b"x" * (LARGEST - MOST_WAITING), content_type="application/x-ndjson")
    running = asyncio.create_task(journal.run())
    for number in range(4000):
        log.info("line", number=number, text="x" * 100)
        if number % 500 == 0:
            await asyncio.sleep(0.01)
    running.cancel()
    assert len(sink.blobs[BLOB].data) == LARGEST - MOST_WAITING
    log.info("recording_over")
    await journal.close()
    stored = sink.blobs[BLOB].data[LARGEST - MOST_WAITING :].splitlines()
    assert json.loads(stored[0])["event"] == LINES_LEFT_OUT
    assert json.loads(stored[-1])["event"] == "recording_over"
    assert len(sink.blobs[BLOB].data) <= LARGEST + 1000


async def test_a_lost_answer_stores_nothing_twice(sink: InMemoryBlobSink, journal: Journal) -> None:
    log.info("one")
    await journal.close()
    sink.lost_answers = 1
    log.info("two")
    await journal.close()
    log.info("three")
    await journal.close()
    events = [line["event"] for line in lines(sink)]
    assert events == ["one", "two", JOURNAL_NOT_STORED, "three"]


async def test_somebody_elses_lines_are_gone_on_behind(sink: InMemoryBlobSink, journal: Journal) -> None:
    log.info("one")
    await journal.close()
    sink.blobs[BLOB].data += b'{"event": "theirs"}\n'
    log.info("two")
    await journal.close()
    await journal.close()
    assert [line["event"] for line in lines(sink)] == ["one", "theirs", "two", JOURNAL_NOT_STORED]


async def test_a_line_that_is_too_long_is_left_out(sink: InMemoryBlobSink, journal: Journal) -> None:
    log.info("long", text="x" * 100_000)
    log.info("short")
    await journal.close()
    assert [line["event"] for line in lines(sink)] == [LINES_LEFT_OUT, "short"]


async def test_a_line_that_cannot_be_written_down_is_left_out(sink: InMemoryBlobSink, journal: Journal) -> None:
    journal.pages.handle(logging.LogRecord("third.party", logging.INFO, "x.py", 1, "needs %d", ("a number",), None))
    log.info("next")
    await journal.close()
    assert [line["event"] for line in lines(sink)] == [LINES_LEFT_OUT, "next"]
