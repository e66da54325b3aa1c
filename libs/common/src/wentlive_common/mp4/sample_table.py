"""All samples of a track, as `stbl` lists them: grown with each fragment, kept packed until the part is over."""

from collections.abc import Sequence
from itertools import groupby

from wentlive_common.mp4.boxes import Piece, long_box, size_of
from wentlive_common.mp4.column import Column
from wentlive_common.mp4.run import KEY, Run
from wentlive_common.mp4.track import Track

_WORD = 0xFFFFFFFF


class SampleTable:
    """Takes fragments in order. A fragment that follows later or sooner than the last sample said corrects it."""

    def __init__(self, track: Track) -> None:
        self.track = track
        self.start: int | None = None
        """When the first sample is decoded, by the track's clock."""
        self.end = 0
        self._times, self._delays = _Repeated(), _Repeated()
        self._sizes, self._keys, self._chunks, self._offsets = Column(), Column(), Column(), Column(8)
        self._chunk_length = 0
        self._shown_until = 0

    def fits(self, run: Run) -> bool:
        """Whether a run's times grow, and from the last sample's on, and never further than 32 bits can say."""
        last = run.start - self.end + self._times.last
        return min(run.durations) > 0 and (self.start is None or 0 < last <= _WORD)

    def add(self, run: Run, offset: int) -> None:
        """The samples of a run that fits, which lie end to end from `offset` of the file."""
        if self.start is None:
            self.start = run.start
        elif run.start != self.end:
            self._times.change_last(run.start - self.end)
        self.end = run.end
        self._shown_until = max(self._shown_until, self.end + max(run.delays))
        self._times.add(run.durations)
        self._delays.add(run.delays)
        known = self._sizes.count
        self._sizes.extend(run.sizes)
        if self.track.is_video:
            self._keys.extend([known + number for number, flags in enumerate(run.flags, 1) if flags == KEY])
        if len(run.sizes) != self._chunk_length:
            self._chunk_length = len(run.sizes)
            self._chunks.extend((self._offsets.count + 1, self._chunk_length, 1))
        self._offsets.extend((offset,))

    @property
    def duration(self) -> int:
        """Of the samples, by the track's clock."""
        return self.end - (self.start or 0)

    @property
    def shown(self) -> int:
        """From the first sample's time until nothing is shown any more, by the track's clock."""
        return self._shown_until - (self.start or 0)

    def boxes(self) -> list[Piece]:
        """The whole `stbl`."""
        tables = [_listed(b"stts", 0, self._times.entries(), 8)]
        if self._delays.ever_set:
            tables.append(_listed(b"ctts", 1, self._delays.entries(), 8))
        if self.track.is_video and self._keys.count != self._sizes.count:
            tables.append(_listed(b"stss", 0, [self._keys], 4))
        tables.append(_listed(b"stsc", 0, [self._chunks], 12))
        tables.append(long_box(b"stsz", [bytes(8) + _number(self._sizes.count), self._sizes]))
        tables.append(_listed(b"co64", 0, [self._offsets], 8))
        return long_box(b"stbl", [self.track.description], *tables)


class _Repeated:
    """Numbers of which many are alike in a row, as `stts` and `ctts` count them."""

    def __init__(self) -> None:
        self._column = Column()
        self._count = 0
        self.last = 0
        self.ever_set = False

    def add(self, values: Sequence[int]) -> None:
        if min(values) == max(values):
            self._add(values[0], len(values))
            return
        for value, group in groupby(values):
            self._add(value, len(list(group)))

    def change_last(self, by: int) -> None:
        self._count -= 1
        self._add(self.last + by, 1)

    def entries(self) -> list[Piece]:
        """All of them; more may be added afterwards."""
        return [self._column, _number(self._count) + _number(self.last & _WORD)]

    def _add(self, value: int, count: int) -> None:
        if value == self.last and self._count:
            self._count += count
            return
        if self._count:
            self._column.extend((self._count, self.last & _WORD))
        self._count, self.last = count, value
        self.ever_set = self.ever_set or value != 0


def _number(value: int) -> bytes:
    return value.to_bytes(4, "big")


def _listed(kind: bytes, version: int, entries: Sequence[Piece], width: int) -> list[Piece]:
    head = bytes([version, 0, 0, 0]) + _number(size_of(entries) // width)
    return long_box(kind, [head], entries)
