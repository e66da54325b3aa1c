"""What a recorder reads out of an HLS playlist, and that no playlist can hurt it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wentlive_recorder.errors import NotHls
from wentlive_recorder.hls.playlist import MasterPlaylist, MediaPlaylist, Resource, Segment, parse_playlist

BASE = "https://cdn.example/live/x/index.m3u8?sign=s"
HERE = "https://cdn.example/live/x/"


def media(text: str) -> MediaPlaylist:
    playlist = parse_playlist(text.encode(), BASE)
    assert isinstance(playlist, MediaPlaylist)
    return playlist


def test_a_live_window_has_numbers_and_absolute_addresses() -> None:
    playlist = media(
        "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:4\n#EXT-X-MEDIA-SEQUENCE:17\n"
        "#EXTINF:4.000,title\n17.ts?t=1\n\n#EXT-X-DISCONTINUITY\n#EXTINF:3.5\n/other/18.ts\n"
        "#EXT-X-GAP\n#EXTINF:4,\nhttp://b/19.ts\n"
    )
    assert playlist == MediaPlaylist(
        (
            Segment(17, Resource(HERE + "17.ts?t=1"), 4.0),
            Segment(18, Resource("https://cdn.example/other/18.ts"), 3.5, discontinuity=True),
            Segment(19, Resource("http://b/19.ts"), 4.0, gap=True),
        ),
        4.0,
        ended=False,
    )


def test_fmp4_has_maps_and_stretches_and_an_end() -> None:
    playlist = media(
        '\ufeff#EXTM3U\r\n#EXT-X-MAP:URI="a.mp4",BYTERANGE="100@0"\r\n#EXTINF:2,\r\n#EXT-X-BYTERANGE:50@100\r\na.mp4\r\n'
        '#EXTINF:2,\r\n#EXT-X-BYTERANGE:60\r\na.mp4\r\n#EXT-X-MAP:URI="b.mp4"\r\n#EXTINF:2,\r\nb.m4s\r\n#EXT-X-ENDLIST\r\n'
    )
    first = Resource(HERE + "a.mp4", (0, 100))
    assert playlist.segments == (
        Segment(0, Resource(HERE + "a.mp4", (100, 50)), 2.0, first),
        Segment(1, Resource(HERE + "a.mp4", (150, 60)), 2.0, first),
        Segment(2, Resource(HERE + "b.m4s"), 2.0, Resource(HERE + "b.mp4")),
    )
    assert playlist.ended


def test_a_master_playlist_has_its_best_variant_first() -> None:
    text = (
        '#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=600000,CODECS="avc1.64001f,mp4a.40.2"\nld.m3u8\n'
        "#EXT-X-STREAM-INF:AVERAGE-BANDWIDTH=1,BANDWIDTH=2000000\nhd.m3u8\n"
    )
    assert parse_playlist(text.encode(), BASE) == MasterPlaylist((HERE + "hd.m3u8", HERE + "ld.m3u8"))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "no HLS playlist"),
        ("<html>busy</html>", "begins with b'<html>"),
        ("#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI=k\n#EXTINF:4,\n1.ts", "encrypted"),
        ("#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:x", "where a number belongs"),
        ("#EXTM3U\n#EXTINF:soon,\n1.ts", "where seconds belong"),
        ("#EXTM3U\n#EXTINF:4,\nfile:///etc/passwd", "not of the web"),
        ("#EXTM3U\n#EXTINF:4,\nhttp://[x/1.ts", "cannot be read"),
        ("#EXTM3U\n#EXT-X-MAP:BYTERANGE=1@2", "EXT-X-MAP"),
        ("#EXTM3U\n#EXT-X-BYTERANGE:0@0\n1.ts", "empty"),
        ("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n", "names no stream"),
    ],
)
def test_what_cannot_be_recorded_is_refused_by_name(text: str, told: str) -> None:
    with pytest.raises(NotHls, match=told):
        parse_playlist(text.encode(), BASE)


LINES = st.one_of(
    st.text(max_size=40),
    st.sampled_from(
        [
            "#EXTINF:4,", "#EXT-X-MEDIA-SEQUENCE:9", "#EXT-X-DISCONTINUITY", "#EXT-X-ENDLIST", "1.ts", "#EXT-X-GAP",
            "#EXT-X-BYTERANGE:5@6", "#EXT-X-BYTERANGE:5", '#EXT-X-MAP:URI="i.mp4"', "#EXT-X-STREAM-INF:BANDWIDTH=5",
            "#EXT-X-TARGETDURATION:0", "#EXT-X-KEY:METHOD=NONE", "//x:y", "?",
        ]
    ),
)  # fmt: skip


PLAYLISTS = st.lists(LINES, max_size=20).map(lambda lines: "\n".join(["#EXTM3U", *lines]).encode())


@given(st.one_of(st.binary(max_size=200), PLAYLISTS))
def test_arbitrary_playlists_raise_only_typed_errors(data: bytes) -> None:
    try:
        playlist = parse_playlist(data, BASE)
    except NotHls:
        return
    if isinstance(playlist, MediaPlaylist):
        assert playlist.target > 0
        assert [segment.number for segment in playlist.segments] == sorted({s.number for s in playlist.segments})
