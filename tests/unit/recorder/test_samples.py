"""What codec configurations say of themselves."""

from wentlive_recorder.samples import AudioConfig, VideoConfig

AVCC = b"\x01\x64\x00\x1f\xff\xe1\x00\x01\x67\x01\x00\x01\x68"
HVCC = bytes.fromhex("0101600000009000000000005df000fcfdf8f800000f00")


def test_codecs_have_their_rfc_6381_names() -> None:
    assert VideoConfig(AVCC).codec == "avc1.64001f"
    assert VideoConfig(HVCC, "hevc").codec == "hvc1.1.6.L93.90"
    assert VideoConfig(b"\x01\x21\x60" + HVCC[3:], "hevc").codec == "hvc1.1.6.H93.90"
    assert AudioConfig(b"\x12\x10").codec == "mp4a.40.2"
    assert AudioConfig(b"\xf8\xe0").codec == "mp4a.40.39"


def test_both_records_tell_how_long_a_length_is() -> None:
    assert VideoConfig(AVCC).length_size == 4
    assert VideoConfig(HVCC, "hevc").length_size == 4
    assert VideoConfig(AVCC[:4] + b"\xfd" + AVCC[5:]).length_size == 2
