"""What FLV's wrapping of codecs means, and what is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wentlive_recorder.decoder import SampleDecoder
from wentlive_recorder.errors import CorruptFlv, UnsupportedCodec
from wentlive_recorder.flv import Skipped, Tag, TagKind
from wentlive_recorder.samples import AudioConfig, AudioSample, Break, Unit, VideoConfig, VideoSample

SPS, PPS, OTHER_SPS = b"\x67\x64\x00\x1f\x11", b"\x68\x22", b"\x67\x64\x00\x28\x33\x44"
HEAD = b"\x01\x64\x00\x1f\xff"
NAL = b"\x00\x00\x00\x02\x65\x88"
VPS, HEVC_SPS, HEVC_PPS = b"\x40\x01\x0c", b"\x42\x01\x01" + bytes(range(1, 13)) + b"\xa0", b"\x44\x01\xc0"
OTHER_HEVC_SPS = b"\x42\x01\x01\x01\x60\x00\x00\x03\x00\x90\x00\x00\x03\x00\x00\x03\x00\x5d\xa0"
ENHANCED_KEY, ENHANCED_INTER = 0x90, 0xA0


def sized(unit: bytes) -> bytes:
    return len(unit).to_bytes(2, "big") + unit


def nal(*units: bytes) -> bytes:
    return b"".join(len(unit).to_bytes(4, "big") + unit for unit in units)


def avcc(sps: bytes = SPS, pps: bytes = PPS, extension: bytes = b"\xfd\xf8\xf8\x00") -> bytes:
    return HEAD[:1] + sps[1:4] + b"\xff\xe1" + sized(sps) + b"\x01" + sized(pps) + extension


def hvcc(sps: bytes = HEVC_SPS, level: bytes = bytes(range(1, 13))) -> bytes:
    sets = b"".join(
        bytes([0x80 | kind]) + b"\x00\x01" + sized(unit) for kind, unit in ((32, VPS), (33, sps), (34, HEVC_PPS))
    )
    return b"\x01" + level + b"\xf0\x00\xfc\xfd\xf8\xf8\x00\x00\x0f" + b"\x03" + sets


AVCC, HVCC = avcc(), hvcc()


def video(payload: bytes, at: int = 0) -> Tag:
    return Tag(TagKind.VIDEO, at, payload)


def audio(payload: bytes, at: int = 0) -> Tag:
    return Tag(TagKind.AUDIO, at, payload)


def header(data: bytes = AVCC) -> Tag:
    return video(b"\x17\x00\x00\x00\x00" + data)


def key(data: bytes = NAL, at: int = 0) -> Tag:
    return video(b"\x17\x01\x00\x00\x00" + data, at)


def decoded(*tags: Tag | Skipped, decoder: SampleDecoder | None = None) -> list[Unit]:
    return list((decoder or SampleDecoder()).units(tags))


def test_h264_and_aac_are_unwrapped() -> None:
    assert decoded(
        header(),
        video(b"\x17\x01\x00\x00\x42" + NAL, 7),
        video(b"\x27\x01\xff\xff\xff" + NAL, 9),
        audio(b"\xaf\x00\x12\x10"),
        audio(b"\xaf\x01abc", 5),
        Tag(TagKind.SCRIPT, 0, b"\x02"),
    ) == [
        VideoConfig(AVCC),
        VideoSample(7, 0x42, True, NAL),
        VideoSample(9, -1, False, NAL),
        AudioConfig(b"\x12\x10"),
        AudioSample(5, b"abc"),
    ]


def test_h265_is_unwrapped_in_its_legacy_and_its_enhanced_form() -> None:
    frames = [VideoSample(40, 3, True, NAL), VideoSample(80, 0, False, NAL)]
    legacy = [
        video(b"\x1c\x00\x00\x00\x00" + HVCC), video(b"\x1c\x01\x00\x00\x03" + NAL, 40),
        video(b"\x2c\x01\x00\x00\x00" + NAL, 80),
    ]  # fmt: skip
    enhanced = [
        video(b"\x90hvc1" + HVCC), video(b"\x91hvc1\x00\x00\x03" + NAL, 40), video(b"\xa3hvc1" + NAL, 80),
        video(b"\x92hvc1"), video(b"\x94hvc1\x02"), video(b"\xd0\x00"),
    ]  # fmt: skip
    assert decoded(*legacy) == decoded(*enhanced) == [VideoConfig(HVCC, "hevc"), *frames]


def test_h264_and_aac_come_in_enhanced_form_too() -> None:
    tags = [
        video(b"\x90avc1" + AVCC),
        video(b"\x93avc1" + NAL, 4),
        audio(b"\x90mp4a\x12\x10"),
        audio(b"\x91mp4aabc", 5),
    ]
    assert decoded(*tags, audio(b"\x92mp4a"), audio(b"\x95mp4a")) == [
        VideoConfig(AVCC), VideoSample(4, 0, True, NAL), AudioConfig(b"\x12\x10"), AudioSample(5, b"abc"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("tag", "named"),
    [
        (video(b"\x90av01\x01"), "av01"),
        (video(b"\x12\x00\x00\x00\x00"), "id 2"),
        (audio(b"\x2f\x01\x02"), "id 2"),
        (audio(b"\x91Opus\x02"), "Opus"),
    ],
)
def test_other_codecs_are_refused_by_name(tag: Tag, named: str) -> None:
    with pytest.raises(UnsupportedCodec, match=named):
        decoded(tag)


def test_a_codec_that_is_not_wanted_is_refused() -> None:
    with pytest.raises(UnsupportedCodec, match="h265"):
        decoded(video(b"\x90hvc1" + HVCC), decoder=SampleDecoder(["h264"]))


def test_sound_only_takes_no_notice_of_pictures() -> None:
    tags = [video(b"\x90av01\x01"), header(), key(), audio(b"\xaf\x01abc", 5)]
    assert decoded(*tags, decoder=SampleDecoder(audio_only=True)) == [AudioSample(5, b"abc")]


def test_what_was_skipped_and_damaged_frames_are_breaks() -> None:
    units = decoded(header(), Skipped(9, "Garbage."), key(NAL[:-1]), key(NAL, 40))
    assert units[1:] == [Break("Garbage."), Break("A video frame is damaged."), VideoSample(40, 0, True, NAL)]


@pytest.mark.parametrize("damaged", [b"", b"\x01\x64", AVCC[:-7], b"\x02" + AVCC[1:], HEAD + b"\xe0\x00"])
def test_a_damaged_sequence_header_is_told(damaged: bytes) -> None:
    with pytest.raises(CorruptFlv, match="sequence header"):
        decoded(header(damaged))


def test_frames_before_the_sequence_header_are_nothing() -> None:
    assert decoded(key()) == []


def test_parameter_sets_in_a_keyframe_that_are_known_change_nothing() -> None:
    assert decoded(header(), key(nal(SPS, PPS, b"\x65\x88")))[1:] == [
        VideoSample(0, 0, True, nal(SPS, PPS, b"\x65\x88"))
    ]


def test_new_parameter_sets_in_a_keyframe_are_a_new_configuration() -> None:
    frame = nal(OTHER_SPS, PPS, b"\x65\x88")
    units = decoded(header(), key(), key(frame, 40), key(frame, 80), header(), key(frame, 120))
    assert units == [
        VideoConfig(AVCC), VideoSample(0, 0, True, NAL),
        VideoConfig(avcc(OTHER_SPS)), *(VideoSample(at, 0, True, frame) for at in (40, 80, 120)),
    ]  # fmt: skip


def test_zeros_behind_a_parameter_set_are_no_change() -> None:
    padded = avcc(pps=PPS + b"\x00")
    assert decoded(header(), header(padded), key(nal(SPS, PPS + b"\x00"), 40), header()) == [
        VideoConfig(AVCC), VideoSample(40, 0, True, nal(SPS, PPS + b"\x00")),
    ]  # fmt: skip


def test_a_new_profile_drops_what_only_the_old_one_had() -> None:
    main = b"\x67\x4d\x00\x1f\x01"
    assert decoded(header(), key(nal(main, b"\x65")))[1] == VideoConfig(avcc(main, extension=b""))


def test_new_parameter_sets_of_h265_bring_their_profile_and_level() -> None:
    frame = nal(OTHER_HEVC_SPS, b"\x26\x01")
    units = decoded(video(b"\x90hvc1" + HVCC), video(b"\x93hvc1" + frame))
    level = bytes.fromhex("01600000009000000000005d")
    assert units[1] == VideoConfig(hvcc(OTHER_HEVC_SPS, level), "hevc")


def test_the_clock_goes_on_when_its_32_bits_are_over() -> None:
    start = 2**32 - 30
    tags = [header(), key(NAL, start), audio(b"\xaf\x01a", start + 20), key(NAL, 10), audio(b"\xaf\x01b", 5)]
    times = [unit.dts for unit in decoded(*tags) if isinstance(unit, VideoSample | AudioSample)]
    assert times == [start, start + 20, 2**32 + 10, 2**32 + 5]


def test_a_delay_nobody_can_mean_is_none() -> None:
    assert decoded(header(), video(b"\x17\x01\x7f\xff\xff" + NAL))[1] == VideoSample(0, 0, True, NAL)


@given(st.lists(st.builds(Tag, st.sampled_from(TagKind), st.integers(0, 99), st.binary(max_size=60)), max_size=10))
def test_arbitrary_payloads_raise_only_typed_errors(tags: list[Tag]) -> None:
    decoder = SampleDecoder()
    for tag in tags:
        try:
            list(decoder.units([tag]))
        except (CorruptFlv, UnsupportedCodec):
            continue


@given(st.sampled_from([AVCC, HVCC]), st.data())
def test_damaged_configurations_and_keyframes_raise_only_typed_errors(config: bytes, data: st.DataObject) -> None:
    prefix = b"\x90hvc1" if config is HVCC else b"\x90avc1"
    config = damaged(config, data)
    frame = damaged(nal(OTHER_SPS, PPS, OTHER_HEVC_SPS, VPS, HEVC_PPS, b"\x65\x88"), data)
    try:
        units = decoded(video(prefix + config), video(b"\x93" + prefix[1:] + frame))
    except (CorruptFlv, UnsupportedCodec):
        return
    for unit in units:
        assert not isinstance(unit, VideoConfig) or (unit.codec and unit.length_size)


def damaged(original: bytes, data: st.DataObject) -> bytes:
    changed = bytearray(original)
    for _ in range(data.draw(st.integers(0, 4))):
        changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    return bytes(changed[: data.draw(st.integers(1, len(changed)))])
