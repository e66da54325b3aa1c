"""Sound stays with its stamps for hours, whatever they do, and without a hole that a browser would play away."""

from collections.abc import Callable
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wentlive_recorder.errors import MuxFailed
from wentlive_recorder.mp4.aac import Sound, sound
from wentlive_recorder.mp4.audio_clock import AudioClock
from wentlive_recorder.samples import AudioConfig

FRAME = 1024
LONG = 1200


class Played:
    """What a clock makes of a stream of frames with these stamps."""

    def __init__(self, rate: int, frames: int, stamp: Callable[[float], float], *, lost: range = range(0)) -> None:
        clock, self.rate = AudioClock(Sound(rate, 2, FRAME, b"silence")), rate
        self.ticks: list[int] = []
        """Of every frame, silent ones too."""
        self.errors: list[float] = []
        """Milliseconds between each frame and its stamp."""
        self.silent = self.left_out = 0
        for number in range(frames):
            if number in lost:
                continue
            at = round(stamp(number * FRAME * 1000 / rate))
            placed = clock.place(at)
            if placed is None:
                self.left_out += 1
                continue
            tick, silent = placed
            self.silent += silent
            self.ticks += [tick - FRAME * back for back in range(silent, -1, -1)]
            self.errors.append(abs(tick * 1000 / rate - at))


@pytest.mark.parametrize("rate", [48_000, 44_100, 32_000, 22_050, 16_000])
def test_exact_stamps_are_followed_to_the_millisecond(rate: int) -> None:
    played = Played(rate, LONG * rate // FRAME, lambda ms: ms)
    assert (played.silent, played.left_out) == (0, 0)
    assert max(played.errors) <= 1


@pytest.mark.parametrize("rate", [48_000, 44_100, 22_050])
@pytest.mark.parametrize("drift", [0.0002, -0.0002, 0.002, -0.002])
def test_a_clock_that_runs_wrong_is_put_right_a_frame_at_a_time(rate: int, drift: float) -> None:
    played = Played(rate, LONG * rate // FRAME, lambda ms: ms * (1 + drift))
    assert max(played.errors) <= 30
    expected = LONG * abs(drift) * rate / FRAME
    assert (played.silent if drift > 0 else played.left_out) == pytest.approx(expected, abs=2)
    assert min(played.silent, played.left_out) == 0
    assert {later - earlier for earlier, later in pairwise(played.ticks)} == {FRAME}


@pytest.mark.parametrize("lost", [1, 2, 3, 40, 300])
def test_a_hole_is_filled_with_as_much_silence(lost: int) -> None:
    played = Played(44_100, 3000, lambda ms: ms, lost=range(1000, 1000 + lost))
    assert played.silent == lost
    assert {later - earlier for earlier, later in pairwise(played.ticks)} == {FRAME}
    assert max(played.errors) <= 40


@pytest.mark.parametrize("group", [2, 3, 4])
def test_stamps_that_jitter_or_come_in_groups_do_not_stir_the_sound_up(group: int) -> None:
    random, step = Random(7), group * FRAME / 44.1
    for stamp in (lambda ms: ms + random.uniform(-15, 15), lambda ms: ms // step * step):
        played = Played(44_100, LONG * 44_100 // FRAME, stamp)
        assert played.silent + played.left_out <= 8


def test_a_burst_of_sound_for_one_moment_is_left_out() -> None:
    played = Played(44_100, 3000, lambda ms: ms if ms < 20_000 else ms - 3_000)
    assert played.left_out == pytest.approx(3 * 44_100 / FRAME, abs=1)
    assert max(played.errors) <= 40


def test_silence_is_put_in_while_nothing_comes_and_the_sound_joins_it() -> None:
    clock = AudioClock(Sound(44_100, 2, FRAME, b"silence"))
    assert clock.fill(1000) == (0, 43)
    assert clock.fill(1000) == (43 * FRAME, 0)
    assert clock.place(500) is None, "there is silence already"
    assert clock.doubled
    tick, silent = clock.place(2000) or (0, 0)
    assert (tick, silent) == (86 * FRAME, 43)
    assert clock.place(2023) == (87 * FRAME, 0)


def test_where_no_silence_is_known_times_follow_the_stamps() -> None:
    clock = AudioClock(Sound(48_000, 6, FRAME, None))
    assert clock.fill(10_000) == (0, 0)
    assert [clock.place(at) for at in (0, 21, 5000, 5021)] == [(0, 0), (1024, 0), (240_000, 0), (241_024, 0)]


@settings(max_examples=100, deadline=None)
@given(
    steps=st.lists(st.one_of(st.integers(0, 60), st.integers(0, 20_000), st.just(2**40)), max_size=80),
    fills=st.sets(st.integers(0, 79)),
    silence=st.sampled_from([b"silence", None]),
)
def test_ticks_always_grow_and_silence_is_bounded(steps: list[int], fills: set[int], silence: bytes | None) -> None:
    clock = AudioClock(Sound(44_100, 2, FRAME, silence))
    at, ticks = 0, [-FRAME]
    for number, step in enumerate(steps):
        at += step
        start, silent = clock.fill(at - 3000) if number in fills else (0, 0)
        ticks += [start + FRAME * count for count in range(silent)]
        assert silent * FRAME <= 15 * 44_100
        if (placed := clock.place(at)) is not None:
            tick, silent = placed
            ticks += [tick - FRAME * back for back in range(silent, -1, -1)]
            assert silent * FRAME <= 15 * 44_100
    assert all(earlier < later for earlier, later in pairwise(ticks))
    if silence:
        assert all(later - earlier >= FRAME for earlier, later in pairwise(ticks))


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ("1210", (44_100, 2, 1024, True)),
        ("1388", (22_050, 1, 1024, True)),
        ("1388 56e500", (22_050, 1, 1024, True)),
        ("2b920800", (22_050, 2, 1024, True)),  # high efficiency: half the rate that is heard
        ("eb8a0800", (22_050, 1, 1024, True)),  # and its second version, where one channel becomes two
        ("11b0", (48_000, 6, 1024, False)),
        ("1214", (44_100, 2, 960, False)),
        ("1780 5dc0 08", (48_000, 1, 1024, True)),  # the rate spelled out
        ("f8e64000", (48_000, 2, 512, False)),
    ],
)
def test_the_configuration_tells_how_the_sound_runs(config: str, expected: tuple[int, int, int, bool]) -> None:
    heard = sound(AudioConfig(bytes.fromhex(config)))
    assert (heard.rate, heard.channels, heard.frame, heard.silence is not None) == expected


@given(st.binary(max_size=12))
def test_any_configuration_is_understood_or_a_typed_failure(data: bytes) -> None:
    try:
        heard = sound(AudioConfig(data))
    except MuxFailed:
        return
    assert heard.rate > 0
    assert heard.frame in (480, 512, 960, 1024)
