"""Which stream is tried next."""

from datetime import UTC, datetime
from typing import Any

from wentlive_common.capture import Quality
from wentlive_recorder.candidates import CandidateBook
from wentlive_recorder.errors import NotFlv, StreamDropped, StreamGone
from wentlive_tiktok.streams import StreamCandidate


class HandClock:
    def __init__(self) -> None:
        self.time = 1000.0

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.time += seconds


def stream(quality: str, level: int, **more: Any) -> StreamCandidate:
    return StreamCandidate.model_validate(
        {"url": f"http://cdn/{quality}", "protocol": "flv", "quality": quality, "level": level, "codec": "h264", **more}
    )


MAIN, BACKUP = stream("origin", 10, height=1920, width=1080), stream("origin", 10, role="backup")
LOWER, HLS, HEVC = stream("sd", 2), stream("origin", 10, protocol="hls"), stream("uhd", 5, codec="h265")
STREAMS = (LOWER, HEVC, HLS, BACKUP, MAIN)
LADDER = [MAIN, BACKUP, HLS, LOWER, HEVC]


def book(**quality: Any) -> tuple[CandidateBook, HandClock]:
    clock = HandClock()
    return CandidateBook(Quality(**quality), clock), clock


def test_main_then_backup_then_hls_then_the_next_quality() -> None:
    assert book()[0].ordered(STREAMS) == LADDER


def test_what_failed_lately_goes_behind_all_others_for_a_while() -> None:
    candidates, clock = book()
    candidates.failed(MAIN, StreamDropped())
    assert candidates.ordered(STREAMS) == [*LADDER[1:], MAIN]
    clock.time += 16
    assert candidates.ordered(STREAMS) == LADDER


def test_it_rests_longer_each_time_and_media_makes_all_good() -> None:
    candidates, clock = book()
    for _ in range(3):
        candidates.failed(MAIN, StreamDropped())
    clock.time += 59
    assert candidates.ordered(STREAMS)[-1] == MAIN
    candidates.served(MAIN)
    assert candidates.ordered(STREAMS) == LADDER


def test_one_that_broke_off_is_tried_again_before_the_others_but_once() -> None:
    candidates, _ = book()
    candidates.failed(MAIN, StreamDropped(), brought_media=True)
    assert candidates.ordered(STREAMS) == LADDER
    candidates.failed(MAIN, StreamDropped(), brought_media=True)
    assert candidates.ordered(STREAMS) == [*LADDER[1:], MAIN]


def test_a_stream_that_is_gone_again_and_again_or_no_stream_rests_long() -> None:
    candidates, clock = book()
    candidates.failed(MAIN, NotFlv())
    for _ in range(3):
        candidates.failed(BACKUP, StreamGone())
    clock.time += 250
    assert candidates.ordered(STREAMS) == [HLS, LOWER, HEVC, MAIN, BACKUP]


def test_the_memory_outlives_a_new_signature() -> None:
    candidates, _ = book()
    candidates.failed(MAIN, StreamGone())
    resigned = MAIN.model_copy(update={"url": "http://cdn/origin?sign=new"})
    assert candidates.ordered((resigned, LOWER)) == [LOWER, resigned]


def test_the_choice_says_why() -> None:
    candidates, _ = book(max_height=1080)
    assert candidates.choice(MAIN, STREAMS).why == "Best up to 1080p, h264 before h265: first of 5"
    candidates.failed(MAIN, StreamGone())
    choice = candidates.choice(BACKUP, STREAMS)
    assert (choice.quality, choice.role, choice.protocol, choice.codec) == ("origin", "backup", "flv", "h264")
    assert choice.why.endswith("number 2 of 5; failed lately: origin flv main")
