"""Tags become an MP4 that plays while it grows and is standard when closed."""

from io import BytesIO
from itertools import pairwise

import av
import pytest
from wentlive_recorder.boxes import boxes
from wentlive_recorder.errors import MuxFailed
from wentlive_recorder.flv import FlvReader
from wentlive_recorder.fragment import Ending, Fragment
from wentlive_recorder.mp4_file import GrowingMp4
from wentlive_recorder.muxer import PartMuxer, opening_flv
from wentlive_recorder.poster import poster_jpeg
from wentlive_recorder.samples import SampleDecoder, VideoConfig, VideoSample
from wentlive_recorder.splitter import PartSplitter, Start, Write


def mux(flv: bytes) -> tuple[PartMuxer, list[Fragment], bytes, Ending]:
    """The first part of an FLV: its muxer, all fragments, the init segment while live, and the ending."""
    reader, decoder, splitter = FlvReader(), SampleDecoder(), PartSplitter()
    muxer: PartMuxer | None = None
    fragments: list[Fragment] = []
    for tag in reader.feed(flv):
        unit = decoder.decode(tag)
        for action in splitter.push(unit, expects_audio=reader.has_audio) if unit else ():
            if isinstance(action, Start):
                muxer = PartMuxer(action)
            elif isinstance(action, Write) and muxer:
                fragments += muxer.write(action)
    assert muxer is not None
    init = muxer.init_segment
    last, ending = muxer.close()
    return muxer, fragments + last, init, ending


def shown(data: bytes) -> list[float]:
    with av.open(BytesIO(data), "r") as container:
        return [frame.time for frame in container.decode(video=0)]


def test_the_closed_part_is_a_standard_mp4_with_every_frame(portrait: bytes) -> None:
    muxer, fragments, init, ending = mux(portrait)
    media = b"".join(fragment.data for fragment in fragments)
    finished = ending.head + media + ending.tail
    assert [box.kind for box in boxes(finished)] == [b"ftyp", b"free", b"mdat", b"moov"]
    assert len(shown(finished)) == len(shown(init + media)) == len(shown(portrait)) == 240
    assert len(ending.head) == len(init)
    assert (muxer.info.width, muxer.info.height, muxer.info.audio_codec) == (96, 160, "mp4a.40.2")
    with av.open(BytesIO(finished), "r") as container:
        assert container.duration is not None
        assert container.duration / 1e6 == pytest.approx(12, abs=0.15)
        assert [stream.type for stream in container.streams] == ["video", "audio"]


def test_frames_keep_the_times_that_they_had_in_the_stream(portrait: bytes) -> None:
    _, fragments, _, ending = mux(portrait)
    times = shown(ending.head + b"".join(fragment.data for fragment in fragments) + ending.tail)
    steps = {round(times[i + 1] - times[i], 3) for i in range(len(times) - 1)}
    assert steps == {0.05}


def test_every_prefix_of_whole_fragments_plays(portrait: bytes) -> None:
    _, fragments, init, _ = mux(portrait)
    for count in (1, 3, len(fragments)):
        times = shown(init + b"".join(fragment.data for fragment in fragments[:count]))
        assert times[-1] - times[0] == pytest.approx(sum(f.duration for f in fragments[:count]), abs=0.2)


def test_fragments_lie_end_to_end_and_last_as_long_as_the_stream(portrait: bytes) -> None:
    _, fragments, init, _ = mux(portrait)
    assert fragments[0].offset == len(init)
    assert all(left.end == right.offset for left, right in pairwise(fragments))
    assert sum(fragment.duration for fragment in fragments) == pytest.approx(12, abs=0.06)


def test_long_groups_of_pictures_are_cut_so_that_little_is_lost(streams) -> None:
    _, fragments, _, _ = mux(streams.encode(12, gop=1000))
    assert max(fragment.duration for fragment in fragments) <= 4.2


def test_sound_that_falls_silent_does_not_hold_the_picture_back(streams, portrait: bytes) -> None:
    tags = [tag for tag in streams.tags(portrait) if tag.kind == streams.video_kind or tag.timestamp < 2000]
    _, fragments, _, _ = mux(streams.flv(tags))
    assert sum(fragment.duration for fragment in fragments) == pytest.approx(12, abs=0.06)


def test_a_stream_without_sound_is_recorded(streams) -> None:
    muxer, fragments, _, _ = mux(streams.encode(3, audio=False))
    assert muxer.info.audio_codec is None
    assert sum(fragment.duration for fragment in fragments) == pytest.approx(3, abs=0.06)


def test_a_start_that_ffmpeg_cannot_read_is_a_typed_failure() -> None:
    nonsense = Start(VideoConfig(b"\x01" + bytes(10)), None, VideoSample(0, 0, True, b"\x00\x00\x00\x01\x65"))
    with pytest.raises(MuxFailed):
        PartMuxer(nonsense)
    with pytest.raises(MuxFailed):
        poster_jpeg(opening_flv(nonsense))


def test_the_poster_is_the_first_keyframe(portrait: bytes) -> None:
    reader, decoder, splitter = FlvReader(), SampleDecoder(), PartSplitter()
    units = [unit for tag in reader.feed(portrait) if (unit := decoder.decode(tag))]
    actions = [action for unit in units for action in splitter.push(unit, expects_audio=True)]
    start = next(action for action in actions if isinstance(action, Start))
    with av.open(BytesIO(poster_jpeg(opening_flv(start)))) as picture:
        assert (picture.streams.video[0].width, picture.streams.video[0].height) == (96, 160)


def test_only_the_head_and_what_was_not_taken_can_be_rewritten(portrait: bytes) -> None:
    _, fragments, init, _ = mux(portrait)
    file = GrowingMp4()
    file.write(init + fragments[0].data)
    assert [taken.data for taken in file.take_fragments()] == [fragments[0].data]
    file.seek(8)
    file.write(b"new!")
    assert file.head[8:12] == b"new!"
    file.seek(len(init) + 1)
    with pytest.raises(MuxFailed, match="stored already"):
        file.write(b"x")
