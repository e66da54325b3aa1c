"""The fragment index: written by the recorder, read by the catalog, cut anywhere."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wentlive_common.fragment_index import (
    IndexClosing,
    IndexFragment,
    InvalidFragmentIndex,
    closing_line,
    fragment_lines,
    header_line,
    make_header,
    read_index,
)

HEADER = make_header(
    b"\x00init", opened_at=datetime(2026, 11, 23, 12, tzinfo=UTC), video_codec="avc1.64001f", width=720, height=1280
)
FRAGMENTS = st.lists(
    st.builds(
        IndexFragment,
        offset=st.integers(0, 2**48),
        length=st.integers(1, 2**31),
        duration=st.floats(0, 60).map(lambda seconds: round(seconds, 6)),
    ),
    max_size=20,
).map(tuple)


@given(FRAGMENTS, st.booleans())
def test_what_was_written_is_read(fragments: tuple[IndexFragment, ...], closed: bool) -> None:
    closing = IndexClosing(bytes=123, duration=4.5) if closed else None
    data = header_line(HEADER) + fragment_lines(fragments) + (closing_line(closing) if closing else b"")
    index = read_index(data)
    assert (index.header, index.fragments, index.closing) == (HEADER, fragments, closing)
    assert index.closed is closed
    assert index.header.init_segment == b"\x00init"


@given(FRAGMENTS, st.integers(0, 200))
def test_a_line_that_was_cut_short_is_not_there_yet(fragments: tuple[IndexFragment, ...], cut: int) -> None:
    head = header_line(HEADER)
    data = head + fragment_lines(fragments)
    index = read_index(data[: max(len(head), len(data) - cut)])
    assert index.fragments == fragments[: len(index.fragments)]


@pytest.mark.parametrize(
    "data", [b"", b'{"v":1', b"{}\n", b"not json\n", header_line(HEADER) + b"[1,2]\n", header_line(HEADER) + b"{}\n"]
)
def test_anything_else_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidFragmentIndex):
        read_index(data)


def test_the_lines_are_what_the_contract_says() -> None:
    assert fragment_lines([IndexFragment(offset=1259, length=10, duration=2.0)]) == b"[1259,10,2.0]\n"
    assert closing_line(IndexClosing(bytes=7, duration=2.5)) == b'{"closed":true,"bytes":7,"duration":2.5}\n'
    assert header_line(HEADER).startswith(b'{"v":1,"init":"AGluaXQ=","video_codec":"avc1.64001f","audio_codec":null,')
