"""What may be asked of a capture, and what is told about it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError
from wentlive_common.capture import Gap, Quality

START = datetime(2026, 11, 23, tzinfo=UTC)


def test_nothing_said_means_the_best_and_h264_first() -> None:
    assert Quality.model_validate({}) == Quality(
        prefer="best", max_height=None, codecs=("h264", "h265"), audio_only=False
    )


@pytest.mark.parametrize(
    "wrong", [{"codecs": []}, {"codecs": ["h264", "h264"]}, {"codecs": ["vp9"]}, {"max_height": 1}]
)
def test_what_nobody_can_mean_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Quality.model_validate(wrong)


def test_a_gap_has_a_length() -> None:
    gap = Gap(started_at=START, ended_at=START + timedelta(seconds=1.5), why="The stream broke off.")
    assert gap.seconds == 1.5
    assert Gap.model_validate_json(gap.model_dump_json()) == gap
