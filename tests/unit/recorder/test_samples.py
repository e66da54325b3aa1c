"""What FLV's wrapping of codecs means, and what is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wentlive_recorder.errors import CorruptFlv, UnsupportedCodec
from wentlive_recorder.flv import Tag, TagKind
from wentlive_recorder.samples import AudioConfig, AudioSample, SampleDecoder, VideoConfig, VideoSample

AVCC = b"\x01\x64\x00\x1f\xff\xe1\x00\x00\x01\x00\x00"
NAL = b"\x00\x00\x00\x02\x65\x88"


def video(payload: bytes, at: int = 0) -> Tag:
    return Tag(TagKind.VIDEO, at, payload)


def test_h264_and_aac_are_unwrapped() -> None:
    decoder = SampleDecoder()
    assert decoder.decode(video(b"\x17\x00\x00\x00\x00" + AVCC)) == VideoConfig(AVCC)
    assert decoder.decode(video(b"\x17\x01\x00\x00\x42" + NAL, 7)) == VideoSample(7, 0x42, True, NAL)
    assert decoder.decode(video(b"\x27\x01\xff\xff\xff" + NAL, 9)) == VideoSample(9, -1, False, NAL)
    assert decoder.decode(Tag(TagKind.AUDIO, 0, b"\xaf\x00\x12\x10")) == AudioConfig(b"\x12\x10")
    assert decoder.decode(Tag(TagKind.AUDIO, 5, b"\xaf\x01abc")) == AudioSample(5, b"abc")
    assert decoder.decode(Tag(TagKind.SCRIPT, 0, b"\x02")) is None


def test_codecs_have_their_rfc_6381_names() -> None:
    assert VideoConfig(AVCC).codec == "avc1.64001f"
    assert AudioConfig(b"\x12\x10").codec == "mp4a.40.2"
    assert AudioConfig(b"\xf8\xe0").codec == "mp4a.40.39"


@pytest.mark.parametrize(
    ("payload", "named"),
    [
        (b"\x1c\x00\x00\x00\x00\x01", "H.265"),
        (b"\x90hvc1\x01", "hvc1"),
        (b"\x90av01\x01", "av01"),
        (b"\x12\x00\x00\x00\x00", "id 2"),
    ],
)
def test_other_video_codecs_are_refused_by_name(payload: bytes, named: str) -> None:
    with pytest.raises(UnsupportedCodec, match=named):
        SampleDecoder().decode(video(payload))


def test_other_audio_codecs_are_refused() -> None:
    with pytest.raises(UnsupportedCodec, match="id 2"):
        SampleDecoder().decode(Tag(TagKind.AUDIO, 0, b"\x2f\x01\x02"))


def test_a_frame_whose_units_do_not_add_up_is_damage() -> None:
    decoder = SampleDecoder()
    decoder.decode(video(b"\x17\x00\x00\x00\x00" + AVCC))
    with pytest.raises(CorruptFlv, match="NAL units"):
        decoder.decode(video(b"\x17\x01\x00\x00\x00" + NAL[:-1]))


def test_frames_before_the_sequence_header_are_nothing() -> None:
    assert SampleDecoder().decode(video(b"\x17\x01\x00\x00\x00" + NAL)) is None


@given(st.lists(st.builds(Tag, st.sampled_from(TagKind), st.integers(0, 99), st.binary(max_size=40)), max_size=10))
def test_arbitrary_payloads_raise_only_typed_errors(tags: list[Tag]) -> None:
    decoder = SampleDecoder()
    for tag in tags:
        try:
            decoder.decode(tag)
        except (CorruptFlv, UnsupportedCodec):
            continue
