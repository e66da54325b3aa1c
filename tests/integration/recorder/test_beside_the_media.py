"""What a recorder process leaves beside its media in real storage, and that it needs none of it."""

import json
import signal
from collections.abc import Callable
from io import BytesIO
from typing import Any

import av
from wentlive_common.blobs import recording_blobs
from wentlive_common.manifest import read_manifest
from wentlive_devkit.rig.recorder_run import make_job, recorder_process, target
from wentlive_devkit.tiktok.scenario import CreatorScript, LiveScript, MediaScript, Scenario
from wentlive_devkit.tiktok.server import TikTokSimulator

HANDLE = "ada.paints"
SCENARIO = Scenario(
    creators=(CreatorScript(handle=HANDLE, nickname="Ada", lives=(LiveScript(),)),),
    media=MediaScript(width=180, height=320, gop_s=1, loop_s=8, bitrate=200_000),
)


def size_of(jpeg: bytes) -> tuple[int, int]:
    with av.open(BytesIO(jpeg), "r") as container:
        frame = next(container.decode(video=0))
    return frame.width, frame.height


def fragments(receiver: Any, count: int) -> Callable[[], bool]:
    return lambda: 1 in receiver.parts and receiver.parts[1].fragments >= count


async def test_pictures_manifest_and_log(recorder, storage, receiver) -> None:
    async with TikTokSimulator.start(SCENARIO) as simulator, recorder(simulator) as run:
        await run.until(lambda: 1 in receiver.parts and receiver.parts[1].preview_blob is not None)
        blobs = recording_blobs(run.job.blob_prefix, 1)
        assert size_of(storage.read(blobs.preview)) == (180, 320)
        await run.until(lambda: storage.read(blobs.manifest) != b"" and storage.read(blobs.log) != b"")
        live = read_manifest(storage.read(blobs.manifest))
        await run.until(fragments(receiver, 3))
        simulator.world.end(HANDLE)
        assert await run.exit() == 0
    part = receiver.parts[1]
    width, height = size_of(storage.read(part.storyboard_blob))
    assert (width, height % 160) == (900, 0)
    track = storage.read(part.storyboard_track_blob).decode()
    assert f"{run.stem().rpartition('/')[2]}.storyboard.jpg#xywh=0,0,90,160" in track
    assert size_of(storage.read(part.poster_blob)) == (180, 320)

    manifest = read_manifest(storage.read(blobs.manifest))
    (entry,) = manifest.attempts
    assert [attempt.outcome for attempt in live.attempts] == [None]
    assert (manifest.recording_id, manifest.handle, entry.outcome) == (run.job.recording_id, HANDLE, "ended")
    assert entry.parts == (part,)
    assert entry.choices
    assert entry.log_blob == blobs.log
    log = storage.read(blobs.log)
    events = [json.loads(line)["event"] for line in log.splitlines()]
    assert [
        event for event in ("live_status", "part_opened", "part_closed", "recording_over") if event not in events
    ] == []
    assert not [word for word in (b"sig=", b"sign=", run.job.report_token.get_secret_value().encode()) if word in log]


async def test_a_second_attempt_adds_to_the_manifest(recorder, storage, receiver, tmp_path) -> None:
    async with TikTokSimulator.start(SCENARIO) as simulator:
        async with recorder(simulator) as run:
            await run.until(fragments(receiver, 1))
            await run.until(lambda: storage.read(recording_blobs(run.job.blob_prefix, 1).manifest) != b"")
            run.process.send_signal(signal.SIGKILL)
            await run.exit()
        live, fields = target(simulator, HANDLE), {"recording_id": run.job.recording_id}
        job = make_job(live, storage, receiver, attempt=2, blob_prefix=run.job.blob_prefix, **fields)
        async with recorder_process(live, job, storage, receiver, tmp_path / "second.log") as second:
            await second.until(lambda: storage.read(f"{second.stem()}.mp4") != b"")
            second.process.send_signal(signal.SIGTERM)
            assert await second.exit(timeout=6) == 0
    manifest = read_manifest(storage.read(recording_blobs(job.blob_prefix, 2).manifest))
    assert [(entry.attempt, entry.outcome) for entry in manifest.attempts] == [(1, None), (2, "stopped")]
    assert [part.state for part in manifest.attempts[1].parts] == ["closed"]
    assert storage.read(recording_blobs(job.blob_prefix, 2).log)


async def test_with_grants_for_media_and_index_alone_it_records(storage, receiver, tmp_path) -> None:
    async with TikTokSimulator.start(SCENARIO) as simulator:
        live = target(simulator, HANDLE)
        whole = make_job(live, storage, receiver)
        needed = tuple(grant for grant in whole.grants if grant.blob.endswith((".mp4", ".index")))
        job = whole.model_copy(update={"grants": needed})
        async with recorder_process(live, job, storage, receiver, tmp_path / "recorder.log") as run:
            await run.until(fragments(receiver, 2))
            simulator.world.end(HANDLE)
            assert await run.exit() == 0
    part = receiver.parts[1]
    assert (receiver.last.outcome, part.state, part.poster_blob) == ("ended", "closed", None)
    assert storage.names(job.blob_prefix) == [f"{run.stem()}.index", f"{run.stem()}.mp4"]
