"""Pictures of real streams: good ones where there are any, and never a problem of the recording's."""

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable
from datetime import UTC, datetime
from fractions import Fraction
from io import BytesIO
from typing import Any

import av
import pytest
from structlog.testing import capture_logs
from wentlive_common.blobs import part_blobs
from wentlive_common.errors import Transient
from wentlive_common.job import PartReport
from wentlive_recorder.errors import NoGrant
from wentlive_recorder.grants import PartNames
from wentlive_recorder.pictures import darkroom, keyframe
from wentlive_recorder.pictures.album import PICTURE_FAILED, PICTURE_NOT_STORED, PICTURES_MISSING, Album
from wentlive_recorder.pictures.studio import Studio
from wentlive_recorder.samples import AudioSample, VideoConfig, VideoSample
from wentlive_recorder.splitter import Write
from wentlive_recorder.testing import InMemoryBlobSink

NAMES = PartNames(1, part_blobs("x", 1, 1))
PREVIEW = "x/preview.jpg"
WIDTH, HEIGHT = 96, 160

Picture = Callable[[int, int], int]


def black(_x: int, _y: int) -> int:
    return 16


def checkers(x: int, y: int) -> int:
    return 200 if (x // 4 + y // 4) % 2 else 50


def ramp(x: int, _y: int) -> int:
    return 40 + x


class Clip:
    """Keyframes of pictures that are given by their luma."""

    def __init__(self, *pictures: Picture, codec: str = "libx264") -> None:
        target = BytesIO()
        options = {"preset": "ultrafast", "g": "1", "bf": "0"} | (
            {"x265-params": "log-level=none"} if codec == "libx265" else {}
        )
        with av.open(target, "w", format="mp4") as container:
            stream: Any = container.add_stream(codec, rate=30, options=options)
            stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
            for number, picture in enumerate(pictures):
                container.mux(stream.encode(_frame(picture, number)))
            container.mux(stream.encode(None))
        with av.open(BytesIO(target.getvalue()), "r") as made:
            picture_stream = made.streams.video[0]
            record = bytes(picture_stream.codec_context.extradata or b"")
            self.config = VideoConfig(record, "hevc" if codec == "libx265" else "avc")
            self.keyframes = [bytes(packet) for packet in made.demux(picture_stream) if packet.size]

    def write(self, number: int, at: int) -> Write:
        return Write(VideoSample(at, 0, True, self.keyframes[number]), at)


def _frame(picture: Picture, number: int) -> av.VideoFrame:
    frame = av.VideoFrame(WIDTH, HEIGHT, "yuv420p")
    luma, *chroma = frame.planes
    rows = [bytes(picture(x, y) for x in range(WIDTH)).ljust(luma.line_size, b"\0") for y in range(HEIGHT)]
    luma.update(b"".join(rows))
    for plane in chroma:
        plane.update(bytes([128]) * plane.buffer_size)
    frame.pts, frame.time_base = number, Fraction(1, 30)
    return frame


def decoded(jpeg: bytes) -> av.VideoFrame:
    with av.open(BytesIO(jpeg), "r") as container:
        return next(container.decode(video=0))


def brightness(jpeg: bytes) -> float:
    plane = decoded(jpeg).reformat(format="gray").planes[0]
    return sum(bytes(plane)) / len(bytes(plane))


class CountingSink(InMemoryBlobSink):
    """Keeps what was uploaded, in order; refuses while it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.uploads: list[tuple[str, bytes]] = []

    async def upload(self, blob: str, data: bytes, content_type: str, *, over: str | None = None) -> str:
        etag = await super().upload(blob, data, content_type, over=over)
        self.uploads.append((blob, data))
        return etag

    def count(self, blob: str) -> int:
        return sum(name == blob for name, _ in self.uploads)


class Shooting:
    """A studio at work, and albums of it."""

    def __init__(self) -> None:
        self.sink = CountingSink()
        self.studio = Studio(self.sink, PREVIEW)
        self.stored = 0

    def album(self, config: VideoConfig | None, *, named: bool = True) -> Album:
        album = Album(self.studio, config, self._note)
        if named:
            album.named(NAMES)
        return album

    def _note(self) -> None:
        self.stored += 1

    async def idle(self) -> None:
        """Until all that was handed over is done."""
        done = asyncio.Event()

        async def mark() -> None:
            done.set()

        assert self.studio.require(mark)
        async with asyncio.timeout(20):
            await done.wait()

    async def show(self, album: Album, clip: Clip, times: list[int], number: int | None = None) -> None:
        """One after another, each when the one before is done."""
        for place, at in enumerate(times):
            album.see(clip.write(place if number is None else number, at))
            await self.idle()


@pytest.fixture
async def shooting() -> AsyncGenerator[Shooting]:
    shooting = Shooting()
    task = asyncio.create_task(shooting.studio.run())
    yield shooting
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.fixture(scope="module")
def clip() -> Clip:
    return Clip(black, checkers, ramp)


def report(album: Album) -> PartReport:
    now = datetime(2026, 11, 23, tzinfo=UTC)
    return album.reported(PartReport(part=1, state="open", blob="x", index_blob="y", opened_at=now))


async def test_a_part_that_begins_black_gets_the_first_good_picture_as_poster(shooting: Shooting, clip: Clip) -> None:
    album = shooting.album(clip.config)
    await shooting.show(album, clip, [0, 1000], number=0)
    assert report(album).poster_blob is None
    await shooting.show(album, clip, [2000], number=1)
    assert report(album).poster_blob == "x/a1-p1.jpg"
    poster = shooting.sink.blobs["x/a1-p1.jpg"]
    assert poster.content_type == "image/jpeg"
    assert brightness(poster.data) > 100
    assert (decoded(poster.data).width, decoded(poster.data).height) == (WIDTH, HEIGHT)
    await album.finish(5)
    assert shooting.sink.count("x/a1-p1.jpg") == 1


async def test_a_part_that_is_all_black_has_a_poster_all_the_same(shooting: Shooting, clip: Clip) -> None:
    album = shooting.album(clip.config)
    await shooting.show(album, clip, [0, 2000], number=0)
    await album.finish(5)
    assert report(album).poster_blob == "x/a1-p1.jpg"
    assert brightness(shooting.sink.blobs["x/a1-p1.jpg"].data) < 20


@pytest.mark.parametrize("codec", ["libx264", "libx265"])
async def test_every_picture_is_made_of_both_codecs(shooting: Shooting, codec: str) -> None:
    clip = Clip(checkers, codec=codec)
    album = shooting.album(clip.config)
    await shooting.show(album, clip, list(range(0, 70_000, 2000)), number=0)
    await album.finish(5)
    now = report(album)
    assert (now.poster_blob, now.preview_blob) == ("x/a1-p1.jpg", PREVIEW)
    assert (now.storyboard_blob, now.storyboard_track_blob) == ("x/a1-p1.storyboard.jpg", "x/a1-p1.storyboard.vtt")
    assert 3 <= shooting.sink.count(PREVIEW) <= 4
    track = shooting.sink.blobs["x/a1-p1.storyboard.vtt"]
    assert track.content_type.startswith("text/vtt")
    assert track.data.startswith(b"WEBVTT\n\n00:00:00.000 --> 00:00:06.000\na1-p1.storyboard.jpg#xywh=0,0,96,160\n")
    assert b"--> 00:01:08.000\n" in track.data
    sprite = decoded(shooting.sink.blobs["x/a1-p1.storyboard.jpg"].data)
    assert (sprite.width, sprite.height) == (960, 320)


async def test_only_keyframes_that_are_of_use_are_decoded(shooting: Shooting, clip: Clip) -> None:
    """After the first minute a look each 30 s, for all three kinds of pictures."""
    looks: list[int] = []
    develop = darkroom.Darkroom.develop

    def counted(self: Any, shot: Any) -> Any:
        looks.append(shot.at)
        return develop(self, shot)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(darkroom.Darkroom, "develop", counted)
        album = shooting.album(clip.config)
        for at in range(0, 600_000, 2000):
            album.see(Write(AudioSample(at, b"sound"), at))
            album.see(Write(VideoSample(at, 0, False, b"no keyframe"), at))
            album.see(clip.write(1, at))
            await shooting.idle()
    assert len([at for at in looks if at < 60_000]) <= 13
    assert len([at for at in looks if at >= 60_000]) <= 19


async def test_pictures_wait_for_the_parts_name(shooting: Shooting, clip: Clip) -> None:
    album = shooting.album(clip.config, named=False)
    await shooting.show(album, clip, [0, 30_000, 60_000], number=1)
    assert shooting.sink.uploads == []
    album.named(NAMES)
    await shooting.idle()
    assert shooting.sink.count("x/a1-p1.jpg") == shooting.sink.count(PREVIEW) == 1
    assert shooting.stored == 1


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda _: b"",
    "cut": lambda data: data[: len(data) // 2],
    "zeros": lambda data: bytes(len(data)),
    "ones": lambda _: b"\xff" * 5000,
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
async def test_keyframes_that_do_not_decode_are_counted_and_the_next_one_is_taken(
    shooting: Shooting, clip: Clip, damage: Callable[[bytes], bytes]
) -> None:
    album = shooting.album(clip.config)
    with capture_logs() as logs:
        for at in (0, 6000):
            album.see(Write(VideoSample(at, 0, True, damage(clip.keyframes[1])), at))
            await shooting.idle()
        await shooting.show(album, clip, [12_000], number=1)
        await album.finish(5)
    assert report(album).poster_blob is not None
    assert brightness(shooting.sink.blobs["x/a1-p1.jpg"].data) > 100
    assert [line["event"] for line in logs] == [PICTURE_FAILED, PICTURES_MISSING]
    assert logs[-1][PICTURE_FAILED] == 2


async def test_a_picture_that_would_take_too_much_memory_is_refused(
    shooting: Shooting, monkeypatch: pytest.MonkeyPatch, clip: Clip
) -> None:
    monkeypatch.setattr(keyframe, "MOST_PIXELS", WIDTH * HEIGHT // 2)
    album = shooting.album(clip.config)
    await shooting.show(album, clip, [0], number=1)
    await album.finish(5)
    assert shooting.sink.uploads == []


@pytest.mark.parametrize(
    "config", [b"", b"\x01\x64\x00\x1f\xff\xe1\x00\x00", b"\xff" * 40], ids=["none", "empty", "ones"]
)
async def test_a_configuration_that_makes_no_sense_costs_pictures_only(
    shooting: Shooting, clip: Clip, config: bytes
) -> None:
    for codec in ("avc", "hevc"):
        album = shooting.album(VideoConfig(config, codec))
        await shooting.show(album, clip, [0, 6000], number=1)
        await album.finish(5)
        assert report(album).storyboard_blob is None


async def test_storage_that_is_away_gets_the_newest_pictures_when_it_is_back(shooting: Shooting, clip: Clip) -> None:
    album = shooting.album(clip.config)
    shooting.sink.failing = Transient("away")
    with capture_logs() as logs:
        await shooting.show(album, clip, [0, 30_000, 60_000], number=1)
        assert shooting.sink.uploads == []
        shooting.sink.failing = None
        await album.finish(5)
    now = report(album)
    assert None not in (now.poster_blob, now.preview_blob, now.storyboard_blob, now.storyboard_track_blob)
    assert shooting.sink.count(PREVIEW) == 1
    assert [line["event"] for line in logs] == [PICTURE_NOT_STORED, PICTURES_MISSING]


async def test_without_the_right_to_write_pictures_there_are_none(shooting: Shooting, clip: Clip) -> None:
    shooting.sink.failing = NoGrant()
    album = shooting.album(clip.config)
    await shooting.show(album, clip, [0], number=1)
    await album.finish(5)
    assert report(album).poster_blob is None


async def test_a_decoder_that_hangs_delays_nothing_and_keyframes_do_not_pile_up(shooting: Shooting, clip: Clip) -> None:
    released = threading.Event()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(darkroom.Darkroom, "develop", lambda *_: released.wait(20))
        album = shooting.album(clip.config)
        with capture_logs() as logs:
            for at in range(0, 60_000, 2000):
                album.see(clip.write(1, at))
                await asyncio.sleep(0)
            await album.finish(0.05)
        released.set()
    assert shooting.sink.uploads == []
    (missing,) = [line for line in logs if line["event"] == PICTURES_MISSING]
    assert missing["pictures_dropped"] >= 20


async def test_a_defect_ends_the_pictures_and_nothing_else(clip: Clip) -> None:
    shooting = Shooting()
    task = asyncio.create_task(shooting.studio.run())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(darkroom.Darkroom, "develop", lambda *_: 1 / 0)
        album = shooting.album(clip.config)
        album.see(clip.write(1, 0))
        with pytest.raises(ZeroDivisionError):
            await task
    album.see(clip.write(1, 2000))
    async with asyncio.timeout(1):
        await album.finish(60)
    assert report(album).poster_blob is None


async def test_sound_alone_has_no_pictures(shooting: Shooting) -> None:
    album = shooting.album(None)
    album.see(Write(AudioSample(0, b"sound"), 0))
    await album.finish(5)
    assert shooting.sink.uploads == []


async def test_what_is_given_up_is_not_stored_any_more(shooting: Shooting, clip: Clip) -> None:
    album = shooting.album(clip.config, named=False)
    await shooting.show(album, clip, [0], number=1)
    album.give_up()
    album.named(NAMES)
    album.see(clip.write(1, 40_000))
    await shooting.idle()
    assert shooting.sink.uploads == []
