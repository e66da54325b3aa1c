"""Every kind of bad stream, bad storage and violent end at once, a recorder process each; others read what is left."""

import asyncio
import json
import os
import random
import signal
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any

import pytest
from wentlive_common.blobs import part_blobs
from wentlive_common.job import PartReport, SalvagePart
from wentlive_devkit.rig.film import Film, has_readers
from wentlive_devkit.rig.recorder_run import Run
from wentlive_devkit.rig.report_desk import Receiver
from wentlive_devkit.rig.stage import Stage
from wentlive_devkit.rig.storage_gate import StorageGate
from wentlive_devkit.servers import AzuriteServer
from wentlive_devkit.tiktok import (
    Accident,
    BurstTurn,
    ClockTurn,
    CreatorScript,
    FormatTurn,
    LiveScript,
    MediaScript,
    MuteTurn,
    Scenario,
)
from wentlive_devkit.tiktok.ledger import Viewing

pytestmark = pytest.mark.timeout(900)

MEDIA = MediaScript(width=180, height=320, fps=24, gop_s=2, loop_s=8, bitrate=200_000)
LASTS = 13.5
LOST_AT_MOST = 0.5
APART_AT_MOST = 0.04
MEMORY_MB = 90.0
KILL_LOSES_AT_MOST = 6.0
AT_ONCE, KILLED_AT_ONCE = 12, 8
LONG = os.environ.get("WENTLIVE_TORTURE") == "long"
"""`make torture`: what the default run does in two minutes, done for longer."""
KILLS = 200 if LONG else 50
SALVAGED = range(0, KILLS, 10)
DOWN_FOR = 300.0 if LONG else 60.0
ENDS_WITHIN = DOWN_FOR + 120

Picture = tuple[str, int, int]
Reached = Callable[[float], Awaitable[None]]
"""Waits until so many seconds were sent."""
Weather = Callable[[StorageGate, Reached], Coroutine[Any, Any, None]]
UPRIGHT: Picture = ("h264", 180, 320)
HEVC: Picture = ("hevc", 180, 320)


@dataclass(frozen=True)
class Ordeal:
    """A live with something wrong, and what a good recorder makes of it."""

    live: Mapping[str, Any] = field(default_factory=dict)
    media: MediaScript = MEDIA
    settings: Mapping[str, str] = field(default_factory=dict)
    parts: int = 1
    """At most."""
    pictures: tuple[Picture, ...] = (UPRIGHT,)
    """One after another."""
    leap: float = 0.0
    """Seconds that the stream's clock claims more than was sent."""
    weather: Weather | None = None

    def script(self, handle: str) -> CreatorScript:
        live = LiveScript.model_validate({"duration_s": LASTS, "waits_for_viewer": True, **self.live})
        return CreatorScript(handle=handle, nickname=handle, lives=(live,), media=self.media)


def accident(how: str, at_s: float = 5.3, **more: Any) -> dict[str, Any]:
    return {"accidents": (Accident.model_validate({"how": how, "at_s": at_s, **more}),)}


def turns(*turns: Any) -> dict[str, Any]:
    return {"turns": turns}


def other(**media: Any) -> MediaScript:
    return MEDIA.model_copy(update=media)


async def _down(gate: StorageGate, reached: Reached) -> None:
    await reached(5)
    gate.shut()
    await reached(5 + DOWN_FOR)
    gate.open()


async def _answers_are_lost(gate: StorageGate, reached: Reached) -> None:
    """Storage does what it is asked, but nobody hears of it; then the connections break."""
    for seconds in (4, 8):
        await reached(seconds)
        gate.swallows_answers = True
        await reached(seconds + 2.5)
        gate.shut()
        gate.swallows_answers = False
        gate.open()


async def _slower_than_the_stream(gate: StorageGate, reached: Reached) -> None:
    await reached(4)
    gate.bytes_per_second = 50_000
    await reached(16)
    gate.bytes_per_second = None


IMPATIENT = {"read_timeout": "3"}
TWO_MEGABITS = BurstTurn(at_s=0, for_s=86_400, times=8)
ORDEALS = {
    "storage_down": Ordeal(
        {"duration_s": DOWN_FOR + 12},
        media=other(width=720, height=1280, bitrate=2_000_000),
        pictures=(("h264", 720, 1280),),
        weather=_down,
    ),
    "calm": Ordeal(),
    "dropped_in_mid_tag": Ordeal({"cut_after_s": (5.3,)}, parts=2),
    "dropped_thrice": Ordeal({"cut_after_s": (3.1, 3.6, 7.0)}, parts=4),
    "silent_stall": Ordeal(accident("stall"), settings=IMPATIENT, parts=2),
    "short_silence": Ordeal(accident("stall", for_s=2.5)),
    "slow_drip": Ordeal(accident("drip"), settings=IMPATIENT, parts=2),
    "end_that_is_none": Ordeal(accident("eof"), parts=2),
    "chunks_twice": Ordeal(accident("duplicate"), parts=2),
    "garbage_between_tags": Ordeal(accident("garbage"), parts=2),
    "much_garbage": Ordeal(accident("garbage", size=200_000), parts=2),
    "second_file_header": Ordeal(accident("second_header"), parts=2),
    "half_a_tag": Ordeal(accident("truncated"), parts=2),
    "clock_wraps": Ordeal({"first_stamp_ms": 2**32 - 5000}),
    "clock_passes_31_bits": Ordeal({"first_stamp_ms": 2**31 - 5000}),
    "clock_begins_anew": Ordeal(turns(ClockTurn(at_s=6, to_ms=0)), parts=2),
    "clock_leaps": Ordeal(turns(ClockTurn(at_s=5.3, by_ms=100_000)), parts=2),
    "clock_skips": Ordeal(turns(ClockTurn(at_s=5.3, by_ms=3000)), parts=2, leap=3),
    "clock_slips_back": Ordeal(turns(ClockTurn(at_s=5.3, by_ms=-120))),
    "clock_turns_back": Ordeal(turns(ClockTurn(at_s=5.3, by_ms=-3000)), parts=2),
    "phone_is_turned": Ordeal(
        turns(FormatTurn(at_s=4, width=320, height=180), FormatTurn(at_s=8, width=180, height=320)),
        parts=3,
        pictures=(UPRIGHT, ("h264", 320, 180), UPRIGHT),
    ),
    "resolution_changes": Ordeal(
        turns(FormatTurn(at_s=6, width=90, height=160)), parts=2, pictures=(UPRIGHT, ("h264", 90, 160))
    ),
    "codec_changes": Ordeal(
        turns(
            FormatTurn(at_s=4, codec="hevc"), FormatTurn(at_s=7, codec="hevc_legacy"), FormatTurn(at_s=10, codec="h264")
        ),
        parts=4,
        pictures=(UPRIGHT, HEVC, UPRIGHT),
    ),
    "hevc": Ordeal(media=other(codec="hevc"), pictures=(HEVC,)),
    "hevc_legacy": Ordeal(media=other(codec="hevc_legacy"), pictures=(HEVC,)),
    "sound_vanishes": Ordeal(turns(MuteTurn(at_s=5.1, for_s=4))),
    "sound_comes_late": Ordeal(turns(MuteTurn(at_s=0, for_s=4)), parts=2),
    "main_url_gone": Ordeal({"stream": "main_missing", "backup": True}),
    "bitrate_burst": Ordeal(turns(BurstTurn(at_s=4, for_s=3, times=30))),
    "long_gop": Ordeal({"cut_after_s": (6.0,)}, media=other(gop_s=8), parts=2),
    "hls": Ordeal({"stream": "hls", "lead_s": 9, "duration_s": LASTS + 9}),
    "hls_fmp4": Ordeal({"stream": "hls_fmp4", "lead_s": 9, "duration_s": LASTS + 9}),
    "storage_answers_lost": Ordeal({"duration_s": 18}, weather=_answers_are_lost),
    "storage_slow": Ordeal(
        {"duration_s": 24, **turns(TWO_MEGABITS)},
        settings={"buffer_bytes": str(1024 * 1024)},
        parts=3,
        weather=_slower_than_the_stream,
    ),
}


@dataclass
class Outcome:
    """How an ordeal ended."""

    exit_code: int
    receiver: Receiver
    sent: list[Viewing]
    films: list[Film]
    faults: list[str]
    memory: float
    log: str

    @property
    def parts(self) -> list[PartReport]:
        return [part for _, part in sorted(self.receiver.parts.items())]

    @property
    def seconds(self) -> float:
        """Recorded."""
        return sum(film.seconds for film in self.films)

    @property
    def stated(self) -> float:
        """Seconds that the recorder says are missing."""
        lines = [json.loads(line) for line in self.log.splitlines() if "media_missing" in line]
        return sum(line["seconds"] for line in lines)

    @property
    def owed(self) -> float:
        """What was sent and is not stated to be missing. Gaps are of the broadcast: some of it nobody was sent."""
        ends = [(viewing.joined_ms / 1000, viewing.joined_ms / 1000 + viewing.seconds) for viewing in self.sent]
        unsent = [joined - ended for (_, ended), (joined, _) in pairwise(ends)]
        sent = sum(viewing.seconds for viewing in self.sent)
        return sent + sum(missing for missing in unsent if missing > LOST_AT_MOST) - self.stated


@dataclass(frozen=True)
class Loss:
    """What a recorder had been sent when it was killed, and what was found in storage."""

    had: float = 0.0
    kept: Film = field(default_factory=Film)
    salvaged: Film | None = None
    fault: str = ""


@dataclass(frozen=True)
class Torture:
    ordeals: dict[str, Outcome]
    kills: list[Loss]


@pytest.fixture(scope="module")
def torture(azurite: AzuriteServer, tmp_path_factory: pytest.TempPathFactory) -> Torture:
    """All of it side by side: recorders mostly wait, and the longest ordeal takes its minute anyway."""
    if not has_readers():
        if os.environ.get("CI"):
            pytest.fail("There is no ffmpeg to check recordings with.")
        pytest.skip("There is no ffmpeg to check recordings with: run `apt-get install ffmpeg`.")
    return asyncio.run(_inflict(azurite, tmp_path_factory.mktemp("torture")))


async def _inflict(azurite: AzuriteServer, folder: Path) -> Torture:
    chance = random.Random(4)
    moments = {f"killed{number}": chance.uniform(0.5, 9) for number in range(KILLS)}
    ordeals = [ordeal.script(handle) for handle, ordeal in ORDEALS.items()]
    live = LiveScript(waits_for_viewer=True)
    killed = [CreatorScript(handle=handle, nickname=handle, lives=(live,)) for handle in moments]
    places, gallows = asyncio.Semaphore(AT_ONCE), asyncio.Semaphore(KILLED_AT_ONCE)
    async with Stage.open(azurite, Scenario(creators=(*ordeals, *killed), media=MEDIA), folder) as stage:
        outcomes, losses = await asyncio.gather(
            asyncio.gather(*(_endure(stage, azurite, places, *named) for named in ORDEALS.items())),
            asyncio.gather(*(_killed(stage, gallows, *named) for named in moments.items())),
        )
    return Torture(dict(zip(ORDEALS, outcomes, strict=True)), losses)


async def _endure(
    stage: Stage, azurite: AzuriteServer, places: asyncio.Semaphore, handle: str, ordeal: Ordeal
) -> Outcome:
    async with places, StorageGate.start(azurite.blob_endpoint) as gate:
        storage = stage.storage.through(gate.endpoint) if ordeal.weather else stage.storage
        async with stage.run(handle, storage=storage, settings=ordeal.settings) as run:
            exit_code, memory = await _seen_out(run, gate, ordeal.weather, lambda: stage.sent(handle))
    films, faults = await _read(stage, run.receiver)
    return Outcome(exit_code, run.receiver, stage.viewings(handle), films, faults, memory, run.log.read_text())


async def _seen_out(
    run: Run, gate: StorageGate, weather: Weather | None, sent: Callable[[], float]
) -> tuple[int, float]:
    """Exit code and peak memory; a recorder that comes to no end is killed."""
    memory = 0.0

    async def reached(seconds: float) -> None:
        await run.until(lambda: sent() >= seconds, timeout=DOWN_FOR + 60)

    changing = [asyncio.create_task(weather(gate, reached))] if weather else []
    deadline = time.monotonic() + ENDS_WITHIN
    while run.process.returncode is None:
        with suppress(StopIteration, OSError):  # it may be gone at any moment
            memory = max(memory, run.peak_memory())
        if time.monotonic() > deadline:
            run.process.kill()
            await run.exit()
        await asyncio.sleep(0.3)
    await asyncio.gather(*changing, return_exceptions=True)  # a recorder that went too early is found out anyway
    return run.process.returncode, memory


async def _read(stage: Stage, receiver: Receiver) -> tuple[list[Film], list[str]]:
    """Every part as others see it, and what they complain of."""
    films: list[Film] = []
    faults: list[str] = []
    for _, part in sorted(receiver.parts.items()):
        try:
            films.append(await stage.read(part.blob))
        except Exception as error:
            faults.append(f"{part.blob}: {type(error).__name__}: {error}")
    return films, faults


async def _killed(stage: Stage, gallows: asyncio.Semaphore, handle: str, moment: float) -> Loss:
    try:
        async with gallows:
            return await _kill(stage, handle, moment)
    except Exception as error:
        return Loss(fault=f"{type(error).__name__}: {error}")


async def _kill(stage: Stage, handle: str, moment: float) -> Loss:
    async with stage.run(handle) as run:
        await run.until(lambda: stage.sent(handle) >= moment, timeout=120)
        had = stage.sent(handle)
        run.process.send_signal(signal.SIGKILL)
        await run.exit()
    kept = await stage.read(f"{run.stem()}.mp4")
    number = int(handle.removeprefix("killed"))
    return Loss(had, kept, await _salvaged(stage, handle, run) if number in SALVAGED and kept.pictures else None)


async def _salvaged(stage: Stage, handle: str, run: Run) -> Film:
    """What the next attempt makes of the part when the live is over."""
    prefix = run.job.blob_prefix
    names = part_blobs(prefix, 1, 1)
    part = SalvagePart(attempt=1, part=1, blob=names.media, index_blob=names.index)
    grants = stage.storage.grants(prefix, 1, range(1, 2)) + stage.storage.grants(prefix, 2, range(1, 2))
    again = {"recording_id": run.job.recording_id, "blob_prefix": prefix, "grants": grants}
    async with stage.run(handle, attempt=2, task="salvage", salvage=(part,), **again) as second:
        assert await second.exit(timeout=120) == 0
    assert [one.problem for one in second.receiver.last.salvaged] == [None]
    assert stage.storage.index(names.index).closed
    return await stage.read(names.media)


every = pytest.mark.parametrize("ordeal", ORDEALS)


@every
def test_every_file_is_whole(ordeal: str, torture: Torture) -> None:
    outcome = torture.ordeals[ordeal]
    assert outcome.faults == []
    assert (outcome.exit_code, outcome.receiver.last.outcome) == (0, "ended"), outcome.receiver.last.reason
    assert {part.state for part in outcome.parts} == {"closed"}
    for film, part in zip(outcome.films, outcome.parts, strict=True):
        assert film.span == pytest.approx(part.duration, abs=0.1)
        assert film.claimed == pytest.approx(part.duration, abs=0.1)


@every
def test_picture_and_sound_stay_together(ordeal: str, torture: Torture) -> None:
    films = torture.ordeals[ordeal].films
    assert sum(len(film.beeps) for film in films) >= 4
    assert [film.worst_sync for film in films if film.worst_sync > APART_AT_MOST] == []


@every
def test_what_was_sent_is_there(ordeal: str, torture: Torture) -> None:
    outcome = torture.ordeals[ordeal]
    told = sum(part.duration for part in outcome.parts) - ORDEALS[ordeal].leap
    assert outcome.seconds >= outcome.owed - LOST_AT_MOST
    assert outcome.seconds <= sum(viewing.seconds for viewing in outcome.sent) + LOST_AT_MOST
    assert outcome.seconds >= told - outcome.stated - LOST_AT_MOST


@every
def test_parts_are_as_few_as_can_be(ordeal: str, torture: Torture) -> None:
    outcome, expected = torture.ordeals[ordeal], ORDEALS[ordeal]
    assert len(outcome.parts) <= expected.parts
    pictures = [(film.codec, *size) for film in outcome.films for size in film.sizes]
    assert tuple(picture for picture, _ in groupby(pictures)) == expected.pictures


@every
def test_memory_stays_bounded(ordeal: str, torture: Torture) -> None:
    assert torture.ordeals[ordeal].memory < MEMORY_MB


def test_calm_means_every_single_frame(torture: Torture) -> None:
    (viewing,), (film,) = torture.ordeals["calm"].sent, torture.ordeals["calm"].films
    assert len(film.pictures) == sum(passage.video_frames for passage in viewing.passages)
    assert abs(len(film.sounds) - sum(passage.audio_frames for passage in viewing.passages)) <= 1


@pytest.mark.parametrize("number", range(KILLS))
def test_a_kill_loses_six_seconds_at_most_and_what_is_committed_decodes(number: int, torture: Torture) -> None:
    loss = torture.kills[number]
    assert loss.fault == ""
    assert loss.had - loss.kept.seconds <= KILL_LOSES_AT_MOST
    if loss.salvaged is not None:
        assert loss.salvaged.pictures == loss.kept.pictures


def test_kills_hit_recordings_that_had_begun(torture: Torture) -> None:
    assert sum(bool(loss.kept.pictures) for loss in torture.kills) > KILLS / 2
    assert sum(loss.salvaged is not None for loss in torture.kills) >= 2
