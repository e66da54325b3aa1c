"""A storyboard stays bounded and regular however long a part is, and its track says where each picture is."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wentlive_recorder.pictures.merit import Merit, merit
from wentlive_recorder.pictures.poster import PosterSearch
from wentlive_recorder.pictures.storyboard import COLUMNS, MOST_TILES, Storyboard, Tile, Tiling

CUE = re.compile(
    r"(\d{2,}):(\d\d):(\d\d)\.(\d{3}) --> (\d{2,}):(\d\d):(\d\d)\.(\d{3})\na\.jpg#xywh=(\d+),(\d+),(\d+),(\d+)"
)


def tile_of(board: Storyboard, shade: int) -> Tile:
    wide, high = board.tiling
    half = bytes([shade]) * (wide // 2 * (high // 2))
    return bytes([shade]) * (wide * high), half, half


def shades(board: Storyboard) -> list[int]:
    """The upper left pixel of each picture in the sprite."""
    sheet = board.sheet(0)
    wide, high = board.tiling
    slots = [divmod(slot, COLUMNS) for slot in range(len(board.times))]
    return [sheet.planes[0][row * high * sheet.width + column * wide] for row, column in slots]


def fill(board: Storyboard, seconds: int, step: int = 2) -> None:
    for at in range(0, seconds * 1000, step * 1000):
        if board.wants(at):
            board.add(at, tile_of(board, at // 1000 % 251))


def cues(track: str) -> list[tuple[int, int, tuple[int, ...]]]:
    def milliseconds(h: str, m: str, s: str, ms: str) -> int:
        return ((int(h) * 60 + int(m)) * 60 + int(s)) * 1000 + int(ms)

    assert track.startswith("WEBVTT\n\n")
    found = [CUE.fullmatch(block.strip()) for block in track.split("\n\n")[1:]]
    groups = [match.groups() for match in found if match]
    assert len(groups) == len(found)
    return [(milliseconds(*g[:4]), milliseconds(*g[4:8]), tuple(map(int, g[8:]))) for g in groups]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(100, 400_000), max_size=400), st.integers(0, 60_000))
def test_whatever_the_keyframes_do_the_track_covers_the_part_without_holes(gaps: list[int], rest: int) -> None:
    board = Storyboard(720, 1280)
    at, taken = 0, 0
    for gap in [0, *gaps]:
        at += gap
        if board.wants(at):
            board.add(at, tile_of(board, 1))
            taken += 1
    assert 1 <= len(board.times) <= min(taken, MOST_TILES)
    sheet = board.sheet(at + rest)
    told = cues(sheet.track.webvtt("a.jpg"))
    assert len(told) == len(board.times)
    assert told[0][0] == 0
    assert [stop for _, stop, _ in told[:-1]] == [start for start, _, _ in told[1:]]
    assert told[-1][1] == max(at + rest, board.times[-1] + 1)
    assert all(start < stop for start, stop, _ in told)
    areas = {area for _, _, area in told}
    assert len(areas) == len(told)
    assert all(x + w <= sheet.width and y + h <= sheet.height for x, y, w, h in areas)
    assert [len(plane) for plane in sheet.planes] == [sheet.width * sheet.height // n for n in (1, 4, 4)]


def test_when_it_is_full_every_other_picture_goes_and_the_interval_doubles() -> None:
    board = Storyboard(1280, 720)
    fill(board, 60)
    assert board.times == tuple(range(0, 60_000, 6_000))[:10]
    fill(board, 6 * 3600)
    assert board.interval == 240_000
    assert MOST_TILES // 2 <= len(board.times) <= MOST_TILES
    gaps = [later - sooner for sooner, later in zip(board.times[5:], board.times[6:], strict=False)]
    assert max(gaps) <= 240_000
    assert shades(board) == [at // 1000 % 251 for at in board.times]


def test_a_sheet_is_as_high_as_the_pictures_need() -> None:
    board = Storyboard(720, 1280)
    assert board.tiling == Tiling(90, 160)
    fill(board, 50)
    assert (board.sheet(0).width, board.sheet(0).height) == (900, 160)
    fill(board, 300)
    assert board.sheet(0).height == 320


@pytest.mark.parametrize(("width", "height"), [(0, 0), (1, 9000), (9000, 1), (64, 64)])
def test_odd_shapes_fit(width: int, height: int) -> None:
    wide, high = Tiling.of(width, height)
    assert 2 <= wide <= 160
    assert 2 <= high <= 160
    assert (wide % 2, high % 2) == (0, 0)


def test_a_new_sheet_is_worth_it_only_when_it_has_clearly_more() -> None:
    board = Storyboard(720, 1280)
    told: list[int] = []
    for at in range(0, 1_000_000, 2000):
        if board.wants(at):
            board.add(at, tile_of(board, 1))
        if board.worth_telling():
            board.sheet(at)
            told.append(len(board.times))
    assert told == [4, 8, 12, 16, 20, 25, 31, 38]


CHECKERS = [bytes([40, 200] * 50), bytes([200, 40] * 50)] * 10
BLACK, GREY = [bytes([16]) * 100] * 20, [bytes([128]) * 100] * 20
RAMP = [bytes(range(28, 228, 2))] * 20
DIM = [bytes([16, 30] * 50)] * 20


def test_black_flat_and_blurred_pictures_are_told_from_good_ones() -> None:
    assert merit(CHECKERS).good
    for rows in (BLACK, GREY, RAMP, DIM, []):
        assert not merit(rows).acceptable
    assert merit(RAMP).contrast > 50
    assert merit(DIM).score > merit(BLACK).score


def test_the_poster_is_the_first_fair_picture_until_a_clearly_better_one_comes() -> None:
    search = PosterSearch()
    dark, fair, alike, good = Merit(17, 1, 1), Merit(100, 40, 2.0), Merit(100, 40, 2.5), Merit(110, 45, 7)
    shown = [search.consider(found, lambda name=name: name) for found, name in [
        (dark, b"dark"), (fair, b"fair"), (alike, b"alike"), (dark, b"dark"), (good, b"good"),
    ]]  # fmt: skip
    assert shown == [None, b"fair", None, None, b"good"]
    assert search.settled
    assert search.settle() is None


def test_where_all_is_dark_the_best_there_is_becomes_the_poster() -> None:
    search = PosterSearch()
    for found, name in [(Merit(16, 0, 0), b"black"), (Merit(24, 3, 1), b"dim"), (Merit(16, 0, 0), b"black")]:
        assert search.consider(found, lambda name=name: name) is None
    assert not search.settled
    assert search.settle() == b"dim"
    assert search.settle() is None
