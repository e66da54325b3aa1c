"""The checks that the story relies on must be able to fail."""

from pathlib import Path

import pytest
from wentlive_common.errors import Conflict
from wentlive_devkit.folder import locked_folder
from wentlive_devkit.media_check import MediaFault, decode_fully, decode_some, top_level_boxes
from wentlive_devkit.playlist import PlaylistFault, first_segment

PLAYLIST = """#EXTM3U
#EXT-X-VERSION:7
#EXT-X-MAP:URI="/init.mp4"
#EXT-X-BYTERANGE:300@1200
#EXTINF:2.0,
https://blob/part.mp4?sig=x
#EXT-X-BYTERANGE:400@1500
#EXTINF:2.0,
https://blob/part.mp4?sig=x
"""


def box(kind: bytes, body: bytes = b"") -> bytes:
    return (len(body) + 8).to_bytes(4) + kind + body


def test_the_first_segment_is_what_a_player_would_fetch_first() -> None:
    segment = first_segment(PLAYLIST)
    assert (segment.init_uri, segment.uri, segment.offset, segment.length) == (
        "/init.mp4",
        "https://blob/part.mp4?sig=x",
        1200,
        300,
    )


@pytest.mark.parametrize("text", ["", "#EXTM3U\n", "#EXTM3U\nhttps://blob/part.mp4\n"])
def test_a_playlist_without_a_playable_segment_is_a_fault(text: str) -> None:
    with pytest.raises(PlaylistFault):
        first_segment(text)


def test_boxes_are_listed_and_a_torn_one_is_a_fault() -> None:
    media = box(b"ftyp", b"isom") + box(b"mdat", b"x" * 20)
    assert top_level_boxes(media) == [("ftyp", 12), ("mdat", 28)]
    with pytest.raises(MediaFault, match="mdat"):
        top_level_boxes(media[:-1])


@pytest.mark.parametrize(
    "media",
    [
        box(b"ftyp") + box(b"moov") + box(b"moof") + box(b"mdat"),
        box(b"ftyp") + box(b"mdat"),
        box(b"ftyp") + box(b"mdat", b"x" * 64) + box(b"moov", b"y" * 64),
    ],
    ids=["still fragmented", "no moov", "garbage inside"],
)
def test_what_is_no_standard_mp4_is_a_fault(media: bytes) -> None:
    with pytest.raises(MediaFault):
        decode_fully(media)


def test_what_is_no_picture_is_a_fault() -> None:
    with pytest.raises(MediaFault):
        decode_some(b"<html>not a picture</html>")


def test_a_folder_is_held_by_one_run_and_keeps_what_is_in_it(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    with locked_folder(folder, fresh=False):
        (folder / "kept").write_text("x")
        with pytest.raises(Conflict, match="--data"), locked_folder(folder, fresh=True):
            pass
    with locked_folder(folder, fresh=False):
        assert (folder / "kept").exists()
    assert [entry.name for entry in tmp_path.iterdir()] == ["data"]


def test_a_demo_deletes_only_what_a_demo_made(tmp_path: Path) -> None:
    photos, data, demo = tmp_path / "photos", tmp_path / "data", tmp_path / "demo"
    photos.mkdir()
    (photos / "one.jpg").write_text("x")
    with locked_folder(data, fresh=False):
        (data / "recordings").write_text("x")
    for folder in (photos, data):
        with pytest.raises(Conflict, match="not made by a demo"), locked_folder(folder, fresh=True):
            pass
        assert any(folder.iterdir())
    for _ in range(2):
        with locked_folder(demo, fresh=True):
            assert not (demo / "left").exists()
            (demo / "left").write_text("x")
    with locked_folder(demo, fresh=False):
        assert (demo / "left").exists()
    with pytest.raises(Conflict, match="not made by a demo"), locked_folder(demo, fresh=True):
        pass
    assert {entry.name for entry in tmp_path.iterdir()} == {"photos", "data", "demo"}
