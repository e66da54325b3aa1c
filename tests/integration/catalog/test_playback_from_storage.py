"""Links and playlists against real Blob Storage: they work, they end, and what they lead to decodes."""

import asyncio
import io
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import av
import httpx
import pytest
from wentlive_catalog.adapters.azure_fragment_index import AzureFragmentIndexReader
from wentlive_catalog.testing import RecordingStory
from wentlive_common.clock import SystemClock


def story() -> RecordingStory:
    return RecordingStory("owl", "7", "8", datetime.now(UTC))


def video_frames(media: bytes) -> int:
    with av.open(io.BytesIO(media), "r") as container:
        return sum(1 for _ in container.decode(video=0))


async def played(stage: Any, recording_id: str) -> list[bytes]:
    """What a player puts together from the playlist: for each stretch its init segment and fragments."""
    playlist = (await stage.client.get(f"/api/v1/recordings/{recording_id}/playlist.m3u8")).text
    stretches: list[bytes] = []
    span = (0, 0)
    async with httpx.AsyncClient() as browser:
        for line in playlist.splitlines():
            if init := re.match(r'#EXT-X-MAP:URI="(.+)"', line):
                stretches.append((await stage.client.get(init[1])).content)
            elif found := re.match(r"#EXT-X-BYTERANGE:(\d+)@(\d+)", line):
                span = (int(found[2]), int(found[2]) + int(found[1]) - 1)
            elif line and not line.startswith("#"):
                piece = await browser.get(line, headers={"range": f"bytes={span[0]}-{span[1]}"})
                assert piece.status_code == 206
                stretches[-1] += piece.content
    return stretches


async def test_the_playlist_grows_with_the_recording_and_is_closed_with_it(stage: Any) -> None:
    told = story()
    url = f"/api/v1/recordings/{told.recording_id}/playlist.m3u8"
    await stage.tell(told.requested())
    assert (await stage.client.get(url)).status_code == 404
    part = await stage.part(told, 1)
    await part.grow(2)
    await stage.tell(told.part_opened(stage.report(told, 1, part)))
    before = (await stage.client.get(url)).text
    assert before.count("#EXTINF") == 2
    assert [video_frames(stretch) for stretch in await played(stage, told.recording_id)] == [96]

    await part.grow(1)
    await stage.tell(told.progressed(stage.report(told, 1, part)))
    grown = await playlist_with(stage, url, 3)
    assert grown.startswith(before)

    await part.close()
    await stage.tell(told.part_closed(stage.report(told, 1, part)), told.completed(datetime.now(UTC)))
    done = await playlist_with(stage, url, 4)
    assert done.endswith("#EXT-X-ENDLIST\n")
    # The finished blob's head is no init segment any more; the playlist still plays, and so does the file.
    assert [video_frames(stretch) for stretch in await played(stage, told.recording_id)] == [192]


async def playlist_with(stage: Any, url: str, fragments: int) -> str:
    """The index is asked for at most twice a second: wait for what was just committed, but not for long."""
    async with asyncio.timeout(5):
        while True:
            text = (await stage.client.get(url)).text
            if text.count("#EXTINF") == fragments:
                return text
            await asyncio.sleep(0.05)


async def test_two_parts_play_as_two_stretches(stage: Any) -> None:
    told = story()
    for number in (1, 2):
        part = await stage.part(told, number)
        await part.close()
        await stage.tell(told.part_closed(stage.report(told, number, part)))
    await stage.tell(told.completed(datetime.now(UTC)))
    playlist = (await stage.client.get(f"/api/v1/recordings/{told.recording_id}/playlist.m3u8")).text
    assert playlist.count("#EXT-X-DISCONTINUITY\n") == 1
    assert [video_frames(stretch) for stretch in await played(stage, told.recording_id)] == [192, 192]


async def test_a_part_whose_index_cannot_be_read_leaves_the_others_playing(stage: Any) -> None:
    told = story()
    for number in (1, 2):
        part = await stage.part(told, number)
        await part.close()
        await stage.tell(told.part_closed(stage.report(told, number, part)))
    await stage.container.get_blob_client(f"{told.stem(1, 1)}.index").delete_blob()
    await stage.container.upload_blob(f"{told.stem(1, 1)}.index", b"not an index\n")
    assert len(await played(stage, told.recording_id)) == 1


async def test_a_link_downloads_the_whole_file_and_then_ends(stage: Any) -> None:
    told = story()
    part = await stage.part(told, 1)
    await part.close()
    await stage.tell(told.part_closed(stage.report(told, 1, part)))
    url = f"/api/v1/recordings/{told.recording_id}/parts/a1-p1/links"
    link = (await stage.client.post(url, json={"lifetime_seconds": 2, "download": True})).json()
    async with httpx.AsyncClient() as anybody:
        answer = await anybody.get(link["url"])
        assert answer.content == stage.sample.finished
        assert answer.headers["content-disposition"].startswith('attachment; filename="owl_')
        assert video_frames(answer.content) == 192
        overwrite = await anybody.put(link["url"], content=b"x", headers={"x-ms-blob-type": "BlockBlob"})
        assert overwrite.status_code == 403
        assert (await anybody.get(link["url"].replace("a1-p1.mp4", "a1-p1.index"))).status_code == 403
        assert (await anybody.get(link["url"].split("?")[0])).status_code in (403, 404)
        assert await first_refusal(anybody, link["url"]) == 403
    assert datetime.now(UTC) >= datetime.fromisoformat(link["expires_at"])


async def first_refusal(browser: httpx.AsyncClient, url: str) -> int:
    async with asyncio.timeout(10):
        while True:
            status = (await browser.get(url)).status_code
            if status != 200:
                return status
            await asyncio.sleep(0.2)


async def test_the_poster_is_a_redirect_to_a_picture(stage: Any) -> None:
    told = story()
    part = await stage.part(told, 1)
    await part.grow(1)
    await stage.tell(told.part_opened(stage.report(told, 1, part)))
    moved = await stage.client.get(f"/api/v1/recordings/{told.recording_id}/poster.jpg")
    assert moved.status_code == 302
    async with httpx.AsyncClient() as browser:
        picture = await browser.get(moved.headers["location"])
    assert picture.content == stage.sample.poster


class SteppedClock(SystemClock):
    """A monotonic clock that goes on by a second whenever it is read."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def monotonic(self) -> float:
        self.seconds += 1
        return self.seconds


async def test_the_index_is_read_on_from_where_it_was(stage: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    told = story()
    part = await stage.part(told, 1)
    reader = AzureFragmentIndexReader(stage.container, SteppedClock())
    asked: list[int | None] = []
    original = type(stage.container).download_blob

    async def counted(self: Any, blob: str, offset: int | None = None, **more: Any) -> Any:
        asked.append(offset)
        return await original(self, blob, offset=offset, **more)

    monkeypatch.setattr(type(stage.container), "download_blob", counted)
    assert await reader.read("no/such.index") is None
    for fragments in (1, 1, 0, 2):
        await part.grow(fragments) if fragments else None
        index = await reader.read(part.index_blob)
        assert index is not None
        assert len(index.fragments) == part.written
    await part.close()
    closed = await reader.read(part.index_blob)
    count = len(asked)
    assert closed is not None
    assert closed.closed
    assert closed == await reader.read(part.index_blob)
    assert len(asked) == count
    assert asked[1:] == sorted(asked[1:], key=lambda offset: offset or 0)
    assert len(set(asked[1:])) == 5 - 1


async def test_a_stopped_storage_is_said_so(stage: Any) -> None:
    told = story()
    part = await stage.part(told, 1)
    await part.grow(1)
    await stage.tell(told.part_opened(stage.report(told, 1, part)))
    await stage.container.delete_container()
    answer = await stage.client.get(f"/api/v1/recordings/{told.recording_id}/playlist.m3u8")
    assert answer.status_code in (404, 503)
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_long_recording_is_listed_whole(stage: Any) -> None:
    """Six hours in three parts."""
    told = story()
    for number in (1, 2, 3):
        part = await stage.part(told, number)
        await part.grow(1)
        lines = b"".join(b"[%d,900,4.0]\n" % (1000 * n) for n in range(1800))
        await stage.container.get_blob_client(part.index_blob).append_block(lines)
        await stage.tell(told.progressed(stage.report(told, number, part)))
    await stage.tell(told.completed(datetime.now(UTC) + timedelta(hours=6)))
    url = f"/api/v1/recordings/{told.recording_id}/playlist.m3u8"
    assert (await stage.client.get(url)).text.count("#EXTINF") == 5403
