"""Samples in, `moof`+`mdat` pairs out, and the books that are kept on them until the part is over."""

from collections.abc import Iterable, Sequence
from operator import sub

from wentlive_common.mp4.movie import init_segment
from wentlive_common.mp4.run import KEY, NO_KEY, Run
from wentlive_common.mp4.sample_table import SampleTable
from wentlive_common.mp4.track import Track

from wentlive_recorder.errors import MuxFailed
from wentlive_recorder.fragment import Ending, Fragment
from wentlive_recorder.mp4.moof import MDAT_HEADER, pack_moof
from wentlive_recorder.mp4.movie import ending

_LIKELY_LONGEST = 0.25
"""Seconds; what a picture lasted longer was a hole in the stream."""
_LONGEST_LEAP = 60.0
"""Seconds that a fragment may bring a part on. The splitter begins a new part long before; damaged times do not."""


class Samples:
    """One track's samples since the last fragment."""

    def __init__(self, track: Track, usual: int) -> None:
        self.track = track
        self._usual = usual
        """How long a sample lasts when nothing follows it."""
        self._longest_usual = track.timescale * _LIKELY_LONGEST
        self._times: list[int] = []
        self._delays: list[int] = []
        self._flags: list[int] = []
        self._data: list[bytes] = []

    def add(self, time: int, data: bytes) -> None:
        """A sample that is decoded by itself and played at once."""
        self._times.append(time)
        self._data.append(data)

    def add_picture(self, time: int, data: bytes, delay: int, *, key: bool) -> None:
        self._times.append(time)
        self._data.append(data)
        self._delays.append(delay)
        self._flags.append(KEY if key else NO_KEY)

    @property
    def until(self) -> int:
        """When the newest sample is over, should nothing follow it; 0 without any since the last fragment."""
        times = self._times
        if not times:
            return 0
        if len(times) > 1 and self.track.is_video and times[-1] - times[-2] <= self._longest_usual:
            self._usual = times[-1] - times[-2]
        return times[-1] + self._usual

    def take(self, until: int | None) -> tuple[Run, list[bytes]] | None:
        """All of them, the last one lasting until the next is due; as long as usual, where that is not known."""
        times, data = self._times, self._data
        if not times:
            return None
        durations = list(map(sub, times[1:], times))
        likely_until = self.until
        durations.append((likely_until if until is None else until) - times[-1])
        sizes, count = list(map(len, data)), len(data)
        flags, delays = self._flags or [KEY] * count, self._delays or [0] * count
        run = Run(self.track.number, times[0], durations, sizes, flags, delays)
        self._times, self._delays, self._flags, self._data = [], [], [], []
        return run, data


class Books:
    """What is known of a part's fragments, in order: enough to end it."""

    def __init__(self, tracks: Iterable[Track]) -> None:
        self._tables = {track.number: SampleTable(track) for track in tracks}
        self._now = 0.0
        """Seconds of the part that are accounted for."""

    def fits(self, runs: Sequence[Run]) -> bool:
        """Whether these can be the next fragment."""
        numbers = [run.track for run in runs]
        known = len(set(numbers)) == len(numbers) > 0 and all(number in self._tables for number in numbers)
        return known and all(map(self._fits, runs))

    def add(self, runs: Sequence[Run], media: int) -> float:
        """A fragment whose media lies from `media` of the file; returns the seconds that it brings the part on."""
        ends: dict[bool, float] = {}
        for run in runs:
            table = self._tables[run.track]
            table.add(run, media)
            media += sum(run.sizes)
            ends[table.track.is_video] = run.end / table.track.timescale
        # Its pictures set the pace; where there are none (any more), its sound does.
        before, self._now = self._now, max(self._now, ends[True] if True in ends else ends[False])
        return self._now - before

    def ending(self, init: bytes, end: int) -> Ending:
        return ending(init, list(self._tables.values()), end)

    def _fits(self, run: Run) -> bool:
        table = self._tables[run.track]
        return run.end <= (self._now + _LONGEST_LEAP) * table.track.timescale and table.fits(run)


class FragmentWriter:
    """Puts fragments one behind the other."""

    def __init__(self, tracks: Sequence[Samples]) -> None:
        self.init_segment = init_segment([samples.track for samples in tracks])
        self._tracks = tracks
        self._books = Books(samples.track for samples in tracks)
        self._end = len(self.init_segment)
        self._sequence = 0

    def cut(self, video_until: int | None) -> Fragment | None:
        """A fragment of all samples, None when there are none; the last picture lasts until then, by its clock."""
        taken = [samples.take(video_until if samples.track.is_video else None) for samples in self._tracks]
        runs = [run for run, _ in filter(None, taken)]
        if not runs:
            return None
        if not self._books.fits(runs):
            raise MuxFailed("The samples' times do not grow as they must.")
        moof = pack_moof(self._sequence + 1, runs)
        media = MDAT_HEADER + sum(sum(run.sizes) for run in runs)
        header = media.to_bytes(4, "big") + b"mdat"
        seconds = self._books.add(runs, self._end + len(moof) + MDAT_HEADER)
        # Joined once: this is all the copying there is of the media.
        data = b"".join((moof, header, *(sample for _, samples in filter(None, taken) for sample in samples)))
        fragment = Fragment(self._end, seconds, data)
        self._sequence, self._end = self._sequence + 1, fragment.end
        return fragment

    def ending(self) -> Ending:
        """For all fragments that were cut."""
        return self._books.ending(self.init_segment, self._end)
