"""Where parts begin and end."""

from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st
from wentlive_recorder.samples import AudioConfig, AudioSample, Break, Unit, VideoConfig, VideoSample
from wentlive_recorder.splitter import Action, Hole, PartLimits, PartSplitter, Start, Stop, StopReason, Write

VIDEO, OTHER_VIDEO = VideoConfig(b"avcC-1 "), VideoConfig(b"avcC-2 ")
AUDIO, OTHER_AUDIO = AudioConfig(b"\x12\x10"), AudioConfig(b"\x11\x90")


def key(at: int) -> VideoSample:
    return VideoSample(at, 0, True, b"key%d" % at)


def frame(at: int) -> VideoSample:
    return VideoSample(at, 0, False, b"frame%d" % at)


def sound(at: int) -> AudioSample:
    return AudioSample(at, b"sound%d" % at)


def split(
    units: Iterable[Unit], *, expects_audio: bool = True, limits: PartLimits | None = None, audio_only: bool = False
) -> list[Action]:
    splitter = PartSplitter(limits, audio_only=audio_only)
    actions = [action for unit in units for action in splitter.push(unit, expects_audio=expects_audio)]
    return [*actions, *splitter.finish()]


def told(actions: Iterable[Action]) -> list[object]:
    """Actions in short: `start`, the stop's reason, (kind, time in the part) or (`hole`, its length)."""
    return [_short(action) for action in actions]


def _short(action: Action) -> object:
    match action:
        case Start():
            return "start"
        case Stop(reason):
            return reason
        case Hole(milliseconds):
            return "hole", milliseconds
        case Write(sample, at):
            return ("v" if isinstance(sample, VideoSample) else "a"), at


def test_a_part_begins_with_a_keyframe_at_zero() -> None:
    actions = split([VIDEO, AUDIO, sound(990), frame(995), key(1000), sound(1005), frame(1040)])
    assert told(actions) == ["start", ("v", 0), ("a", 5), ("v", 40), StopReason.STREAM_ENDED]
    assert actions[0] == Start(VIDEO, AUDIO, key(1000), 1000)


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
    backward = split([VIDEO, AUDIO, key(5000), frame(5040), key(100), frame(140)])
    reset = ["start", ("v", 0), ("v", 40), StopReason.CLOCK_JUMPED, "start", ("v", 0)]
    assert told(forward) == [*reset, StopReason.STREAM_ENDED]
    assert told(backward) == [*reset, ("v", 40), StopReason.STREAM_ENDED]


def test_no_sample_is_lost_while_a_jump_is_being_confirmed() -> None:
    units = [VIDEO, AUDIO, key(0), sound(10), sound(60_000), key(60_001), sound(60_023), frame(60_040)]
    assert told(split(units)) == [
        "start", ("v", 0), ("a", 10), StopReason.CLOCK_JUMPED, "start", ("v", 0), ("a", 22), ("v", 39),
        StopReason.STREAM_ENDED,
    ]  # fmt: skip


def test_one_sample_with_a_wrong_time_is_left_out_and_pictures_wait_for_a_keyframe() -> None:
    units = [VIDEO, AUDIO, key(0), frame(40), frame(90_000), frame(120), sound(130), key(160), frame(200)]
    assert told(split(units)) == [
        "start", ("v", 0), ("v", 40), ("a", 130), ("hole", 120), ("v", 160), ("v", 200), StopReason.STREAM_ENDED,
    ]  # fmt: skip
    wrong_sound = [VIDEO, AUDIO, key(0), sound(10), sound(90_000), sound(50), frame(60)]
    assert told(split(wrong_sound))[1:-1] == [("v", 0), ("a", 10), ("a", 50), ("v", 60)]


def test_sound_with_a_clock_of_its_own_is_put_where_it_arrives() -> None:
    units = [VIDEO, AUDIO, key(1000), frame(1040), sound(900_000), sound(900_023), frame(1080)]
    assert told(split(units)) == [
        "start", ("v", 0), ("v", 40), ("a", 40), ("a", 63), ("v", 80), StopReason.STREAM_ENDED,
    ]  # fmt: skip


def test_what_the_network_sends_again_is_dropped_however_old() -> None:
    stretch = [unit for at in range(0, 4000, 40) for unit in (key(at) if at % 1000 == 0 else frame(at), sound(at))]
    again = told(split([VIDEO, AUDIO, *stretch, *stretch[50:], key(4000)]))
    assert again == told(split([VIDEO, AUDIO, *stretch, key(4000)]))


def test_after_a_break_pictures_wait_for_a_keyframe_and_sound_goes_on() -> None:
    units = [VIDEO, AUDIO, key(0), frame(40), Break("damage"), frame(120), sound(125), key(2000), frame(2040)]
    actions = split(units)
    assert told(actions) == [
        "start", ("v", 0), ("v", 40), ("a", 125), ("hole", 1960), ("v", 2000), ("v", 2040), StopReason.STREAM_ENDED,
    ]  # fmt: skip
    assert Hole(1960, "damage") in actions


def test_what_a_break_made_useless_stays_out_when_it_is_sent_again() -> None:
    units = [VIDEO, AUDIO, key(0), Break("damage"), frame(120), key(160), frame(120), key(160), frame(200)]
    videos = [action.sample for action in split(units) if isinstance(action, Write)]
    assert videos == [key(0), key(160), frame(200)]


def test_a_break_before_the_first_part_forgets_what_was_held() -> None:
    assert told(split([VIDEO, key(0), Break("damage"), frame(40), AUDIO, key(80)]))[:2] == ["start", ("v", 0)]


def test_a_break_with_a_new_clock_starts_a_part() -> None:
    units = [VIDEO, AUDIO, key(5000), frame(5040), Break("anew", new_clock=True), frame(60), key(80), frame(120)]
    assert told(split(units)) == [
        "start", ("v", 0), ("v", 40), StopReason.CLOCK_JUMPED, "start", ("v", 0), ("v", 40), StopReason.STREAM_ENDED,
    ]  # fmt: skip


def test_a_hole_in_everything_is_told_and_the_part_goes_on() -> None:
    units = [VIDEO, AUDIO, key(0), sound(10), frame(40), key(5040), sound(5050)]
    assert told(split(units)) == [
        "start", ("v", 0), ("a", 10), ("v", 40), ("hole", 5000), ("v", 5040), ("a", 5050), StopReason.STREAM_ENDED,
    ]  # fmt: skip


def test_sound_that_steps_back_is_left_out_until_it_is_new_again() -> None:
    units = [VIDEO, AUDIO, key(0), sound(10), sound(33), sound(56), sound(20), sound(43), sound(66)]
    assert told(split(units))[1:-1] == [("v", 0), ("a", 10), ("a", 33), ("a", 56), ("a", 66)]


def test_sound_only_needs_no_keyframe_and_takes_no_picture() -> None:
    actions = split([VIDEO, sound(5), AUDIO, frame(10), sound(30), sound(53), OTHER_AUDIO, sound(76)], audio_only=True)
    assert told(actions) == [
        "start", ("a", 0), ("a", 23), StopReason.AUDIO_CHANGED, "start", ("a", 0), StopReason.STREAM_ENDED,
    ]  # fmt: skip
    assert actions[0] == Start(None, AUDIO, None, 30)


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
        st.sampled_from([VIDEO, OTHER_VIDEO, AUDIO, OTHER_AUDIO, Break("damage"), Break("anew", new_clock=True)]),
        st.builds(key, st.integers(0, 30_000)),
        st.builds(frame, st.integers(0, 30_000)),
        st.builds(sound, st.integers(0, 30_000)),
    ),
    max_size=40,
)


@given(UNITS, st.booleans(), st.booleans())
def test_whatever_comes_the_parts_are_well_formed(units: list[Unit], expects_audio: bool, audio_only: bool) -> None:
    last: dict[type, int] | None = None
    started: Start | None = None
    limits = PartLimits(duration_ms=5000)
    for action in split(units, expects_audio=expects_audio, limits=limits, audio_only=audio_only):
        match action:
            case Start():
                assert last is None
                assert (action.video is None) == audio_only
                assert action.video or action.audio
                last, started = {}, action
            case Stop():
                assert last
                last = None
            case Hole(milliseconds):
                assert last
                assert milliseconds >= 0
            case Write(sample, at):
                assert last is not None
                assert started is not None
                assert last or (sample == started.keyframe if started.video else at == 0)
                assert last or at == 0
                assert at > last.get(type(sample), -1)
                assert (started.video if isinstance(sample, VideoSample) else started.audio) is not None
                last[type(sample)] = at
    assert last is None
