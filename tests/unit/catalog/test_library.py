"""Words that recordings are found by, and the hours of lives."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wentlive_catalog.api.cursors import InvalidCursor, read_cursor, write_cursor
from wentlive_catalog.domain.library import ORDERS, LiveSpan, Position, RecordingOrder, live_hours
from wentlive_catalog.domain.words import MOST_WORDS, wanted_words, words_of
from wentlive_common.ids import new_ulid

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Late-night RAMEN!", ("late", "night", "ramen")),
        ("Café \uff21\uff22\uff23 Straße", ("abc", "cafe", "strasse")),
        ("日本語", ("日本", "本語", "語")),
        ("nightowl.cooks_7", ("7", "cooks", "nightowl")),
        ("🍜 !!", ()),
        ("x" * 100, ("x" * 40,)),
    ],
)
def test_words_of_a_text(text: str, words: tuple[str, ...]) -> None:
    assert words_of((text,)) == words


@given(st.text(max_size=60))
def test_every_text_is_found_by_itself(text: str) -> None:
    words = words_of((text,))
    assert all(any(word.startswith(start) for word in words) for start in wanted_words(text))
    assert len(wanted_words(text)) <= MOST_WORDS


def test_hours_of_lives_over_midnight_and_over_days() -> None:
    spans = [
        LiveSpan(started_at=NOON, ended_at=NOON + timedelta(minutes=45)),
        LiveSpan(started_at=NOON + timedelta(hours=11, minutes=50), ended_at=NOON + timedelta(hours=12, minutes=10)),
    ]
    hours = live_hours(spans, NOON)
    assert {bucket: seconds for bucket, seconds in enumerate(hours) if seconds} == {24: 1800, 25: 900, 47: 600, 0: 600}
    whole = live_hours([LiveSpan(started_at=NOON)], NOON + timedelta(days=2, minutes=30))
    assert whole[24] == 3 * 1800
    assert set(whole) == {3 * 1800, 2 * 1800}
    assert sum(live_hours([LiveSpan(started_at=NOON)], NOON - timedelta(hours=1))) == 0


@pytest.mark.parametrize("order", list(ORDERS))
def test_a_cursor_is_good_for_its_order_only(order: RecordingOrder) -> None:
    position = Position(recording_id=new_ulid(), value=None if ORDERS[order][0] == "recording_id" else 1.5)
    cursor = write_cursor(position, order)
    assert read_cursor(cursor, order) == position
    for other in ORDERS:
        if other != order:
            with pytest.raises(InvalidCursor):
                read_cursor(cursor, other)


@given(st.text(max_size=80))
def test_a_made_up_cursor_is_refused(text: str) -> None:
    with pytest.raises(InvalidCursor):
        read_cursor(text)
