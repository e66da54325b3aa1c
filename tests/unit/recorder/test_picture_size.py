"""The picture's size is read from real encoders' parameter sets as FFmpeg reads it; nonsense is a typed error."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wentlive_common.mp4.boxes import find
from wentlive_common.mp4.movie import init_segment
from wentlive_recorder.errors import CorruptFlv, MuxFailed
from wentlive_recorder.mp4.picture import Picture, picture
from wentlive_recorder.mp4.tracks import tracks_of, video_track
from wentlive_recorder.samples import CodecId, VideoConfig

AVC = {
    "67640028acd9404403c797c044000003000400000300283c60c658": Picture(1080, 1920),
    "6764000cacd94302be22230e10000003001000000300a0f1429960": Picture(178, 322, (4, 3)),
    "67640020acd940b80a3e2223ff0007000510000003001000000300a0f1831960": Picture(722, 1282, (7, 5)),
    "67640028acd94078044fde022000000300200000030143e2c5b2c0": Picture(1920, 1080),  # interlaced
    "67f4000a919b28e2fc7c7e022000000300200000030141e244b2c0": Picture(98, 162),  # 4:4:4
    "677a000ab6cd94717e223f0110000003001000000300a0f1225960": Picture(98, 162),  # 4:2:2, 10 bit
    "6764000af3651c5f8f8fc05b2000000300200000030141e244b2c0": Picture(98, 162),  # grey
    "6742c00ad90717e22230110000030001000003000a0f122648": Picture(98, 162),  # baseline
}
HEVC = {
    "420101016000000300900000030000030078a0021c801e0596566924caf016808000000300800000030284": Picture(1080, 1920),
    "42010101600000030090000003000003003ca01720149c9265959a4932bc39a020000003002000000300a1": Picture(178, 322, (4, 3)),
    "42010102200000030090000003000003005da005b200509c92365959a49395ffe000e000ad010000030001000003000508": Picture(
        722, 1282, (7, 5)
    ),  # 10 bit, with scaling lists
    "4201020408000003009d0800000300001e0000b03480a9c93e59598acd24995e20d0100000030010000003005080": Picture(
        98, 162, (2, 1)
    ),  # 4:2:2, two temporal layers
    "4201010408000003009e0800000300001e9006901539e7cb2b349265780b404000000300400000030142": Picture(98, 162),  # 4:4:4
}


def config(sps: bytes, codec_id: CodecId) -> VideoConfig:
    sized = len(sps).to_bytes(2, "big") + sps
    if codec_id == "avc":
        return VideoConfig(b"\x01" + sps[1:4].ljust(3, b"\x00") + b"\xff\xe1" + sized + b"\x01\x00\x02\x68\xee")
    return VideoConfig(b"\x01" + bytes(20) + b"\xff\x01\xa1\x00\x01" + sized, "hevc")


@pytest.mark.parametrize(("sps", "expected"), AVC.items())
def test_h264(sps: str, expected: Picture) -> None:
    assert picture(config(bytes.fromhex(sps), "avc")) == expected


@pytest.mark.parametrize(("sps", "expected"), HEVC.items())
def test_h265(sps: str, expected: Picture) -> None:
    assert picture(config(bytes.fromhex(sps), "hevc")) == expected


def test_what_stands_behind_the_size_is_not_needed() -> None:
    cases: tuple[tuple[str, CodecId, int], ...] = ((list(AVC)[1], "avc", 11), (list(HEVC)[1], "hevc", 26))
    for sps, codec_id, needed in cases:
        size = picture(config(bytes.fromhex(sps)[:needed], codec_id))
        assert (size.width, size.height, size.aspect) == (178, 322, (1, 1))


def test_a_track_that_is_not_square_says_so_and_is_read_back() -> None:
    wide = config(bytes.fromhex(list(AVC)[1]), "avc")
    track = video_track(1, wide, picture(wide))
    assert (track.width, track.shown_width) == (178, 237)
    assert b"pasp\x00\x00\x00\x04\x00\x00\x00\x03" in track.description
    init = init_segment([track])
    assert tracks_of(init) == (track,)
    assert next(find(init, b"moov", b"trak", b"tkhd"))


@given(
    data=st.binary(max_size=60),
    known=st.sampled_from(
        [(bytes.fromhex(sps), "avc") for sps in AVC] + [(bytes.fromhex(sps), "hevc") for sps in HEVC]
    ),
    cut=st.integers(0, 60),
)
def test_any_parameter_set_has_a_size_or_is_a_typed_failure(
    data: bytes, known: tuple[bytes, CodecId], cut: int
) -> None:
    sps, codec_id = known
    for mangled in (data, sps[:cut], sps[:cut] + data, sps[:4] + data + sps[4:]):
        try:
            size = picture(config(mangled, codec_id))
        except (MuxFailed, CorruptFlv):
            continue
        assert 0 < size.width <= 16_384
        assert 0 < size.height <= 16_384
        assert min(size.aspect) > 0


@given(st.binary(max_size=80), st.sampled_from(["avc", "hevc"]))
def test_any_configuration_has_a_size_or_is_a_typed_failure(data: bytes, codec_id: CodecId) -> None:
    try:
        size = picture(VideoConfig(data, codec_id))
    except (MuxFailed, CorruptFlv):
        return
    assert size.width * size.height > 0
