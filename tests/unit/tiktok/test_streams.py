from typing import Any

import pytest
from wentlive_common.capture import Quality
from wentlive_tiktok.ladders import has_ladder, streams_of
from wentlive_tiktok.payload import LiveRoomPayload, UpstreamChanged
from wentlive_tiktok.streams import StreamCandidate, rank

Json = dict[str, Any]


def candidate(**changes: Any) -> StreamCandidate:
    values: Json = {"url": "https://x", "protocol": "flv", "quality": "hd", "level": 3, "codec": "h264"}
    return StreamCandidate(**(values | changes))


def room(**ladders: Any) -> LiveRoomPayload:
    return LiveRoomPayload.model_validate({"status": 2, **ladders})


def test_both_ladders_are_merged(room_ladders: tuple[Json, Json]):
    streams = streams_of(room(streamData=room_ladders[0], hevcStreamData=room_ladders[1]))
    assert {stream.quality for stream in streams} == {"hd", "ao", "origin", "uhd_60", "ld"}
    origin = next(stream for stream in streams if stream.quality == "origin" and stream.protocol == "flv")
    assert (origin.codec, origin.width, origin.height, origin.level) == ("h264", 1080, 1920, 10)
    assert origin.bitrate == 5_476_000
    assert len({stream.url for stream in streams}) == len(streams)


def test_the_best_is_the_h264_origin_over_flv(room_ladders: tuple[Json, Json]):
    best = rank(streams_of(room(streamData=room_ladders[0], hevcStreamData=room_ladders[1])))
    assert [(stream.quality, stream.protocol) for stream in best[:4]] == [
        ("origin", "flv"),
        ("origin", "hls"),
        ("hd", "flv"),
        ("hd", "hls"),
    ]
    assert all(stream.codec == "h265" for stream in best[4:])
    assert "ao" not in {stream.quality for stream in best}


def test_backups_are_kept_apart(room_ladders: tuple[Json, Json]):
    streams = streams_of(room(hevcStreamData=room_ladders[1]))
    backups = [stream for stream in streams if stream.role == "backup"]
    assert [(stream.quality, stream.protocol) for stream in backups] == [("uhd_60", "flv")]


def test_a_missing_origin_is_derived_from_the_audio(room_ladders: tuple[Json, Json]):
    streams = streams_of(room(streamData=room_ladders[0]))
    derived = next(stream for stream in streams if stream.quality == "origin")
    assert derived.url.endswith("stream-3512345678901234567.flv?expire=1791749747&sign=0f1e2d3c")
    assert derived.codec == "unknown"
    # Proven H.264 first: the derived one may be H.265.
    assert [stream.quality for stream in rank(streams)] == ["hd", "hd", "origin"]


def test_an_unreadable_ladder_does_not_hide_the_other(room_ladders: tuple[Json, Json]):
    broken = {"pull_data": {"stream_data": "{not json"}}
    assert streams_of(room(streamData=room_ladders[0], hevcStreamData=broken))
    with pytest.raises(UpstreamChanged) as changed:
        streams_of(room(streamData=broken))
    assert changed.value.path.startswith("data.liveRoom.streamData.pull_data.stream_data")


def test_streams_without_known_parameters_are_still_streams(make_ladder: Any):
    odd = make_ladder({}, {"sd": {"main": {"flv": "https://cdn/x.flv", "sdk_params": "?"}}, "ld": None})
    (stream,) = streams_of(room(streamData=odd))
    assert (stream.codec, stream.level, stream.width, stream.bitrate) == ("unknown", 2, None, None)


@pytest.mark.parametrize("url", ["", "file:///etc/passwd", "rtmp://x/y", "https://a b", 7, None])
def test_only_web_addresses_are_streams(make_ladder: Any, url: object):
    assert streams_of(room(streamData=make_ladder({}, {"hd": {"main": {"flv": url}}}))) == ()


@pytest.mark.parametrize("ladders", [{}, {"streamData": None}, {"streamData": {"pull_data": {"stream_data": ""}}}])
def test_no_ladder_at_all(ladders: Json):
    assert not has_ladder(room(**ladders))


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        (candidate(level=1), candidate(codec="h265", level=10)),
        (candidate(level=10), candidate(level=3)),
        # FLV arrives frame by frame: its backup goes before HLS.
        (candidate(role="backup"), candidate(protocol="hls")),
        (candidate(protocol="hls"), candidate(level=2)),
        (candidate(), candidate(protocol="hls")),
        (candidate(codec="unknown"), candidate(codec="h265")),
    ],
)
def test_order(better: StreamCandidate, worse: StreamCandidate):
    assert rank([worse, better]) == (better, worse)


def test_a_policy_leaves_out_what_it_does_not_name():
    only_h264 = Quality(codecs=("h264",))
    assert rank([candidate(codec="h265"), candidate(codec="audio"), candidate()], only_h264) == (candidate(),)


def test_the_codec_wanted_most_goes_first():
    h264, h265 = candidate(level=10), candidate(codec="h265")
    assert rank([h264, h265], Quality(codecs=("h265", "h264"))) == (h265, h264)


def test_max_height_is_the_shorter_side_and_the_nearest_serves_where_nothing_fits():
    full, turned = candidate(level=10, width=1080, height=1920), candidate(level=9, width=1920, height=1080)
    small, unsized = candidate(level=2, width=360, height=640), candidate(level=6)
    hd = candidate(level=3, width=1280, height=720)
    assert rank([full, small, turned, unsized, hd], Quality(max_height=720)) == (hd, small, unsized, full, turned)
    assert rank([full, hd], Quality(max_height=480)) == (hd, full)


def test_the_smallest_is_the_lowest_level():
    origin, ld = candidate(level=10), candidate(level=1)
    assert rank([origin, ld], Quality(prefer="smallest")) == (ld, origin)


def test_sound_alone_when_it_is_asked_for_and_a_picture_serves_for_its_sound():
    sound, origin, ld = candidate(codec="audio", level=0), candidate(level=10), candidate(codec="h265", level=1)
    assert rank([origin, ld, sound], Quality(audio_only=True, codecs=("h264",))) == (sound, origin, ld)


def test_sound_alone_when_the_live_offers_nothing_else():
    sound, h265 = candidate(codec="audio", level=0), candidate(codec="h265")
    assert rank([sound]) == (sound,)
    assert rank([sound, h265]) == (h265,)
    assert rank([sound, h265], Quality(codecs=("h264",))) == (sound,)
