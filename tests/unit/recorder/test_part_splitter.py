"""Where parts begin and end."""

from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st
from wentlive_recorder.samples import AudioConfig, AudioSample, Unit, VideoConfig, VideoSample
from wentlive_recorder.splitter import Action, PartLimits, PartSplitter, Start, Stop, StopReason, Write

VIDEO, OTHER_VIDEO = VideoConfig(b"avcC-1 "), VideoConfig(b"avcC-2 ")
AUDIO, OTHER_AUDIO = AudioConfig(b"\x12\x10"), AudioConfig(b"\x11\x90")


def key(at: int) -> VideoSample:
    return VideoSample(at, 0, True, b"key%d" % at)


def frame(at: int) -> VideoSample:
    return VideoSample(at, 0, False, b"frame%d" % at)


def sound(at: int) -> AudioSample:
    return AudioSample(at, b"sound%d" % at)


def split(units: Iterable[Unit], *, expects_audio: bool = True, limits: PartLimits | None = None) -> list[Action]:
    splitter = PartSplitter(limits)
    actions = [action for unit in units for action in splitter.push(unit, expects_audio=expects_audio)]
    return [*actions, *splitter.finish()]


def told(actions: Iterable[Action]) -> list[object]:
    """Actions in short: `start`, the stop's reason, or (kind, time in the part)."""
    short = {VideoSample: "v", AudioSample: "a"}
    return [
        "start" if isinstance(a, Start) else a.reason if isinstance(a, Stop) else (short[type(a.sample)], a.at)
        for a in actions
    ]


def test_a_part_begins_with_a_keyframe_at_zero() -> None:
    actions = split([VIDEO, AUDIO, sound(990), frame(995), key(1000), sound(1005), frame(1040)])
    assert told(actions) == ["start", ("v", 0), ("a", 5), ("v", 40), StopReason.STREAM_ENDED]
    assert actions[0] == Start(VIDEO, AUDIO, key(1000))


def test_the_keyframe_waits_for_the_sounds_configuration() -> None:
    actions = split([VIDEO, key(0), frame(40), AUDIO, sound(41)])
    assert actions[0] == Start(VIDEO, AUDIO, key(0))
    assert told(actions)[1:] == [("v", 0), ("v", 40), ("a", 41), StopReason.STREAM_ENDED]


def test_it_does_not_wait_for_ever() -> None:
    actions = split([VIDEO, key(0), frame(900), frame(1100)])
    assert told(actions) == ["start", ("v", 0), ("v", 900), ("v", 1100), StopReason.STREAM_ENDED]
    assert actions[0] == Start(VIDEO, None, key(0))


def test_what_was_held_when_the_stream_ends_is_kept() -> None:
    assert told(split([VIDEO, key(0), frame(40)])) == ["start", ("v", 0), ("v", 40), StopReason.STREAM_ENDED]


def test_without_announced_sound_it_does_not_wait() -> None:
    splitter = PartSplitter()
    list(splitter.push(VIDEO, expects_audio=False))
    assert told(splitter.push(key(0), expects_audio=False)) == ["start", ("v", 0)]


def test_a_repeated_configuration_changes_nothing() -> None:
    actions = split([VIDEO, AUDIO, key(0), VIDEO, AUDIO, frame(40)])
    assert told(actions) == ["start", ("v", 0), ("v", 40), StopReason.STREAM_ENDED]


def test_a_new_video_configuration_starts_a_part_at_the_next_keyframe() -> None:
    actions = split([VIDEO, AUDIO, key(0), OTHER_VIDEO, frame(40), sound(45), key(80), frame(120)])
    assert told(actions) == [
        "start", ("v", 0), StopReason.VIDEO_CHANGED, "start", ("v", 0), ("v", 40), StopReason.STREAM_ENDED,
    ]  # fmt: skip


def test_a_new_audio_configuration_waits_for_a_keyframe_and_loses_no_picture() -> None:
    actions = split([VIDEO, AUDIO, key(0), sound(5), OTHER_AUDIO, sound(30), frame(40), key(80), sound(85)])
    assert told(actions) == [
        "start", ("v", 0), ("a", 5), ("v", 40), StopReason.AUDIO_CHANGED, "start", ("v", 0), ("a", 5),
        StopReason.STREAM_ENDED,
    ]  # fmt: skip


def test_a_clock_that_jumps_starts_a_part() -> None:
    forward = split([VIDEO, AUDIO, key(0), frame(40), frame(20_000), key(20_040)])
    backward = split([VIDEO, AUDIO, key(5000), frame(5040), key(100)])
    expected = ["start", ("v", 0), ("v", 40), StopReason.CLOCK_JUMPED, "start", ("v", 0), StopReason.STREAM_ENDED]
    assert told(forward) == told(backward) == expected


def test_sound_that_was_away_for_long_is_no_jump() -> None:
    actions = split([VIDEO, AUDIO, key(0), sound(10), *(frame(at) for at in range(1000, 20_000, 1000)), sound(19_500)])
    assert StopReason.CLOCK_JUMPED not in told(actions)


def test_small_steps_back_stay_in_order_and_duplicates_are_dropped() -> None:
    actions = split([VIDEO, AUDIO, key(0), frame(100), frame(100), frame(60), frame(140)])
    assert told(actions) == ["start", ("v", 0), ("v", 100), ("v", 101), ("v", 140), StopReason.STREAM_ENDED]


def test_limits_end_a_part_at_a_keyframe_without_loss() -> None:
    units = [VIDEO, AUDIO, key(0), frame(1000), frame(2000), key(2040), frame(2080)]
    actions = split(units, limits=PartLimits(duration_ms=1500))
    assert told(actions) == [
        "start", ("v", 0), ("v", 1000), ("v", 2000), StopReason.LIMIT_REACHED, "start", ("v", 0), ("v", 40),
        StopReason.STREAM_ENDED,
    ]  # fmt: skip


UNITS = st.lists(
    st.one_of(
        st.sampled_from([VIDEO, OTHER_VIDEO, AUDIO, OTHER_AUDIO]),
        st.builds(key, st.integers(0, 30_000)),
        st.builds(frame, st.integers(0, 30_000)),
        st.builds(sound, st.integers(0, 30_000)),
    ),
    max_size=40,
)


@given(UNITS, st.booleans())
def test_whatever_comes_the_parts_are_well_formed(units: list[Unit], expects_audio: bool) -> None:
    last: dict[type, int] | None = None
    fresh = has_audio = False
    for action in split(units, expects_audio=expects_audio, limits=PartLimits(duration_ms=5000)):
        match action:
            case Start():
                assert last is None
                last, fresh, has_audio = {}, True, action.audio is not None
            case Stop():
                assert last is not None
                last = None
            case Write(sample, at):
                assert last is not None
                assert not fresh or (isinstance(sample, VideoSample) and sample.keyframe and at == 0)
                assert at > last.get(type(sample), -1)
                assert has_audio or isinstance(sample, VideoSample)
                last[type(sample)], fresh = at, False
    assert last is None
