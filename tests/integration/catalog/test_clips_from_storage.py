"""Clips out of real Blob Storage: standard files that decode to the last frame, of open parts and closed ones."""

import io
from datetime import UTC, datetime
from typing import Any

import av
import pytest
from wentlive_catalog.testing import RecordingStory
from wentlive_devkit.media_check import decode_fully
from wentlive_devkit.recorded import RATE


def story() -> RecordingStory:
    return RecordingStory("owl", "7", "8", datetime.now(UTC))


async def stored(stage: Any, told: RecordingStory, *, closed: bool) -> str:
    part = await stage.part(told, 1)
    await part.grow(4)
    if closed:
        await part.close()
    await stage.tell(told.requested(), told.part_opened(stage.report(told, 1, part)))
    return f"/api/v1/recordings/{told.recording_id}/parts/a1-p1/clip.mp4"


def pictures(media: bytes) -> list[bytes]:
    with av.open(io.BytesIO(media), "r") as container:
        return [bytes(frame.planes[0]) for frame in container.decode(video=0)]


@pytest.mark.parametrize("closed", [True, False])
async def test_a_clip_is_a_standard_file_with_the_very_pictures_of_its_range(stage: Any, closed: bool) -> None:
    url = await stored(stage, story(), closed=closed)
    answer = await stage.client.get(url, params={"start": 2.5, "end": 5.5})
    assert answer.status_code == 200
    assert answer.headers["content-disposition"].endswith('a1-p1_2-5.mp4"')
    # Fragments of two seconds: from 2 to 6.
    report = decode_fully(answer.content)
    assert report.video_frames == 4 * RATE
    assert abs(report.duration - 4) < 0.1
    assert pictures(answer.content) == pictures(stage.sample.finished)[2 * RATE : 6 * RATE]
    with av.open(io.BytesIO(answer.content), "r") as container:
        assert abs(float((container.duration or 0) / av.time_base) - 4) < 0.1
        container.seek(3 * av.time_base)
        assert next(container.decode(video=0)).time == pytest.approx(2, abs=0.1)


async def test_what_cannot_be_cut_is_refused(stage: Any) -> None:
    told = story()
    url = await stored(stage, told, closed=False)
    for start, end in ((3, 3), (5, 2), (100, 200)):
        answer = await stage.client.get(url, params={"start": start, "end": end})
        assert (answer.status_code, answer.json()["type"]) == (422, "urn:wentlive:problem:empty-clip")
    await stage.container.get_blob_client(f"{told.stem(1, 1)}.mp4").delete_blob()
    assert (await stage.client.get(url, params={"start": 0, "end": 5})).status_code == 503
