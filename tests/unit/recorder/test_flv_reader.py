"""The FLV reader under every cut and every garbage."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wentlive_recorder.errors import CorruptFlv, NotFlv
from wentlive_recorder.flv import FlvReader, Skipped, Tag, TagKind

HEADER = b"FLV\x01\x05\x00\x00\x00\x09\x00\x00\x00\x00"
MOST_SEARCHED = 2 * 1024 * 1024
TAGS = st.lists(
    st.builds(Tag, st.sampled_from(TagKind), st.integers(0, 2**32 - 1), st.binary(max_size=300)), max_size=8
)
PLAIN_TAGS = st.lists(
    st.builds(
        Tag,
        st.sampled_from(TagKind),
        st.integers(0, 2**32 - 1),
        st.binary(max_size=300).map(lambda payload: payload.replace(b"\x00", b"\x01")),
    ),
    min_size=1,
    max_size=8,
)
"""Tags whose payloads do not look like tags themselves."""
ONE, OTHER = Tag(TagKind.VIDEO, 40, b"one" * 9), Tag(TagKind.AUDIO, 43, b"other" * 9)


def written(tag: Tag) -> bytes:
    size = len(tag.payload)
    stamp = (tag.timestamp & 0xFFFFFF).to_bytes(3, "big") + bytes([tag.timestamp >> 24])
    return bytes([tag.kind]) + size.to_bytes(3, "big") + stamp + bytes(3) + tag.payload + (size + 11).to_bytes(4, "big")


def read(data: bytes, cuts: list[int] | None = None) -> list[Tag | Skipped]:
    reader = FlvReader()
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts or []), len(data)]
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


@given(PLAIN_TAGS, st.binary(max_size=400), PLAIN_TAGS, st.lists(st.integers(0, 9999), max_size=9))
def test_garbage_between_tags_is_skipped_counted_and_told(
    before: list[Tag], garbage: bytes, after: list[Tag], cuts: list[int]
) -> None:
    garbage = b"\x63" + garbage.replace(b"\x00", b"\x01")
    found = read(HEADER + b"".join(map(written, before)) + garbage + b"".join(map(written, after)), cuts)
    (skipped,) = [item for item in found if isinstance(item, Skipped)]
    assert found == [*before, skipped, *after]
    assert skipped.bytes == len(garbage)


@given(PLAIN_TAGS, st.integers(11, 38), st.lists(st.integers(0, 9999), max_size=9))
def test_a_tag_that_is_cut_short_costs_no_other_tag(after: list[Tag], kept: int, cuts: list[int]) -> None:
    following = [*after, ONE, ONE]
    found = read(HEADER + written(OTHER) + written(ONE)[:kept] + b"".join(map(written, following)), cuts)
    assert [found[0], *found[-len(following) :]] == [OTHER, *following]
    assert [item for item in found if isinstance(item, Skipped)] == [Skipped(kept, "A tag is damaged or cut short.")]


@pytest.mark.parametrize("kept", range(1, 11))
def test_a_tag_that_is_cut_in_its_header_costs_no_other_tag(kept: int) -> None:
    following = [OTHER, *[Tag(TagKind.VIDEO, 80, bytes(200_000))] * 6]
    found = read(HEADER + written(ONE) + written(ONE)[:kept] + b"".join(map(written, following)))
    assert [item for item in found if isinstance(item, Tag)] == [ONE, *following]


def test_a_wrong_back_pointer_is_tolerated_when_the_next_tag_is_right() -> None:
    tag = bytearray(written(ONE))
    tag[-1] ^= 1
    reader = FlvReader()
    assert list(reader.feed(HEADER + tag)) == []
    assert list(reader.feed(written(OTHER))) == [ONE, OTHER]
    assert reader.tolerated == 1


def endlessly(reader: FlvReader, garbage: bytes) -> None:
    list(reader.feed(HEADER + b"\x63"))
    while True:
        list(reader.feed(garbage))
        assert reader.buffered <= MOST_SEARCHED + len(garbage)


@pytest.mark.parametrize(
    "garbage",
    [bytes(range(256)) * 256, (b"\x09\x10\x00\x00" + bytes(7)) * 1000, bytes(50_000), b"\x09" * 50_000],
    ids=["any", "headers that promise large tags", "zeros", "kinds"],
)
def test_the_search_for_the_next_tag_is_bounded(garbage: bytes) -> None:
    reader = FlvReader()
    with pytest.raises(CorruptFlv, match=r"No FLV tag follows within \d+ bytes"):
        endlessly(reader, garbage)
    assert reader.buffered == 0


def test_a_second_file_header_begins_the_stream_anew() -> None:
    found = read(HEADER + written(ONE) + HEADER + written(OTHER), list(range(80)))
    assert found == [ONE, Skipped(0, "The stream began anew."), OTHER]


def test_a_second_file_header_in_the_middle_of_a_tag() -> None:
    script = Tag(TagKind.SCRIPT, 0, b"onMetaData")
    found = read(HEADER + written(ONE)[:20] + HEADER + written(script) + written(OTHER))
    assert [item for item in found if isinstance(item, Tag)] == [script, OTHER]


def test_an_encrypted_tag_is_named() -> None:
    (skipped, *_) = read(HEADER + b"\x29" + written(ONE)[1:] + written(ONE) + written(OTHER))
    assert skipped == Skipped(len(written(ONE)), "A tag is encrypted or damaged.")


def test_a_web_page_is_refused_from_its_first_byte() -> None:
    with pytest.raises(NotFlv, match="begins with '<'"):
        list(FlvReader().feed(b"<"))


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
