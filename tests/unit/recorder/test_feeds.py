"""FLV's bytes as a feed of units: nothing that came is lost to what came after it."""

from collections.abc import Sequence
from typing import Any

import pytest
from structlog.testing import capture_logs
from wentlive_common.clock import SystemClock
from wentlive_recorder.decoder import SampleDecoder
from wentlive_recorder.errors import CorruptFlv, StreamDropped
from wentlive_recorder.feeds import STREAM_DAMAGED, StreamFeeds
from wentlive_recorder.samples import AudioSample, Unit, VideoConfig, VideoSample
from wentlive_recorder.testing import FakeStreamSource, ScriptedStream
from wentlive_tiktok.streams import StreamCandidate

URL = "http://cdn/main.flv"


def candidate(**more: Any) -> StreamCandidate:
    values = {"url": URL, "protocol": "flv", "quality": "origin", "level": 10, "codec": "h264"}
    return StreamCandidate.model_validate(values | more)


async def brought(stream: ScriptedStream, taken: list[Unit], which: StreamCandidate | None = None) -> None:
    streams = FakeStreamSource(chunk=1000)
    streams.script(URL, stream)
    feeds = StreamFeeds(streams, SystemClock(), 20.0, ("h264", "h265"), audio_only=False)
    async with feeds.open(which or candidate()) as feed:
        async for units in feed:
            taken.extend(units)


def count(units: Sequence[Unit], kind: type) -> int:
    return sum(isinstance(unit, kind) for unit in units)


@pytest.mark.parametrize("error", [StreamDropped(), None])
async def test_all_that_came_before_the_end_is_there(portrait: bytes, error: Exception | None, streams: Any) -> None:
    half = portrait[: len(portrait) // 2]
    taken: list[Unit] = []
    with pytest.raises(type(error) if error else CorruptFlv):
        await brought(ScriptedStream(half, error=error), taken)
    assert taken == list(SampleDecoder().units(streams.tags(half)))
    assert count(taken, VideoSample) > 100


async def test_damage_is_told(portrait: bytes, streams: Any) -> None:
    before = len(streams.flv([tag for tag in streams.tags(portrait) if tag.timestamp < 6100]))
    with capture_logs() as logs:
        await brought(ScriptedStream(portrait[:before] + bytes(500) + portrait[before:]), [])
    (told,) = [entry for entry in logs if entry["event"] == STREAM_DAMAGED]
    assert (told["skips"], told["bytes"], told["tolerated"]) == (1, 500, 0)


async def test_a_stream_of_sound_brings_nothing_else(portrait: bytes) -> None:
    taken: list[Unit] = []
    await brought(ScriptedStream(portrait), taken, candidate(codec="audio", quality="ao"))
    assert count(taken, AudioSample) > 200
    assert count(taken, VideoSample) + count(taken, VideoConfig) == 0
