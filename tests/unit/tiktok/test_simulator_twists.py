from array import array
from io import BytesIO
from itertools import pairwise

import av
import pytest
from pydantic import ValidationError
from wentlive_devkit.tiktok import BurstTurn, ClockTurn, FormatTurn, LiveScript, MuteTurn, hls
from wentlive_devkit.tiktok.clip import Clip, ClipPlan, encode
from wentlive_devkit.tiktok.flv import AUDIO, VIDEO, tag
from wentlive_devkit.tiktok.playout import Playout
from wentlive_devkit.tiktok.scenario import MediaScript

BASE_MS = 123_456
MEDIA = MediaScript(width=96, height=160, fps=12, gop_s=2, loop_s=8, bitrate=60_000)


def clip(**media: object) -> Clip:
    plan = ClipPlan(media=MEDIA.model_copy(update=media), colours=("#fe2c55", "#25f4ee"), tone_hz=440)
    return encode(plan, lambda: False)


@pytest.fixture(scope="module")
def plain() -> Clip:
    return clip()


@pytest.fixture(scope="module")
def hevc() -> Clip:
    return clip(codec="hevc")


def sent(playout: Playout, start_ms: int, end_ms: int) -> bytes:
    return playout.tags(playout.first_after(start_ms), playout.first_after(end_ms), audio_only=False)


def stream(playout: Playout, start_ms: int, end_ms: int) -> BytesIO:
    return BytesIO(playout.opening(playout.first_after(start_ms), audio_only=False) + sent(playout, start_ms, end_ms))


def stamps(playout: Playout, kind: int, start_ms: int, end_ms: int) -> list[int]:
    samples = playout.samples(playout.first_after(start_ms), playout.first_after(end_ms))
    return [stamp - BASE_MS for stamp, sample in samples if sample.kind == kind]


def test_the_picture_flashes_when_the_sound_beeps(plain: Clip):
    flashes: list[float] = []
    beeps: list[float] = []
    with av.open(stream(Playout(plain, 0), 0, 8000), "r") as source:
        for frame in source.decode():
            if isinstance(frame, av.VideoFrame):
                bright = memoryview(frame.planes[0])[4 * frame.planes[0].line_size + 4] > 128
                flashes += [float(frame.time)] if bright else []
            else:
                sound = array("f", bytes(frame.planes[0])[: 4 * frame.samples])
                beeps += [frame.time + n / frame.sample_rate for n, sample in enumerate(sound) if abs(sample) > 0.18]
    first_flashes, first_beeps = ({round(moment): moment for moment in reversed(one)} for one in (flashes, beeps))
    for second in range(1, 8):
        assert first_flashes[second] == pytest.approx(second, abs=0.001)
        assert first_beeps[second] == pytest.approx(second, abs=0.005)


def test_h265_comes_as_enhanced_flv(hevc: Clip):
    with av.open(stream(Playout(hevc, BASE_MS), 0, 8000), "r") as source:
        assert source.streams.video[0].codec_context.name == "hevc"
        pictures = list(source.decode(video=0))
    assert len(pictures) == 8 * 12
    assert (pictures[0].width, pictures[0].height) == (96, 160)


def test_h265_comes_under_the_legacy_id_with_the_same_content(hevc: Clip):
    legacy = clip(codec="hevc_legacy")
    assert (legacy.video_header[:2], hevc.video_header[:5]) == (b"\x1c\x00", b"\x90hvc1")
    assert legacy.video_header[5:] == hevc.video_header[5:]
    for ours, theirs in zip(legacy.samples, hevc.samples, strict=True):
        if ours.kind == VIDEO:
            assert ours.body[0] == (0x1C if ours.keyframe else 0x2C)
            assert ours.body[5:] == theirs.body[5:]


def test_another_format_begins_at_a_keyframe_with_its_own_header(plain: Clip, hevc: Clip):
    turn = FormatTurn(at_s=2.5, codec="hevc")
    playout = Playout(plain, BASE_MS, (turn,), [hevc])
    switch = playout.first_after(4000)
    assert tag(VIDEO, BASE_MS + 4000, hevc.video_header) in sent(playout, 3000, 5000)
    assert hevc.video_header not in sent(playout, 0, 4000)
    # Wherever pieces are cut, the header comes once.
    for middle in range(switch - 2, switch + 3):
        pieces = playout.tags(0, middle, audio_only=False) + playout.tags(middle, switch + 50, audio_only=False)
        assert pieces == playout.tags(0, switch + 50, audio_only=False)
    assert playout.opening(switch, audio_only=False).count(hevc.video_header) == 1
    assert [turned for _, _, turned in playout.runs(0, switch + 50)] == [False, True]


def test_a_clock_jumps_anywhere_and_begins_anew_at_a_keyframe(plain: Clip):
    playout = Playout(plain, BASE_MS, (ClockTurn(at_s=1, by_ms=700), ClockTurn(at_s=4.5, to_ms=0)))
    assert stamps(playout, VIDEO, 900, 1100) == [916, 1700, 1783]
    after = stamps(playout, VIDEO, 5900, 6100)
    assert [stamp + BASE_MS for stamp in after][1:] == [0, 83]
    assert after[0] == 6616
    assert sent(playout, 5000, 6500).count(plain.video_header) == 1


def test_sound_is_left_out_for_a_while(plain: Clip):
    playout = Playout(plain, BASE_MS, (MuteTurn(at_s=1, for_s=2),))
    sounds = stamps(playout, AUDIO, 0, 5000)
    assert max(later - earlier for earlier, later in pairwise(sounds)) == pytest.approx(2000, abs=50)
    assert len(stamps(playout, VIDEO, 0, 5000)) == 5 * 12


@pytest.mark.parametrize("codec", ["h264", "hevc"])
def test_a_burst_is_large_and_decodes(codec: str, plain: Clip, hevc: Clip):
    quiet = {"h264": plain, "hevc": hevc}[codec]
    playout = Playout(quiet, BASE_MS, (BurstTurn(at_s=2, for_s=2, times=20),))
    assert len(sent(playout, 2000, 4000)) > 5 * len(sent(playout, 0, 2000))
    assert sent(playout, 4000, 6000) == sent(Playout(quiet, BASE_MS), 4000, 6000)
    with av.open(stream(playout, 0, 6000), "r") as source:
        assert len(list(source.decode(video=0))) == 6 * 12


def test_fragmented_segments_follow_on_each_other(hevc: Clip):
    playout = Playout(hevc, BASE_MS)
    init = hls.init_segment(playout)
    assert b"moof" not in init
    times: list[float] = []
    for number in range(3):
        segment = hls.segment(playout, number, container="m4s", until_ms=9000 if number == 2 else None)
        with av.open(BytesIO(init + segment), "r") as source:
            times += [float(packet.dts * packet.time_base) for packet in source.demux(video=0) if packet.dts]
    assert times[0] == pytest.approx(BASE_MS / 1000, abs=0.001)
    assert len(times) == 9 * 12
    assert max(later - earlier for earlier, later in pairwise(times)) < 0.1


def test_the_last_segment_is_short_and_ends_the_playlist():
    text = hls.playlist(9000, "?s", container="m4s", over=True)
    assert text is not None
    assert '#EXT-X-MAP:URI="init.mp4?s"' in text
    assert text.endswith("#EXTINF:1.000,\n2.m4s?s\n#EXT-X-ENDLIST\n")
    assert hls.is_available(2, 9000, over=True)
    assert not hls.is_available(2, 9000)


def test_a_clock_turns_one_way_or_the_other():
    for wrong in ({}, {"by_ms": 1, "to_ms": 1}):
        with pytest.raises(ValidationError, match="either"):
            LiveScript.model_validate({"turns": [{"how": "clock", "at_s": 1, **wrong}]})
