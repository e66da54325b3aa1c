"""Samples become an MP4 that plays while it grows and is standard when closed; independent readers agree."""

from collections import Counter
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wentlive_common.mp4.boxes import boxes, find
from wentlive_devkit.rig.film import has_readers, judge
from wentlive_devkit.tiktok.clip import ClipPlan, encode
from wentlive_devkit.tiktok.playout import Playout
from wentlive_devkit.tiktok.scenario import MediaScript
from wentlive_recorder.decoder import SampleDecoder
from wentlive_recorder.errors import CorruptFlv, MuxFailed
from wentlive_recorder.flv import FlvReader, Tag
from wentlive_recorder.muxer import PartMuxer
from wentlive_recorder.samples import AudioConfig, AudioSample, VideoConfig, VideoSample
from wentlive_recorder.splitter import Start, Write

SPS = bytes.fromhex("6742c00ad90717e22230110000030001000003000a0f122648")
AVCC = b"\x01\x42\xc0\x0a\xff\xe1" + len(SPS).to_bytes(2, "big") + SPS + b"\x01\x00\x04\x68\xcb\x83\xcb"
AAC = b"\x12\x10"
START = Start(VideoConfig(AVCC), AudioConfig(AAC), None)


def pictures(data: bytes) -> list[tuple[float, bytes]]:
    """When each picture is shown, and the picture."""
    with av.open(BytesIO(data), "r") as container:
        frames = container.decode(video=0)
        return [(round(frame.time, 3), b"".join(bytes(plane) for plane in frame.planes)) for frame in frames]


def sounds(data: bytes) -> list[float]:
    with av.open(BytesIO(data), "r") as container:
        return [frame.time or 0.0 for frame in container.decode(audio=0)]


def packets(data: bytes, kind: str) -> list[tuple[int, int, int, bool]]:
    """Decoding time and time to show in milliseconds, size and whether it is a key, as FFmpeg reads them."""
    with av.open(BytesIO(data), "r", format="mp4") as opened:
        container: Any = opened
        found = [packet for packet in container.demux(container.streams.get(**{kind: 0})) if packet.size]
        ticks = [float(packet.time_base * 1000) for packet in found]
        return [(round(p.dts * t), round(p.pts * t), p.size, p.is_keyframe) for p, t in zip(found, ticks, strict=True)]


def whole_and_live(muxed: Any) -> tuple[bytes, bytes]:
    return muxed.finished, muxed.live()


@pytest.fixture(scope="module")
def muxed(streams, portrait: bytes) -> Any:
    return streams.muxed(portrait)


def only(streams, flv: bytes, audio: Any) -> Any:
    """The part without the sound for whose time `audio` is false; its configuration stays."""
    tags: list[Tag] = streams.tags(flv)
    kept = [t for t in tags if t.kind == streams.video_kind or t.payload[1:2] == b"\x00" or audio(t.timestamp)]
    return streams.muxed(streams.flv(kept))


# The whole


def test_the_closed_part_is_a_standard_mp4_with_every_frame(muxed, portrait: bytes) -> None:
    assert [box.kind for box in boxes(muxed.finished)] == [b"ftyp", b"mdat", b"moov"]
    assert pictures(muxed.finished) == pictures(muxed.live()) == pictures(portrait)
    assert len(pictures(portrait)) == 240
    assert (muxed.info.width, muxed.info.height, muxed.info.audio_codec) == (96, 160, "mp4a.40.2")
    with av.open(BytesIO(muxed.finished), "r") as container:
        assert container.duration is not None
        assert container.duration / 1e6 == pytest.approx(12, abs=0.15)
        assert [(stream.type, stream.frames) for stream in container.streams] == [("video", 240), ("audio", 259)]


async def test_ffmpegs_own_programs_find_nothing_wrong(streams, muxed, portrait: bytes, tmp_path: Path) -> None:
    if not has_readers():
        pytest.skip("this machine has no ffmpeg")
    late, holed = (
        only(streams, portrait, lambda ms: ms > 2000),
        only(streams, portrait, lambda ms: not 3000 < ms < 8000),
    )
    for number, data in enumerate((*whole_and_live(muxed), *whole_and_live(late), *whole_and_live(holed))):
        path = tmp_path / f"{number}.mp4"
        path.write_bytes(data)
        await judge(path)


def test_sound_starts_and_stays_where_it_was_sent(muxed, portrait: bytes) -> None:
    for data in whole_and_live(muxed):
        assert sounds(data) == pytest.approx(sounds(portrait), abs=0.002)


def test_every_prefix_of_whole_fragments_plays(muxed) -> None:
    for count in (1, 3, len(muxed.fragments)):
        times = [time for time, _ in pictures(muxed.live(count))]
        assert times[-1] - times[0] == pytest.approx(sum(f.duration for f in muxed.fragments[:count]), abs=0.2)


def test_every_fragment_but_long_ones_can_be_sought_to(muxed) -> None:
    shown = pictures(muxed.finished)
    with av.open(BytesIO(muxed.finished), "r") as container:
        for second in (11, 3, 7):
            container.seek(second * 1_000_000 + 110_000)
            frame = next(container.decode(video=0))
            assert frame.time == pytest.approx(second + 0.1, abs=0.01)
            assert (round(frame.time, 3), b"".join(bytes(plane) for plane in frame.planes)) in shown


def test_fragments_lie_end_to_end_and_last_as_long_as_the_stream(muxed) -> None:
    assert muxed.fragments[0].offset == len(muxed.init)
    assert all(left.end == right.offset for left, right in pairwise(muxed.fragments))
    assert [fragment.duration for fragment in muxed.fragments] == pytest.approx([1.0] * 12, abs=0.001)


def test_long_groups_of_pictures_are_cut_so_that_little_is_lost(streams) -> None:
    assert max(fragment.duration for fragment in streams.muxed(streams.encode(12, gop=1000)).fragments) <= 4.2


def test_h265_is_muxed_alike() -> None:
    media = MediaScript(width=64, height=96, fps=12, gop_s=1, loop_s=8, bitrate=50_000, codec="hevc")
    playout = Playout(encode(ClipPlan(media=media, colours=("#fe2c55", "#25f4ee"), tone_hz=440), lambda: False), 7000)
    flv = playout.opening(0, audio_only=False) + playout.tags(0, playout.first_after(3000), audio_only=False)
    units = list(SampleDecoder().units(FlvReader().feed(flv)))
    config = next(unit for unit in units if isinstance(unit, VideoConfig))
    frames = [unit for unit in units if isinstance(unit, VideoSample)]
    muxer = PartMuxer(Start(config, None, frames[0]))
    fragments = [f for sample in frames for f in muxer.write(Write(sample, sample.dts - frames[0].dts))]
    last, ending = muxer.close()
    data = ending.head + b"".join(fragment.data for fragment in (*fragments, *last)) + b"".join(ending.tail)
    assert (muxer.info.width, muxer.info.height, (muxer.info.video_codec or "")[:5]) == (64, 96, "hvc1.")
    assert len(pictures(data)) == len(frames) == 36


# Tracks that come late, go and return


def test_a_stream_without_sound_is_recorded(streams) -> None:
    muxed = streams.muxed(streams.encode(3, audio=False))
    assert muxed.info.audio_codec is None
    assert sum(fragment.duration for fragment in muxed.fragments) == pytest.approx(3, abs=0.06)


def test_sound_alone_is_recorded_in_short_fragments(streams, portrait: bytes) -> None:
    muxed = streams.muxed(portrait, audio_only=True)
    assert (muxed.info.video_codec, muxed.info.width, muxed.info.audio_codec) == (None, 0, "mp4a.40.2")
    assert max(fragment.duration for fragment in muxed.fragments) <= 2.1
    assert sum(fragment.duration for fragment in muxed.fragments) == pytest.approx(12, abs=0.1)
    assert len(sounds(muxed.finished)) == len(sounds(muxed.live())) == len(sounds(portrait))


def test_sound_that_starts_late_is_heard_late(streams, portrait: bytes) -> None:
    sent = [time for time in sounds(portrait) if time > 2]
    for data in whole_and_live(only(streams, portrait, lambda ms: ms > 2000)):
        assert sounds(data) == pytest.approx(sent, abs=0.002)
        assert pictures(data) == pictures(portrait)


def test_where_sound_is_missing_there_is_silence_so_that_players_go_on(streams, portrait: bytes) -> None:
    muxed = only(streams, portrait, lambda ms: not 3000 < ms < 8000)
    for data in whole_and_live(muxed):
        assert sounds(data) == pytest.approx(sounds(portrait), abs=0.03)
    while_away = muxed.fragments[8]
    tracks = list(find(while_away.data, b"moof", b"traf"))
    assert len(tracks) == 2, "a live player waits for a track that has nothing"


def test_sound_that_never_comes_does_not_hold_the_picture_back(streams, portrait: bytes) -> None:
    muxed = only(streams, portrait, lambda ms: False)
    assert [fragment.duration for fragment in muxed.fragments] == pytest.approx([1.0] * 12, abs=0.001)
    assert sounds(muxed.finished)[0] == 0
    assert sounds(muxed.finished)[-1] == pytest.approx(12, abs=0.1)


@pytest.mark.parametrize("until_ms", [11_990, 11_900, 11_500, 9_000])
def test_sound_that_stops_early_leaves_no_hole_before_the_next_part(streams, portrait: bytes, until_ms: int) -> None:
    muxed = only(streams, portrait, lambda ms: ms < until_ms)
    for data in whole_and_live(muxed):
        assert sounds(data)[-1] + 1024 / 22050 >= 12
        assert pictures(data) == pictures(portrait)


def test_sound_that_always_comes_seconds_late_is_kept_all_but_a_little() -> None:
    """Interleaved so badly that silence was put in at first."""
    writes = [Write(VideoSample(at, 0, at % 1000 == 0, b"\x00\x00\x00\x01\x65"), at) for at in range(0, 60_000, 40)]
    late = [Write(AudioSample(round(n * 1024 / 44.1), b"\x21heard"), round(n * 1024 / 44.1)) for n in range(2580)]
    order = sorted([(w.at, w) for w in writes] + [(w.at + 5000, w) for w in late], key=lambda pair: pair[0])
    muxer = PartMuxer(START)
    data = b"".join(f.data for _, write in order for f in muxer.write(write)) + muxer.close()[0][0].data
    assert data.count(b"\x21heard") > 2580 * 0.9


def test_pictures_that_stop_leave_the_sound_running(streams, portrait: bytes) -> None:
    tags = [tag for tag in streams.tags(portrait) if tag.kind != streams.video_kind or tag.timestamp < 3000]
    muxed = streams.muxed(streams.flv(tags))
    assert max(fragment.duration for fragment in muxed.fragments) <= 5.2
    assert sum(fragment.duration for fragment in muxed.fragments) == pytest.approx(12, abs=0.2)
    assert len(sounds(muxed.finished)) == len(sounds(portrait))
    assert len(pictures(muxed.finished)) == len([tag for tag in tags if tag.kind == streams.video_kind]) - 1


def test_pictures_may_be_shown_before_they_were_due() -> None:
    keyframe = VideoSample(0, -120, True, b"\x00\x00\x00\x01\x65")
    writes = [Write(keyframe._replace(delay=delay), at) for at, delay in ((0, 80), (40, -40), (80, 0), (120, 40))]
    muxer = PartMuxer(START)
    assert [fragment for write in writes for fragment in muxer.write(write)] == []
    (fragment,), ending = muxer.close()
    data = ending.head + fragment.data + b"".join(ending.tail)
    assert [shown for _, shown, _, _ in packets(data, "video")] == [80, 0, 80, 160]


# Samples that no stream brought


@st.composite
def films(draw: st.DrawFn) -> list[Write]:
    """Pictures and sounds of any size at growing times, as the splitter gives them."""
    steps = st.lists(st.one_of(st.integers(1, 60), st.integers(1, 9000)), min_size=1, max_size=60)
    writes: list[Write] = []
    for kind in ("video", "audio"):
        at = 0
        for number, step in enumerate(draw(steps)):
            data = draw(st.binary(min_size=1, max_size=5))
            key, delay = number == 0 or draw(st.booleans()), draw(st.integers(0, 300))
            unit = (len(data) + 1).to_bytes(4, "big") + (b"\x65" if key else b"\x41") + data
            writes.append(Write(VideoSample(at, delay, key, unit) if kind == "video" else AudioSample(at, data), at))
            at += step
    return sorted(writes, key=lambda write: write.at)


@settings(max_examples=30, deadline=None)
@given(films())
def test_whatever_is_put_in_is_in_the_file(streams, writes: list[Write]) -> None:
    muxed = streams.muxed.of(START, writes)
    put = [(write.at, write.sample) for write in writes if isinstance(write.sample, VideoSample)]
    expected = [(at, at + sample.delay, len(sample.data), sample.keyframe) for at, sample in put]
    for data in whole_and_live(muxed):
        assert packets(data, "video") == expected
        heard = packets(data, "audio")
        sent = Counter(len(write.sample.data) for write in writes if isinstance(write.sample, AudioSample))
        assert not Counter(size for _, _, size, _ in heard if size != 6) - sent
        assert all(later[0] - earlier[0] >= 22 for earlier, later in pairwise(heard)), "sound overlaps itself"
    assert all(left.end == right.offset for left, right in pairwise(muxed.fragments))
    assert sum(fragment.duration for fragment in muxed.fragments) >= put[-1][0] / 1000


def test_a_fragment_is_cut_before_it_becomes_huge() -> None:
    frame = VideoSample(0, 0, False, bytes(1024 * 1024))
    muxer = PartMuxer(START)
    fragments = [fragment for at in range(0, 40, 1) for fragment in muxer.write(Write(frame, at))]
    assert max(len(fragment.data) for fragment in fragments) < 6 * 1024 * 1024


def test_times_that_do_not_grow_are_a_typed_failure() -> None:
    muxer = PartMuxer(START)
    frame = VideoSample(0, 0, True, b"\x00\x00\x00\x01\x65")
    for at in (0, 100, 100):
        muxer.write(Write(frame, at))
    with pytest.raises(MuxFailed, match="do not grow"):
        muxer.close()


def test_a_configuration_that_says_nothing_is_a_typed_failure() -> None:
    frame = VideoSample(0, 0, True, b"\x00\x00\x00\x01\x65")
    for start in (
        Start(VideoConfig(b"\x01" + bytes(10)), None, frame),
        Start(VideoConfig(AVCC[:12]), None, frame),
        Start(None, AudioConfig(b"\x17\x00"), None),
        Start(None, None, None),
    ):
        with pytest.raises((MuxFailed, CorruptFlv)):
            PartMuxer(start)
