"""Whatever the network brings, from its bytes to samples: typed errors, bounded memory, well-formed parts."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from wentlive_recorder.decoder import SampleDecoder
from wentlive_recorder.errors import CorruptFlv, NotFlv, UnsupportedCodec
from wentlive_recorder.flv import FlvReader
from wentlive_recorder.samples import VideoSample
from wentlive_recorder.splitter import Action, Hole, PartLimits, PartSplitter, Start, Stop, Write

HEADER = b"FLV\x01\x05\x00\x00\x00\x09\x00\x00\x00\x00"
ERRORS = (CorruptFlv, NotFlv, UnsupportedCodec)
thorough = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)

PLACES = st.floats(0, 1, exclude_max=True)
DAMAGE = st.one_of(
    st.tuples(st.just("write"), PLACES, st.binary(min_size=1, max_size=12)),
    st.tuples(st.just("insert"), PLACES, st.binary(min_size=1, max_size=500)),
    st.tuples(st.just("insert"), PLACES, st.just(HEADER)),
    st.tuples(st.just("drop"), PLACES, st.integers(1, 5000)),
    st.tuples(st.just("repeat"), PLACES, st.integers(1, 20_000)),
)


@pytest.fixture(scope="module")
def stream(streams: Any) -> Callable[[], bytes]:
    """Three seconds, a keyframe in each; as a function, so that Hypothesis does not print it."""
    flv = streams.encode(3)
    return lambda: flv


def hurt(stream: bytes, damages: list[tuple[str, float, Any]]) -> bytes:
    for how, place, what in damages:
        at = int(place * len(stream))
        match how:
            case "write":
                stream = stream[:at] + what + stream[at + len(what) :]
            case "insert":
                stream = stream[:at] + what + stream[at:]
            case "drop":
                stream = stream[:at] + stream[at + what :]
            case _:
                stream = stream[: at + what] + stream[at:]
    return stream


def actions(data: bytes, step: int) -> tuple[list[Action], str]:
    """What the recorder would do, and how it ended."""
    reader, decoder, splitter = FlvReader(), SampleDecoder(), PartSplitter(PartLimits(duration_ms=1500))
    done: list[Action] = []
    end = "clean"
    try:
        for start in range(0, len(data), step):
            for unit in decoder.units(reader.feed(data[start : start + step])):
                done.extend(splitter.push(unit, expects_audio=reader.has_audio))
            assert reader.buffered <= len(data)
        reader.finish()
    except ERRORS as error:
        end = type(error).__name__
    done.extend(splitter.finish())
    return done, end


def parts(done: list[Action]) -> Iterator[tuple[Start, list[Write]]]:
    """The parts, each started and stopped once and with something in it."""
    start: Start | None = None
    writes: list[Write] = []
    for action in done:
        match action:
            case Start():
                assert start is None
                start, writes = action, []
            case Stop():
                assert start is not None
                yield start, writes
                start = None
            case Hole(milliseconds):
                assert writes
                assert milliseconds >= 0
            case _:
                assert start is not None
                writes.append(action)
    assert start is None


def check(done: list[Action]) -> None:
    for start, writes in parts(done):
        assert start.video is not None
        assert (writes[0].sample, writes[0].at) == (start.keyframe, 0)
        for kind in {type(write.sample) for write in writes}:
            times = [write.at for write in writes if type(write.sample) is kind]
            assert times == sorted(set(times))
            assert kind is VideoSample or start.audio is not None
        pictures = [write.sample for write in writes if isinstance(write.sample, VideoSample)]
        assert all(adds_up(picture.data, start.video.length_size) for picture in pictures)


def adds_up(frame: bytes, width: int) -> bool:
    while frame:
        size = width + int.from_bytes(frame[:width], "big")
        if size > len(frame):
            return False
        frame = frame[size:]
    return True


@thorough
@given(damages=st.lists(DAMAGE, min_size=1, max_size=5), step=st.integers(20, 30_000))
def test_a_damaged_stream_makes_well_formed_parts(stream: Callable[[], bytes], damages: list[Any], step: int) -> None:
    done, _ = actions(hurt(stream(), damages), step)
    check(done)


@thorough
@given(damages=st.lists(DAMAGE, max_size=3), step=st.integers(20, 3000))
def test_any_chunking_comes_to_the_same(stream: Callable[[], bytes], damages: list[Any], step: int) -> None:
    damaged = hurt(stream(), damages)
    in_pieces, at_once = actions(damaged, step), actions(damaged, len(damaged) or 1)
    assert in_pieces == at_once


@thorough
@given(tail=st.binary(max_size=300), head=st.sampled_from([b"", HEADER]), step=st.integers(1, 64))
def test_arbitrary_bytes_end_in_a_typed_error_or_nothing(tail: bytes, head: bytes, step: int) -> None:
    done, end = actions(head + tail, step)
    assert (done, end) == ([], end)


def test_an_undamaged_stream_is_all_there(stream: Callable[[], bytes]) -> None:
    done, end = actions(stream(), 1000)
    assert end == "clean"
    written = [write for _, writes in parts(done) for write in writes]
    assert sum(isinstance(write.sample, VideoSample) for write in written) == 60
