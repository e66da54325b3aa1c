from io import BytesIO
from itertools import pairwise

import av
import pytest
from wentlive_devkit.tiktok import hls
from wentlive_devkit.tiktok.avatar import avatar_png
from wentlive_devkit.tiktok.clip import ClipPlan, EncodingStopped, encode
from wentlive_devkit.tiktok.flv import VIDEO
from wentlive_devkit.tiktok.playout import Playout
from wentlive_devkit.tiktok.scenario import MediaScript

BASE_MS = 123_456
LOOP_MS = 8000


@pytest.fixture(scope="module")
def playout() -> Playout:
    media = MediaScript(width=96, height=160, fps=12, gop_s=1, loop_s=8, bitrate=60_000)
    return Playout(encode(ClipPlan(media=media, colours=("#fe2c55", "#25f4ee"), tone_hz=440), lambda: False), BASE_MS)


def flv(playout: Playout, start_ms: int, end_ms: int) -> BytesIO:
    first = playout.keyframe_before(start_ms)
    end = playout.first_after(end_ms)
    return BytesIO(playout.opening(first, audio_only=False) + playout.tags(first, end, audio_only=False))


def test_the_loop_has_no_seam(playout: Playout):
    with av.open(flv(playout, 0, 3 * LOOP_MS), "r") as source:
        # Read while the container is open: a packet does not keep its stream alive.
        packets = [(packet.stream.type, packet.dts) for packet in source.demux() if packet.dts is not None]
    for kind, gap in (("video", {83, 84}), ("audio", {21, 22})):
        stamps = [stamp for of_kind, stamp in packets if of_kind == kind]
        assert stamps[0] == BASE_MS
        assert {later - earlier for earlier, later in pairwise(stamps)} == gap
        assert stamps[-1] - BASE_MS == pytest.approx(3 * LOOP_MS, abs=100)


def test_encoding_stops_when_told():
    asked = iter([False] * 20 + [True])
    plan = ClipPlan(media=MediaScript(width=96, height=160), colours=("#fe2c55", "#25f4ee"), tone_hz=440)
    with pytest.raises(EncodingStopped):
        encode(plan, lambda: next(asked))
    assert not list(asked)


def test_every_frame_of_several_loops_decodes(playout: Playout):
    with av.open(flv(playout, 0, 2 * LOOP_MS), "r") as source:
        frames = list(source.decode())
    pictures = [frame for frame in frames if isinstance(frame, av.VideoFrame)]
    assert len(pictures) == 2 * 8 * 12
    assert len(frames) - len(pictures) == 2 * 8 * 48_000 // 1024


@pytest.mark.parametrize("position", [0, 1, 999, 1000, 7999, 8000, 8001, 123_457])
def test_joining_starts_at_the_last_keyframe(playout: Playout, position: int):
    first = playout.keyframe_before(position)
    stamp, sample = next(playout.samples(first, first + 1))
    assert sample.kind == VIDEO
    assert sample.keyframe
    assert stamp - BASE_MS == position // 1000 * 1000


@pytest.mark.parametrize("position", [0, 1, 7999, 8000, 24_003])
def test_first_after_splits_the_timeline(playout: Playout, position: int):
    number = playout.first_after(position)
    later = [stamp - BASE_MS for stamp, _ in playout.samples(number, number + 5)]
    assert all(stamp >= position for stamp in later)
    if number:
        before = [stamp - BASE_MS for stamp, _ in playout.samples(number - 1, number)]
        assert before[0] < position


def test_audio_only_has_no_picture(playout: Playout):
    first = playout.keyframe_before(0)
    data = playout.opening(first, audio_only=True) + playout.tags(first, first + 300, audio_only=True)
    with av.open(BytesIO(data), "r") as source:
        assert [stream.type for stream in source.streams] == ["audio"]
        assert len(list(source.decode(audio=0))) > 100


def test_segments_follow_on_each_other(playout: Playout):
    stamps: list[int] = []
    for number in (0, 1, 2, 3):
        with av.open(BytesIO(hls.segment(playout, number)), "r", format="mpegts") as source:
            video = [packet for packet in source.demux(video=0) if packet.dts is not None]
        assert video[0].is_keyframe
        stamps += [packet.dts for packet in video if packet.dts is not None]
    assert stamps[0] == BASE_MS * 90
    assert {later - earlier for earlier, later in pairwise(stamps)} == {83 * 90, 84 * 90}


def test_the_playlist_slides():
    assert hls.playlist(3999, "") is None
    early = hls.playlist(8000, "?sign=1")
    assert early is not None
    assert early.count("#EXTINF") == 2
    assert "1.ts?sign=1" in early
    late = hls.playlist(400_000, "")
    assert late is not None
    assert "#EXT-X-MEDIA-SEQUENCE:95" in late
    assert late.count("#EXTINF") == hls.WINDOW
    assert not hls.is_available(100, 400_000)
    assert hls.is_available(99, 400_000)
    assert not hls.is_available(80, 400_000)


def test_pictures_are_png(playout: Playout):
    for png, size in ((playout.clip.cover_png, (96, 160)), (avatar_png("ada", ("#fe2c55", "#25f4ee")), (120, 120))):
        with av.open(BytesIO(png), "r", format="png_pipe") as source:
            frame = next(source.decode(video=0))
        assert (frame.width, frame.height) == size
