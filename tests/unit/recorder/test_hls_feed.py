"""HLS as an input: the same units as over FLV, and what is missing said."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from wentlive_recorder.decoder import SampleDecoder
from wentlive_recorder.errors import CorruptHls, NotHls, StreamGone, StreamStalled, StreamUnreachable
from wentlive_recorder.flv import FlvReader
from wentlive_recorder.hls.feed import HlsFeed, HlsPlaces
from wentlive_recorder.hls.segment import segment_as_flv
from wentlive_recorder.samples import AudioConfig, AudioSample, Break, Unit, VideoConfig, VideoSample
from wentlive_recorder.testing import FakeStreamSource

INDEX = "https://cdn/live/index.m3u8"
SIGNED = INDEX + "?sign=1"
SECONDS = 4


class SteppedClock:
    """Time that passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.passed = 0.0

    def now(self) -> datetime:
        return datetime(2026, 11, 23, tzinfo=UTC) + timedelta(seconds=self.passed)

    def monotonic(self) -> float:
        return self.passed

    async def sleep(self, seconds: float) -> None:
        self.passed += seconds


@pytest.fixture(scope="module")
def transport(portrait: bytes, streams: Any) -> list[bytes]:
    """The portrait clip as MPEG-TS segments of four seconds."""
    tags = streams.tags(portrait)
    opening, media = tags[:3], tags[3:]
    return [
        streams.remuxed(
            streams.flv(opening + [tag for tag in media if min(tag.timestamp // 4000, 2) == number]), "mpegts"
        )
        for number in range(3)
    ]


@pytest.fixture(scope="module")
def fragmented(portrait: bytes, streams: Any) -> tuple[bytes, list[bytes]]:
    """The portrait clip as an init segment and fMP4 segments of a second."""
    whole = streams.remuxed(portrait, "mp4")
    starts = [match.start() - 4 for match in re.finditer(b"moof", whole)]
    return whole[: starts[0]], [whole[left:right] for left, right in pairwise([*starts, whole.rindex(b"mfra") - 4])]


def playlist(numbers: range, *, ended: bool = False, extra: dict[int, str] | None = None, init: str = "") -> bytes:
    lines = ["#EXTM3U", f"#EXT-X-TARGETDURATION:{SECONDS}", f"#EXT-X-MEDIA-SEQUENCE:{numbers.start}", init]
    for number in numbers:
        lines += [(extra or {}).get(number, ""), f"#EXTINF:{SECONDS},", f"{number}.ts"]
    return "\n".join([*lines, "#EXT-X-ENDLIST" if ended else ""]).encode()


class Live:
    """An HLS live over fakes."""

    def __init__(self, segments: list[bytes], first: int = 0) -> None:
        self.streams, self.clock, self.places = FakeStreamSource(), SteppedClock(), HlsPlaces()
        for number, segment in enumerate(segments, first):
            self.streams.script_file(f"https://cdn/live/{number}.ts", segment)

    def says(self, *playlists: bytes | Exception) -> None:
        self.streams.script_file(SIGNED, *playlists)

    def feed(self, url: str = SIGNED, away: float | None = None) -> HlsFeed:
        return HlsFeed(self.streams, url, SampleDecoder(), self.places, self.clock, 20.0, away)

    async def units(self) -> list[Unit]:
        return [unit async for units in self.feed() for unit in units]


def over_flv(flv: bytes) -> list[Unit]:
    return list(SampleDecoder().units(FlvReader().feed(flv)))


def count(units: list[Unit], kind: type) -> int:
    return sum(isinstance(unit, kind) for unit in units)


def times(units: list[Unit], kind: Callable[..., Any]) -> list[int]:
    return [unit.dts for unit in units if isinstance(unit, VideoSample | AudioSample) and type(unit) is kind]


async def test_transport_segments_give_the_units_that_flv_gives(transport: list[bytes], portrait: bytes) -> None:
    live = Live(transport)
    live.says(playlist(range(2)), playlist(range(2)), playlist(range(3)), playlist(range(3), ended=True))
    units, straight = await live.units(), over_flv(portrait)
    for kind in (VideoSample, AudioSample):
        assert len(times(units, kind)) == len(times(straight, kind))
        shift = times(units, kind)[0] - times(straight, kind)[0]
        assert all(abs(a - b - shift) <= 1 for a, b in zip(times(units, kind), times(straight, kind), strict=True))
    assert [u.keyframe for u in units if isinstance(u, VideoSample)] == [
        u.keyframe for u in straight if isinstance(u, VideoSample)
    ]
    assert (count(units, VideoConfig), count(units, Break)) == (1, 0)
    (sound,) = {unit for unit in units if isinstance(unit, AudioConfig)}
    assert sound == next(unit._replace(data=unit.data[:2]) for unit in straight if isinstance(unit, AudioConfig))


async def test_fmp4_segments_give_the_very_frames(fragmented: tuple[bytes, list[bytes]], portrait: bytes) -> None:
    init, segments = fragmented
    live = Live(segments)
    live.streams.script_file("https://cdn/live/init.mp4", init)
    live.says(playlist(range(len(segments)), ended=True, init='#EXT-X-MAP:URI="init.mp4"'))
    live.places.reached(SIGNED, -1)
    units = await live.units()
    assert [u for u in units if isinstance(u, VideoSample | VideoConfig)] == [
        u for u in over_flv(portrait) if isinstance(u, VideoSample | VideoConfig)
    ]
    assert live.streams.fetched.count("https://cdn/live/init.mp4") == 1


async def test_it_joins_near_the_end_and_goes_on_where_it_was(transport: list[bytes]) -> None:
    live = Live(transport * 3)
    live.says(playlist(range(6), ended=True))
    assert live.streams.fetched == []
    await live.units()
    assert live.streams.fetched[1:] == [f"https://cdn/live/{number}.ts" for number in (3, 4, 5)]
    live.streams.fetched.clear()
    live.streams.script_file(INDEX + "?sign=2", playlist(range(4, 8), ended=True))
    async for _ in live.feed(INDEX + "?sign=2"):
        pass
    assert live.streams.fetched[1:] == [f"https://cdn/live/{number}.ts" for number in (6, 7)]


@pytest.mark.parametrize(("away", "numbers"), [(0.5, [5]), (4.5, [4, 5]), (9.0, [3, 4, 5]), (600.0, [*range(6)])])
async def test_it_joins_where_the_recording_stopped(transport: list[bytes], away: float, numbers: list[int]) -> None:
    live = Live(transport * 3)
    live.says(playlist(range(6), ended=True))
    async for _ in live.feed(away=away):
        pass
    assert live.streams.fetched[1:] == [f"https://cdn/live/{number}.ts" for number in numbers]


async def test_a_master_playlist_leads_to_its_best_stream(transport: list[bytes]) -> None:
    live = Live(transport)
    live.says(b"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nld.m3u8\n#EXT-X-STREAM-INF:BANDWIDTH=9\nhd.m3u8\n")
    live.streams.script_file("https://cdn/live/hd.m3u8", playlist(range(3), ended=True))
    assert count(await live.units(), VideoSample) == 240


async def test_what_is_missing_is_a_break_each(transport: list[bytes]) -> None:
    live = Live(transport, first=10)
    live.streams.script_file("https://cdn/live/11.ts", b"no media at all")
    live.streams.script_file("https://cdn/live/17.ts", transport[0])
    gap = {16: "#EXT-X-GAP"}
    live.says(playlist(range(10, 13)), playlist(range(15, 18), ended=True, extra=gap))
    breaks = [unit.why for unit in await live.units() if isinstance(unit, Break)]
    assert [why[:24] for why in breaks] == [
        "An HLS segment is missin", "2 HLS segments were gone", "An HLS segment is missin", "An HLS segment is missin",
    ]  # fmt: skip
    assert live.streams.fetched.count("https://cdn/live/15.ts") == 3
    assert "https://cdn/live/16.ts" not in live.streams.fetched


async def test_a_discontinuity_and_numbers_that_begin_anew_have_a_new_clock(transport: list[bytes]) -> None:
    live = Live([*transport, transport[0]])
    live.streams.script_file("https://cdn/live/50.ts", transport[0])
    live.places.reached(SIGNED, 49)
    turned = {2: "#EXT-X-DISCONTINUITY"}
    live.says(playlist(range(50, 51)), playlist(range(48, 50)), playlist(range(3), ended=True, extra=turned))
    breaks = [unit for unit in await live.units() if isinstance(unit, Break)]
    assert [unit.new_clock for unit in breaks] == [True, True]


async def test_trouble_with_the_playlist_that_passes_is_waited_out(transport: list[bytes]) -> None:
    live = Live(transport)
    live.says(playlist(range(1)), StreamUnreachable(), StreamUnreachable(), playlist(range(3), ended=True))
    units = await live.units()
    assert (count(units, VideoSample), count(units, Break)) == (240, 0)


async def test_a_playlist_that_stands_still_is_a_stall(transport: list[bytes]) -> None:
    live = Live(transport)
    live.says(playlist(range(1)))
    with pytest.raises(StreamStalled):
        await live.units()
    assert 20 < live.clock.passed < 30


async def test_many_bad_segments_in_a_row_end_it(transport: list[bytes]) -> None:
    live = Live([transport[0], *[b"rubbish"] * 6])
    live.places.reached(SIGNED, -1)
    live.says(playlist(range(7)))
    with pytest.raises(CorruptHls, match="5 HLS segments in a row"):
        await live.units()


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (StreamGone(), StreamGone),
        (b"<html>", NotHls),
        (b"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n?sign=1", NotHls),
    ],
)
async def test_no_playlist_is_told_apart(answer: bytes | Exception, error: type[Exception]) -> None:
    live = Live([])
    live.says(answer)
    with pytest.raises(error):
        await live.units()


async def test_the_transport_clock_goes_on_after_26_hours(
    transport: list[bytes], streams: Any, portrait: bytes
) -> None:
    tags = streams.tags(portrait)
    wrap = (1 << 33) // 90
    before = [tag._replace(timestamp=tag.timestamp + wrap - 4000) for tag in tags if tag.timestamp < 3900]
    live = Live([streams.remuxed(streams.flv(before), "mpegts"), transport[0]])
    live.says(playlist(range(2), ended=True))
    steps = [b - a for a, b in pairwise(times(await live.units(), VideoSample))]
    assert max(steps) < 3000
    assert min(steps) > 0


@pytest.mark.parametrize("damage", [0.1, 0.5, 0.9])
def test_a_damaged_segment_is_read_as_far_as_it_goes_or_refused(transport: list[bytes], damage: float) -> None:
    cut = transport[0][: int(len(transport[0]) * damage)]
    assert segment_as_flv(cut, None).startswith(b"FLV")
    with pytest.raises(CorruptHls):
        segment_as_flv(cut[100:110], None)
