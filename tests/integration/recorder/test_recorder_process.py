"""The recorder as a process, from TikTok's answer to the blobs that it leaves behind."""

import shutil
import signal
import subprocess
import sys
import time
from io import BytesIO
from pathlib import Path
from typing import Any

import av
import pytest
from wentlive_common.job import ReportAnswer
from wentlive_common.mp4.boxes import boxes
from wentlive_devkit.tiktok.scenario import CreatorScript, LiveScript, MediaScript, Scenario
from wentlive_devkit.tiktok.server import TikTokSimulator

HANDLE = "ada.paints"


def scenario(*, gop_s: int = 2, **live: Any) -> Scenario:
    creator = CreatorScript(handle=HANDLE, nickname="Ada", lives=(LiveScript(**live),))
    media = MediaScript(width=180, height=320, gop_s=gop_s, loop_s=8, bitrate=200_000)
    return Scenario(creators=(creator,), media=media)


def decoded_seconds(data: bytes, path: Path) -> float:
    """Decodes every frame, by an independent reader as well where there is one; seconds of video."""
    if shutil.which("ffmpeg"):
        path.write_bytes(data)
        result = subprocess.run(
            ["ffmpeg", "-v", "error", "-i", str(path), "-f", "null", "-"], capture_output=True, check=False
        )
        assert (result.returncode, result.stderr) == (0, b"")
    with av.open(BytesIO(data), "r", format="mp4") as container:
        times = [frame.time for frame in container.decode(video=0)]
    return times[-1] - times[0]


async def test_a_live_is_watchable_while_it_is_recorded_and_a_standard_mp4_after_it(
    recorder, storage, receiver, tmp_path: Path
) -> None:
    async with TikTokSimulator.start(scenario()) as simulator, recorder(simulator) as run:
        await run.until(lambda: 1 in receiver.parts and receiver.parts[1].fragments >= 3)
        growing, index = storage.read(f"{run.stem()}.mp4"), storage.index(f"{run.stem()}.index")
        simulator.world.end(HANDLE)
        assert await run.exit() == 0

    finished, final = storage.read(f"{run.stem()}.mp4"), storage.index(f"{run.stem()}.index")
    part = receiver.parts[1]
    assert decoded_seconds(growing, tmp_path / "growing.mp4") >= 3.5
    assert not index.closed
    assert growing.startswith(index.header.init_segment)

    assert (receiver.last.state, receiver.last.outcome) == ("done", "ended")
    assert (part.state, part.bytes, part.fragments) == ("closed", len(finished), len(final.fragments))
    assert part.finish_ms is not None
    assert part.finish_ms < 2000
    assert part.committed_at is not None
    assert part.duration == pytest.approx(final.duration, abs=0.01)
    assert decoded_seconds(finished, tmp_path / "finished.mp4") == pytest.approx(part.duration, abs=0.2)
    with av.open(BytesIO(finished), "r") as container:
        assert container.duration is not None
        assert container.duration / 1_000_000 == pytest.approx(part.duration, abs=0.2)
    assert [box.kind for box in boxes(finished)] == [b"ftyp", b"mdat", b"moov"]
    # A player with the old playlist goes on: fragments stay where they were, the init segment is in the index.
    assert final.closed
    assert final.fragments[: len(index.fragments)] == index.fragments
    assert growing[index.fragments[0].offset :] == finished[index.fragments[0].offset : len(growing)]
    assert all(finished[f.offset + 4 : f.offset + 8] == b"moof" for f in final.fragments)
    as_played = final.header.init_segment + b"".join(finished[f.offset : f.end] for f in final.fragments)
    assert decoded_seconds(as_played, tmp_path / "played.mp4") == pytest.approx(part.duration, abs=0.2)
    assert part.poster_blob is not None
    with av.open(BytesIO(storage.read(part.poster_blob))) as poster:
        assert (poster.streams.video[0].width, poster.streams.video[0].height) == (180, 320)
    sequences = [report.sequence for report in receiver.reports]
    assert sequences == sorted(set(sequences))


async def test_a_drop_makes_a_second_part_of_the_same_live(recorder, storage, receiver, tmp_path: Path) -> None:
    async with TikTokSimulator.start(scenario()) as simulator, recorder(simulator) as run:
        await run.until(lambda: 1 in receiver.parts and receiver.parts[1].fragments >= 2)
        simulator.world.drop(HANDLE)
        await run.until(lambda: 2 in receiver.parts and receiver.parts[2].fragments >= 2)
        simulator.world.end(HANDLE)
        assert await run.exit() == 0
    assert receiver.last.outcome == "ended"
    assert [part.state for part in receiver.parts.values()] == ["closed", "closed"]
    for number, part in receiver.parts.items():
        assert decoded_seconds(storage.read(part.blob), tmp_path / f"{number}.mp4") > 3


@pytest.mark.parametrize("gop_s", [2, 8])
async def test_a_killed_recorder_loses_at_most_six_seconds(
    gop_s: int, recorder, storage, receiver, tmp_path: Path
) -> None:
    async with TikTokSimulator.start(scenario(gop_s=gop_s)) as simulator, recorder(simulator) as run:
        await run.until(lambda: 1 in receiver.parts and receiver.parts[1].fragments >= 2)
        opened_at = receiver.parts[1].opened_at.timestamp()
        run.process.send_signal(signal.SIGKILL)
        recorded = time.time() - opened_at
        await run.exit()
    left = decoded_seconds(storage.read(f"{run.stem()}.mp4"), tmp_path / "left.mp4")
    assert recorded - left <= 6
    index = storage.index(f"{run.stem()}.index")
    assert not index.closed
    assert index.fragments[-1].end <= len(storage.read(f"{run.stem()}.mp4"))


async def test_a_pause_is_waited_out(recorder, receiver) -> None:
    settings = {"read_timeout": "3", "paused_interval": "0.5", "job_in_environment": True}
    async with TikTokSimulator.start(scenario()) as simulator, recorder(simulator, **settings) as run:
        await run.until(lambda: 1 in receiver.parts and receiver.parts[1].fragments >= 1)
        simulator.world.pause(HANDLE)
        await run.until(lambda: "paused" in (receiver.last.reason or ""))
        assert receiver.parts[1].state == "closed"
        simulator.world.resume(HANDLE)
        await run.until(lambda: 2 in receiver.parts and receiver.parts[2].fragments >= 1)
        simulator.world.end(HANDLE)
        assert await run.exit() == 0
    assert receiver.last.outcome == "ended"


async def test_sigterm_finishes_the_part_within_five_seconds_and_logs_no_secret(
    recorder, storage, receiver, tmp_path: Path
) -> None:
    async with TikTokSimulator.start(scenario()) as simulator, recorder(simulator) as run:
        await run.until(lambda: 1 in receiver.parts and receiver.parts[1].fragments >= 1)
        run.process.send_signal(signal.SIGTERM)
        assert await run.exit(timeout=10) == 0
    assert (receiver.last.outcome, receiver.parts[1].state) == ("stopped", "closed")
    assert decoded_seconds(storage.read(f"{run.stem()}.mp4"), tmp_path / "stopped.mp4") > 1
    log = run.log.read_text()
    assert "part_closed" in log
    assert not [word for word in ("sig=", "sign=", run.job.report_token.get_secret_value()) if word in log]


async def test_the_orchestrators_finish_is_obeyed(recorder, receiver) -> None:
    async with TikTokSimulator.start(scenario()) as simulator, recorder(simulator) as run:
        await run.until(lambda: 1 in receiver.parts and receiver.parts[1].fragments >= 1)
        receiver.answer = ReportAnswer(command="finish")
        assert await run.exit(timeout=10) == 0
    assert (receiver.last.outcome, receiver.parts[1].state) == ("stopped", "closed")


async def test_abandon_stops_writing_at_once(recorder, storage, receiver) -> None:
    async with TikTokSimulator.start(scenario()) as simulator, recorder(simulator) as run:
        await run.until(lambda: 1 in receiver.parts and receiver.parts[1].fragments >= 1)
        receiver.answer = ReportAnswer(command="abandon")
        assert await run.exit(timeout=10) == 0
    assert (receiver.last.outcome, receiver.parts[1].state) == ("fenced", "open")
    assert not storage.index(f"{run.stem()}.index").closed


async def test_streams_that_are_web_pages_fail_with_a_reason(recorder, storage, receiver) -> None:
    async with TikTokSimulator.start(scenario(stream="web_page")) as simulator, recorder(simulator) as run:
        assert await run.exit() == 0
    assert receiver.last.outcome == "failed"
    assert "not FLV" in (receiver.last.reason or "")
    assert "no HLS playlist" in (receiver.last.reason or "")
    assert [name for name in storage.names() if name.endswith(".mp4")] == []


@pytest.mark.parametrize("job", [b"", b"{}", b'{"report_token":"job-token"}'])
def test_a_job_that_cannot_be_read_is_told_without_its_secrets(job: bytes) -> None:
    result = subprocess.run([sys.executable, "-m", "wentlive_recorder"], input=job, capture_output=True, check=False)
    assert result.returncode == 64
    assert b"job_unreadable" in result.stderr
    assert b"job-token" not in result.stderr
