"""A recording's timeline: parts and gaps along the clock, and where they are while it plays."""

from datetime import UTC, datetime, timedelta

from wentlive_catalog.domain.recordings import Recording, recorded
from wentlive_catalog.testing import RecordingStory
from wentlive_catalog.web.stretches import NARROWEST, SCALE, gaps, stretches
from wentlive_common.events import RecordingData

AT = datetime(2026, 11, 20, 20, 0, tzinfo=UTC)


def recording(*parts: tuple[float, float]) -> Recording:
    """With parts that begin so many seconds after the first, and last so long."""
    story, known = RecordingStory("owl", "7", "8", AT), None
    for number, (begins, lasts) in enumerate(parts, 1):
        opened = AT + timedelta(seconds=begins)
        part = story.part(number, size=10, duration=lasts, fragments=1, closed=True, opened_at=opened)
        data = story.part_closed(part).data
        assert isinstance(data, RecordingData)
        known = recorded(known, data)
    assert known is not None
    return known


def test_a_gap_lies_between_the_parts_and_takes_no_time_while_it_plays() -> None:
    first, gap, second = stretches(recording((0, 60), (90, 30)))
    assert (first.x, first.width, first.starts_at) == (0, SCALE / 2, 0)
    assert (gap.part, gap.x, gap.width, gap.starts_at) == (None, SCALE / 2, SCALE / 4, 60)
    assert (second.x, second.width, second.starts_at) == (SCALE * 3 / 4, SCALE / 4, 60)


def test_parts_that_follow_at_once_or_overlap_have_no_gap_between_them() -> None:
    assert gaps(recording((0, 60), (60.4, 30), (80, 30))) == ()


def test_a_short_gap_can_still_be_seen() -> None:
    (gap,) = gaps(recording((0, 20_000), (20_002, 20_000)))
    assert gap.width == NARROWEST
    assert gap.seconds == 2


def test_nothing_watchable_has_no_timeline() -> None:
    story = RecordingStory("owl", "7", "8", AT)
    data = story.requested().data
    assert isinstance(data, RecordingData)
    assert stretches(recorded(None, data)) == ()
