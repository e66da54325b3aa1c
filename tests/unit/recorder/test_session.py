"""A whole recorder over fakes: what it believes, what it tries, and what it says at the end."""

import asyncio
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from structlog.testing import capture_logs
from wentlive_common.clock import SystemClock
from wentlive_common.errors import Transient
from wentlive_common.fragment_index import read_index
from wentlive_common.ids import new_ulid
from wentlive_common.job import BlobGrant, RecordingJob, ReportAnswer
from wentlive_common.model import part_name
from wentlive_recorder.bootstrap import assemble
from wentlive_recorder.connection import MEDIA_MISSING
from wentlive_recorder.errors import NotFlv, StreamDropped, StreamGone
from wentlive_recorder.grants import GrantBook
from wentlive_recorder.session import Verdict
from wentlive_recorder.settings import RecorderSettings
from wentlive_recorder.testing import FakeReportChannel, FakeStreamSource, InMemoryBlobSink, ScriptedStream, StoredBlob
from wentlive_tiktok.question import Question
from wentlive_tiktok.status import Blocked, Live, LiveStatus, NotFound, Offline, Paused, Profile, Restricted, Room
from wentlive_tiktok.streams import StreamCandidate
from wentlive_tiktok.testing import FakeLiveStatusSource

PROFILE = Profile(creator_id="42", handle="ada", nickname="Ada")
ROOM = Room(room_id="7001")
MAIN, BACKUP, LOWER = "http://cdn/main.flv", "http://cdn/backup.flv", "http://cdn/sd.flv"
SETTINGS: dict[str, Any] = {
    "commit_interval": 0.2, "end_confirmation": 0.01, "paused_interval": 0.01, "longest_backoff": 0.02,
    "report_interval": 0.05, "final_report_patience": 0.5, "storage_patience": 0.5, "grant_patience": 0.3,
    "reconnect_rounds": 3, "unclear_answers": 3,
}  # fmt: skip


def stream(url: str, quality: str, level: int, role: str = "main", **more: Any) -> StreamCandidate:
    values = {"url": url, "protocol": "flv", "quality": quality, "level": level, "codec": "h264", "role": role}
    return StreamCandidate.model_validate(values | more)


LADDER = (stream(MAIN, "origin", 10), stream(BACKUP, "origin", 10, "backup"), stream(LOWER, "sd", 1))


def live(room: Room = ROOM, *, streams: tuple[StreamCandidate, ...] = LADDER, profile: Profile = PROFILE) -> Live:
    return Live(room=room, profile=profile, streams=streams)


OFFLINE = Offline(profile=PROFILE)


class Recording:
    """A recorder over fakes that tests script before they run it."""

    def __init__(self, **settings: Any) -> None:
        self.tiktok, self.streams = FakeLiveStatusSource(), FakeStreamSource(chunk=4096)
        self.channel, self.sink = FakeReportChannel(), InMemoryBlobSink()
        self.settings = RecorderSettings(**{**SETTINGS, **settings})
        self.stop = asyncio.Event()
        self.parts = 4
        self.quality: dict[str, Any] | None = None
        self.prefix = "42/2026/11/23/x"

    def says(self, *answers: LiveStatus) -> None:
        self.tiktok.script("ada", *answers)

    async def run(self) -> Verdict:
        job = RecordingJob.model_validate(
            {
                "recording_id": new_ulid(), "attempt": 1, "creator_id": "42", "room_id": "7001", "handle": "ada",
                "blob_prefix": self.prefix, "report_url": "http://o/report", "report_token": "t",
                "grants": self.grants(self.parts), "quality": self.quality,
            }
        )  # fmt: skip
        clock = SystemClock()
        recorder = assemble(
            job, self.settings, tiktok=self.tiktok, streams=self.streams, sink=self.sink, channel=self.channel,
            grants=GrantBook(job.blob_prefix, 1, clock, job.grants), clock=clock,
        )  # fmt: skip
        async with asyncio.timeout(20):
            return await recorder.run(self.stop)

    def grants(self, parts: int) -> tuple[BlobGrant, ...]:
        stems = [f"{self.prefix}/{part_name(1, part)}" for part in range(1, parts + 1)]
        expires_at = datetime.now(UTC) + timedelta(hours=1)
        return tuple(
            BlobGrant.model_validate({"blob": f"{stem}.{kind}", "url": "http://b?sig=x", "expires_at": expires_at})
            for stem in stems
            for kind in ("mp4", "index", "jpg")
        )

    @property
    def last(self):
        return self.channel.reports[-1]

    def seconds(self) -> list[float]:
        """The closed parts' durations, by their indexes."""
        names = sorted(name for name in self.sink.blobs if name.endswith(".index"))
        indexes = [read_index(self.sink.blobs[name].data) for name in names]
        assert all(index.closed for index in indexes)
        return [round(index.duration, 1) for index in indexes]


async def test_a_live_that_ends_is_one_closed_part(portrait: bytes) -> None:
    recording = Recording()
    recording.says(live(), OFFLINE)
    recording.streams.script(MAIN, ScriptedStream(portrait))
    assert await recording.run() == Verdict("ended")
    assert recording.seconds() == [12.0]
    assert (recording.last.state, recording.last.outcome) == ("done", "ended")
    assert recording.sink.blobs[f"{recording.prefix}/a1-p1.jpg"].content_type == "image/jpeg"
    assert recording.tiktok.questions == [Question("ada", "42", "7001")] * 3


async def test_one_offline_answer_is_not_believed(portrait: bytes) -> None:
    recording = Recording()
    recording.says(live(), OFFLINE, live(), OFFLINE)
    recording.streams.script(MAIN, ScriptedStream(portrait))
    assert (await recording.run()).outcome == "ended"
    assert recording.seconds() == [12.0, 12.0]


async def test_a_drop_keeps_what_came_and_reconnects(portrait: bytes) -> None:
    recording = Recording()
    recording.says(live(), live(), OFFLINE)
    dropped = ScriptedStream(portrait[: len(portrait) * 2 // 3], error=StreamDropped())
    recording.streams.script(MAIN, dropped, ScriptedStream(portrait))
    assert (await recording.run()).outcome == "ended"
    first, second = recording.seconds()
    assert 6 < first < 10
    assert second == 12.0


async def test_another_room_means_that_ours_is_over(portrait: bytes) -> None:
    recording = Recording()
    recording.says(live(), live(Room(room_id="7002")))
    recording.streams.script(MAIN, ScriptedStream(portrait))
    assert (await recording.run()).outcome == "ended"
    assert recording.streams.opened == [MAIN]


async def test_a_creator_who_takes_another_name_is_followed(portrait: bytes) -> None:
    recording = Recording()
    recording.says(live(profile=PROFILE.model_copy(update={"handle": "ada.l"})))
    recording.tiktok.script("ada.l", OFFLINE)
    recording.streams.script(MAIN, ScriptedStream(portrait))
    assert (await recording.run()).outcome == "ended"
    assert recording.tiktok.asked == ["ada", "ada.l", "ada.l"]


async def test_when_tiktok_falls_silent_the_known_streams_are_recorded_on(portrait: bytes) -> None:
    recording = Recording()
    recording.says(live(), Blocked(how="waf"), Blocked(how="waf"), OFFLINE)
    recording.streams.script(MAIN, ScriptedStream(portrait))
    assert (await recording.run()).outcome == "ended"
    assert recording.seconds() == [12.0] * 3


async def test_what_a_drop_lost_is_stated(portrait: bytes, streams: Any) -> None:
    # The second connection goes on by the same clock, three seconds after the first one ended.
    tags = streams.tags(portrait)
    opening, media = tags[:3], tags[3:]
    first = opening + [tag._replace(timestamp=tag.timestamp + 60_000) for tag in media if tag.timestamp < 7000]
    second = opening + [tag._replace(timestamp=tag.timestamp + 70_000) for tag in media]
    recording = Recording()
    recording.says(live(), live(), OFFLINE)
    dropped = ScriptedStream(streams.flv(first), error=StreamDropped("The stream broke off."))
    recording.streams.script(MAIN, dropped, ScriptedStream(streams.flv(second)))
    with capture_logs() as logs:
        assert (await recording.run()).outcome == "ended"
    (gap,) = [entry for entry in logs if entry["event"] == MEDIA_MISSING]
    assert gap["seconds"] == pytest.approx(3.0, abs=0.1)
    assert gap["why"] == "The stream broke off."


async def test_a_pause_is_waited_out(portrait: bytes) -> None:
    recording = Recording()
    recording.says(Paused(room=ROOM, profile=PROFILE), Paused(room=ROOM, profile=PROFILE), live(), OFFLINE)
    recording.streams.script(MAIN, ScriptedStream(portrait))
    assert (await recording.run()).outcome == "ended"
    assert recording.seconds() == [12.0]


@pytest.mark.parametrize(
    ("status", "told"),
    [
        (Restricted(reason="age", profile=PROFILE), "age"),
        (NotFound(handle="ada"), "@ada"),
        (Blocked(how="waf"), "waf"),
    ],
)
async def test_answers_that_say_nothing_are_asked_again_and_then_told(status: LiveStatus, told: str) -> None:
    recording = Recording()
    recording.says(status)
    verdict = await recording.run()
    assert verdict.outcome == "failed"
    assert told in (verdict.reason or "")
    assert len(recording.tiktok.asked) == 3
    assert recording.last.reason == verdict.reason


async def test_the_next_candidate_is_tried_when_one_is_gone_or_no_flv(portrait: bytes) -> None:
    recording = Recording()
    recording.says(live(), OFFLINE)
    recording.streams.script(MAIN, ScriptedStream(refused=StreamGone("404")))
    recording.streams.script(BACKUP, ScriptedStream(b"<!DOCTYPE html>"))
    recording.streams.script(LOWER, ScriptedStream(portrait))
    assert (await recording.run()).outcome == "ended"
    assert recording.streams.opened == [MAIN, BACKUP, LOWER]


async def test_a_live_without_flv_is_recorded_over_hls(portrait: bytes, streams: Any) -> None:
    recording = Recording()
    index = stream("http://cdn/x/index.m3u8", "origin", 10, protocol="hls")
    recording.says(live(streams=(index,)), OFFLINE)
    recording.streams.script_file(index.url, b"#EXTM3U\n#EXT-X-TARGETDURATION:12\n#EXTINF:12,\n0.ts\n#EXT-X-ENDLIST\n")
    recording.streams.script_file("http://cdn/x/0.ts", streams.remuxed(portrait, "mpegts"))
    assert (await recording.run()).outcome == "ended"
    assert recording.seconds() == [12.0]


async def test_the_jobs_quality_goes_before_the_settings(portrait: bytes) -> None:
    recording = Recording(quality="best")
    recording.quality = {"prefer": "smallest", "codecs": ["h264"]}
    recording.says(live(), OFFLINE)
    recording.streams.script(LOWER, ScriptedStream(portrait))
    assert (await recording.run()).outcome == "ended"
    assert recording.streams.opened == [LOWER]


async def test_sound_only_is_a_recording_without_pictures(portrait: bytes) -> None:
    recording = Recording(audio_only=True)
    recording.says(live(), OFFLINE)
    recording.streams.script(LOWER, ScriptedStream(portrait))
    assert (await recording.run()).outcome == "ended"
    assert recording.seconds() == [12.0]
    (part,) = {part.part: part for report in recording.channel.reports for part in report.parts}.values()
    assert (part.video_codec, part.audio_codec) == (None, "mp4a.40.2")


async def test_a_live_that_offers_nothing_wanted_says_so(portrait: bytes) -> None:
    recording = Recording(codecs=("h265",))
    recording.says(live())
    verdict = await recording.run()
    assert verdict.outcome == "failed"
    assert "wanted quality" in (verdict.reason or "")


async def test_when_no_candidate_is_flv_it_fails_soon_and_says_why() -> None:
    recording = Recording()
    recording.says(live())
    for url in (MAIN, BACKUP, LOWER):
        recording.streams.script(url, ScriptedStream(b"<html>busy</html>", refused=None))
    recording.streams.script(BACKUP, ScriptedStream(refused=NotFlv("The stream's address gives text/html, not FLV.")))
    verdict = await recording.run()
    assert verdict.outcome == "failed"
    assert "not FLV" in (verdict.reason or "")
    assert len(recording.streams.opened) == 6
    assert not [name for name in recording.sink.blobs if name.endswith(".mp4")]


async def test_a_change_of_resolution_makes_a_part_of_each(portrait: bytes, landscape: bytes, streams: Any) -> None:
    turned = streams.tags(portrait) + streams.tags(streams.flv(streams.tags(landscape), shift=12_100))
    recording = Recording()
    recording.says(live(), OFFLINE)
    recording.streams.script(MAIN, ScriptedStream(streams.flv(turned)))
    assert (await recording.run()).outcome == "ended"
    assert recording.seconds() == [12.0, 8.0]
    sizes = {part.part: (part.width, part.height) for report in recording.channel.reports for part in report.parts}
    assert sizes == {1: (96, 160), 2: (160, 96)}


async def test_garbage_in_the_stream_ends_not_even_the_part(portrait: bytes, streams: Any) -> None:
    recording = Recording()
    recording.says(live(), OFFLINE)
    before = len(streams.flv([tag for tag in streams.tags(portrait) if tag.timestamp < 6100]))
    recording.streams.script(MAIN, ScriptedStream(portrait[:before] + bytes(5000) + portrait[before:]))
    with capture_logs() as logs:
        assert (await recording.run()).outcome == "ended"
    assert recording.seconds() == [12.0]
    (gap,) = [entry for entry in logs if entry["event"] == MEDIA_MISSING]
    assert gap["seconds"] == pytest.approx(0.95, abs=0.1)


async def test_a_stream_that_turns_into_garbage_ends_the_part_not_the_recording(portrait: bytes) -> None:
    recording = Recording()
    recording.says(live(), live(), OFFLINE)
    half = portrait[: len(portrait) * 2 // 3]
    recording.streams.script(MAIN, ScriptedStream(half + bytes(3_000_000)), ScriptedStream(portrait))
    assert (await recording.run()).outcome == "ended"
    assert len(recording.seconds()) == 2


class EndlessStreams(FakeStreamSource):
    """A stream that stays open after its bytes."""

    async def _chunks(self, connection: ScriptedStream):
        async for chunk in super()._chunks(connection):
            yield chunk
        await asyncio.Event().wait()


async def until_reported(recording: Recording) -> None:
    async with asyncio.timeout(10):
        while not any(part.fragments for report in recording.channel.reports for part in report.parts):
            await asyncio.sleep(0.01)


async def test_a_signal_closes_the_part_and_reports_stopped(portrait: bytes) -> None:
    recording = Recording()
    recording.streams = EndlessStreams()
    recording.says(live())
    recording.streams.script(MAIN, ScriptedStream(portrait))
    running = asyncio.create_task(recording.run())
    await until_reported(recording)
    recording.stop.set()
    assert await running == Verdict("stopped")
    assert recording.seconds() == [12.0]


async def test_abandon_leaves_the_part_as_it_is(portrait: bytes) -> None:
    recording = Recording()
    recording.streams = EndlessStreams()
    recording.channel = FakeReportChannel(*[ReportAnswer()] * 8, ReportAnswer(command="abandon"))
    recording.says(live())
    recording.streams.script(MAIN, ScriptedStream(portrait))
    assert (await recording.run()).outcome == "fenced"
    blob = recording.sink.blobs.get(f"{recording.prefix}/a1-p1.index", StoredBlob())
    assert b"closed" not in blob.data


async def test_an_attempt_that_is_over_writes_nothing() -> None:
    recording = Recording()
    recording.channel = FakeReportChannel(ReportAnswer(command="abandon"))
    recording.says(live())
    assert (await recording.run()).outcome == "fenced"
    assert (recording.sink.blobs, recording.streams.opened) == ({}, [])


async def test_a_second_start_leaves_the_first_ones_parts_alone(portrait: bytes) -> None:
    recording = Recording()
    recording.says(live(), OFFLINE)
    recording.streams.script(MAIN, ScriptedStream(portrait))
    recording.sink.blobs[f"{recording.prefix}/a1-p1.mp4"] = StoredBlob(b"left by the first", 3)
    assert (await recording.run()).outcome == "ended"
    assert recording.sink.blobs[f"{recording.prefix}/a1-p1.mp4"].data == b"left by the first"
    assert recording.seconds() == [12.0]


async def test_grants_that_come_with_an_answer_are_used(portrait: bytes) -> None:
    recording = Recording()
    recording.parts = 0
    recording.channel = FakeReportChannel(ReportAnswer(grants=recording.grants(4)))
    recording.says(live(), OFFLINE)
    recording.streams.script(MAIN, ScriptedStream(portrait))
    assert (await recording.run()).outcome == "ended"
    assert recording.last.granted_through_part == 4


async def test_without_grants_it_fails_with_a_reason(portrait: bytes) -> None:
    recording = Recording()
    recording.parts = 0
    recording.says(live())
    recording.streams.script(MAIN, ScriptedStream(portrait))
    verdict = await recording.run()
    assert verdict.outcome == "failed"
    assert "granted" in (verdict.reason or "")


async def test_storage_that_stays_away_fails_with_a_reason(portrait: bytes) -> None:
    recording = Recording()
    recording.sink.failing = Transient("Try again: storage answered 503.")
    recording.says(live())
    recording.streams.script(MAIN, ScriptedStream(portrait))
    verdict = await recording.run()
    assert verdict.outcome == "failed"
    assert "503" in (verdict.reason or "")


async def test_an_orchestrator_that_is_away_does_not_stop_the_recording(portrait: bytes) -> None:
    recording = Recording(final_report_patience=0.1)
    recording.channel = FakeReportChannel(Transient("refused"))
    recording.says(live(), OFFLINE)
    recording.streams.script(MAIN, ScriptedStream(portrait))
    assert (await recording.run()).outcome == "ended"
    assert recording.seconds() == [12.0]


async def test_a_defect_is_reported_as_a_failure() -> None:
    recording = Recording()
    recording.says(live())
    verdict = await recording.run()
    assert verdict.outcome == "failed"
    assert "KeyError" in (verdict.reason or "")


async def test_reports_carry_only_news_and_grow_by_one(portrait: bytes) -> None:
    recording = Recording()
    recording.says(live(), OFFLINE)
    recording.streams.script(MAIN, ScriptedStream(portrait))
    await recording.run()
    reports = recording.channel.reports
    first = reports[0].sequence
    assert [report.sequence for report in reports] == list(range(first, first + len(reports)))
    states = [part for report in reports for part in report.parts]
    assert all(left != right for left, right in pairwise(states))
    assert states[-1].state == "closed"
