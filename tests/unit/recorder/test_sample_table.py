"""Six hours of samples stay small in memory, and come out as they went in."""

import tracemalloc
from random import Random

from hypothesis import given
from hypothesis import strategies as st
from wentlive_common.mp4.boxes import box, boxes, find, in_pieces, long_box, size_of
from wentlive_common.mp4.column import Column
from wentlive_common.mp4.run import KEY, NO_KEY, Run
from wentlive_common.mp4.sample_table import SampleTable
from wentlive_common.mp4.track import Track

MIB = 1024 * 1024
VIDEO, SOUND = Track(1, 90_000, True, "avc1", box(b"stsd")), Track(2, 44_100, False, "mp4a", box(b"stsd"))


@given(st.lists(st.lists(st.integers(0, 2**32 - 1), max_size=50), max_size=20), st.integers(0, 10_000))
def test_a_column_gives_back_what_it_got(parts: list[list[int]], more: int) -> None:
    column, wide = Column(), Column(8)
    for part in (*parts, range(more)):
        column.extend(part)
        wide.extend(number << 20 for number in part)
    expected = [number for part in (*parts, range(more)) for number in part]
    assert b"".join(column.unpacked()) == b"".join(number.to_bytes(4, "big") for number in expected)
    assert b"".join(wide.unpacked()) == b"".join((number << 20).to_bytes(8, "big") for number in expected)
    assert (len(column), len(wide), column.count) == (4 * len(expected), 8 * len(expected), len(expected))


def test_a_long_box_is_made_in_pieces() -> None:
    column = Column()
    for number in range(0, 1_000_000, 1000):
        column.extend(range(number, number + 1000))
    pieces = list(in_pieces(long_box(b"moov", [box(b"free")], long_box(b"stsz", [column]))))
    assert max(map(len, pieces)) == MIB
    data = b"".join(pieces)
    (moov,) = boxes(data)
    assert (moov.kind, moov.end) == (b"moov", len(data))
    (stsz,) = find(data, b"moov", b"stsz")
    assert stsz.end - stsz.body == len(column)


def test_an_hour_takes_about_half_a_mebibyte() -> None:
    random = Random(5)
    tables = SampleTable(VIDEO), SampleTable(SOUND)
    tracemalloc.start()
    try:
        for second in range(0, 3600, 2):
            lasting = [random.choice((2970, 2970, 3060)) for _ in range(60)]
            sizes = [40_000, *(random.randrange(3000, 12_000) for _ in range(59))]
            tables[0].add(Run(1, second * 90_000, lasting, sizes, [KEY] + [NO_KEY] * 59, [0] * 60), second * 500_000)
            heard = [random.randrange(150, 220) for _ in range(86)]
            tables[1].add(Run(2, second * 43 * 1024, [1024] * 86, heard, [KEY] * 86, [0] * 86), second * 500_000 + 9)
        assert tracemalloc.get_traced_memory()[0] < 0.6 * MIB
        stbls = [table.boxes() for table in tables]
    finally:
        tracemalloc.stop()
    assert sum(map(size_of, stbls)) > 1.4 * MIB


def test_a_fragment_that_follows_later_or_sooner_corrects_the_sample_before_it() -> None:
    table = SampleTable(SOUND)
    for start in (500, 2548, 10_000, 11_500):
        run = Run(2, start, [1024, 1024], [10, 11], [KEY, KEY], [0, 0])
        assert table.fits(run)
        table.add(run, start)
    assert not table.fits(Run(2, 12_000, [1024], [1], [KEY], [0])), "not after the last one"
    assert not table.fits(Run(2, 50_000, [0], [1], [KEY], [0])), "lasts no time"
    assert not table.fits(Run(2, 2**40, [1], [1], [KEY], [0])), "no box can say that"
    data = b"".join(in_pieces(table.boxes()))
    (times,) = find(data, b"stbl", b"stts")
    entries = [int.from_bytes(data[at : at + 4], "big") for at in range(times.body + 8, times.end, 4)]
    lasting = [entries[at + 1] for at in range(0, len(entries), 2) for _ in range(entries[at])]
    assert lasting == [1024, 1024, 1024, 10_000 - 3572, 1024, 11_500 - 11_024, 1024, 1024]
    assert [table.start, table.end] == [500, 13_548]
