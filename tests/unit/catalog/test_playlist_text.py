"""The playlist's lines, and the links in them."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st
from wentlive_catalog.domain.playlist import PlaylistPart, playback_window, render_playlist
from wentlive_common.fragment_index import IndexFragment

AT = datetime(2026, 11, 20, 20, 0, 0, 500_000, tzinfo=UTC)


def part(name: str, *durations: float) -> PlaylistPart:
    fragments = tuple(IndexFragment(offset=1000 * (n + 1), length=900, duration=d) for n, d in enumerate(durations))
    return PlaylistPart(
        media_url=f"https://s/{name}?sig", init_url=f"/{name}/init.mp4", opened_at=AT, fragments=fragments
    )


def test_a_growing_part() -> None:
    assert render_playlist([part("a1-p1", 4.0, 3.5)], over=False).splitlines() == [
        "#EXTM3U",
        "#EXT-X-VERSION:7",
        "#EXT-X-TARGETDURATION:6",
        "#EXT-X-MEDIA-SEQUENCE:0",
        "#EXT-X-PLAYLIST-TYPE:EVENT",
        '#EXT-X-MAP:URI="/a1-p1/init.mp4"',
        "#EXT-X-PROGRAM-DATE-TIME:2026-11-20T20:00:00.500Z",
        "#EXTINF:4.000,",
        "#EXT-X-BYTERANGE:900@1000",
        "https://s/a1-p1?sig",
        "#EXTINF:3.500,",
        "#EXT-X-BYTERANGE:900@2000",
        "https://s/a1-p1?sig",
    ]


def test_a_finished_recording_of_two_parts_is_closed_and_marks_the_seam() -> None:
    lines = render_playlist([part("a1-p1", 4.0), part("a1-p2"), part("a2-p1", 2.0)], over=True).splitlines()
    assert "#EXT-X-PLAYLIST-TYPE:VOD" in lines
    assert lines[-1] == "#EXT-X-ENDLIST"
    assert lines.count("#EXT-X-DISCONTINUITY") == 1
    assert lines[lines.index("#EXT-X-DISCONTINUITY") + 1] == '#EXT-X-MAP:URI="/a2-p1/init.mp4"'


@given(st.lists(st.floats(0.1, 60), min_size=1, max_size=20))
def test_no_fragment_is_longer_than_the_target(durations: list[float]) -> None:
    target = next(line for line in render_playlist([part("p", *durations)], over=True).splitlines() if "TARGET" in line)
    assert int(target.split(":")[1]) >= max(round(duration) for duration in durations)


def test_a_live_playlist_only_grows() -> None:
    before = render_playlist([part("p", 4.0, 4.0)], over=False)
    assert render_playlist([part("p", 4.0, 4.0, 4.0)], over=False).startswith(before)


def test_a_window_stays_the_same_for_half_its_length_and_always_has_half_of_it_left() -> None:
    lifetime = timedelta(hours=4)
    windows = [playback_window(AT + timedelta(minutes=n), lifetime) for n in range(0, 24 * 60, 7)]
    assert len({window.expires_at for window in windows}) == 12
    for n, window in enumerate(windows):
        now = AT + timedelta(minutes=7 * n)
        assert window.starts_at < now - timedelta(minutes=4)
        assert lifetime / 2 <= window.expires_at - now <= lifetime
