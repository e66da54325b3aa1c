"""The FLV reader under every cut and every garbage."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wentlive_recorder.errors import CorruptFlv, NotFlv
from wentlive_recorder.flv import FlvReader, Tag, TagKind

HEADER = b"FLV\x01\x05\x00\x00\x00\x09\x00\x00\x00\x00"
TAGS = st.lists(
    st.builds(Tag, st.sampled_from(TagKind), st.integers(0, 2**32 - 1), st.binary(max_size=300)), max_size=8
)


def written(tag: Tag) -> bytes:
    size = len(tag.payload)
    stamp = (tag.timestamp & 0xFFFFFF).to_bytes(3, "big") + bytes([tag.timestamp >> 24])
    return bytes([tag.kind]) + size.to_bytes(3, "big") + stamp + bytes(3) + tag.payload + (size + 11).to_bytes(4, "big")


def read(data: bytes, cuts: list[int]) -> list[Tag]:
    reader = FlvReader()
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [tag for i in range(len(edges) - 1) for tag in reader.feed(data[edges[i] : edges[i + 1]])]


@given(TAGS, st.lists(st.integers(0, 10_000), max_size=12))
def test_any_chunking_gives_the_same_tags(tags: list[Tag], cuts: list[int]) -> None:
    assert read(HEADER + b"".join(map(written, tags)), cuts) == tags


@settings(max_examples=300)
@given(st.one_of(st.binary(max_size=200), st.binary(max_size=200).map(HEADER.__add__)), st.integers(1, 50))
def test_arbitrary_bytes_raise_only_typed_errors_and_fill_no_memory(data: bytes, step: int) -> None:
    reader = FlvReader()
    try:
        for start in range(0, len(data), step):
            list(reader.feed(data[start : start + step]))
    except (NotFlv, CorruptFlv):
        assert reader.buffered == 0
        with pytest.raises((NotFlv, CorruptFlv)):
            list(reader.feed(HEADER))
    assert reader.buffered <= len(data)


@given(TAGS)
def test_damage_comes_after_all_that_was_whole(tags: list[Tag]) -> None:
    reader = FlvReader()
    found: list[Tag] = []
    with pytest.raises(CorruptFlv):
        found.extend(reader.feed(HEADER + b"".join(map(written, tags)) + b"\x63" + bytes(14)))
    assert found == tags


def test_a_web_page_is_refused_from_its_first_byte() -> None:
    with pytest.raises(NotFlv, match="begins with '<'"):
        list(FlvReader().feed(b"<"))


def test_a_wrong_back_pointer_is_damage() -> None:
    tag = bytearray(written(Tag(TagKind.VIDEO, 0, b"abc")))
    tag[-1] ^= 1
    with pytest.raises(CorruptFlv, match="back pointer"):
        list(FlvReader().feed(HEADER + tag))


def test_an_end_inside_a_tag_is_told() -> None:
    reader = FlvReader()
    list(reader.feed(HEADER + b"\x09\x00"))
    with pytest.raises(CorruptFlv, match="middle of a tag"):
        reader.finish()


def test_an_end_before_the_header_is_no_flv() -> None:
    with pytest.raises(NotFlv, match="nothing at all"):
        FlvReader().finish()


def test_a_header_without_sound_is_told() -> None:
    reader = FlvReader()
    list(reader.feed(HEADER.replace(b"\x05", b"\x01", 1)))
    assert not reader.has_audio
