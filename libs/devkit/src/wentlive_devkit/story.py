"""The whole product in one run without a person: follow, go live, watch, finish, download, decode, be refused.

Everything the result names was done and looked at here; nothing is taken from a service's word alone where it can
be checked: media is fetched through the links a person would get and decoded to the last frame.
"""

import asyncio
from datetime import datetime
from http import HTTPStatus

import httpx
import structlog
from wentlive_common.errors import WentliveError
from wentlive_common.model import Model

from wentlive_devkit.catalog_client import ApiRefused, CatalogClient, Part, Recording
from wentlive_devkit.media_check import MediaFault, decode_fully, decode_some
from wentlive_devkit.playlist import first_segment
from wentlive_devkit.simulator_client import SimulatedLive, SimulatorClient
from wentlive_devkit.tiktok.scenario import Scenario

log = structlog.get_logger(__name__)

POLL_SECONDS = 0.25
PATIENCE_SECONDS = 90.0
"""How long after a scheduled moment the product may take before the story gives up."""
LINK_SECONDS = 600
EXPIRED_LINK_SECONDS = 1
DURATION_SLACK_SECONDS = 8.0
"""A recording may miss the time until the watcher saw the live and the join at a keyframe, not more."""
TERMINAL = ("completed", "failed")


class PartResult(Model):
    name: str
    bytes: int
    duration: float
    frames: int
    finish_ms: float | None


class RecordingResult(Model):
    recording_id: str
    creator: str
    room_id: str
    state: str
    parts: tuple[PartResult, ...]
    bytes: int
    duration: float
    live_duration: float
    first_fragment_seconds: float | None
    """From going live to the first committed fragment."""
    played_while_recorded: bool
    expired_link_refused: bool
    faults: tuple[str, ...]


class StoryResult(Model):
    ok: bool
    seconds: float
    servers: dict[str, str]
    recordings: tuple[RecordingResult, ...]
    invalid_handle_refused: bool
    unknown_creator_shown: bool
    faults: tuple[str, ...]


class Story:
    """Plays a scenario against a running stack."""

    def __init__(self, catalog: CatalogClient, scenario: Scenario, simulator: SimulatorClient) -> None:
        self._catalog = catalog
        self._scenario = scenario
        self._simulator = simulator
        self._played: dict[str, str | None] = {}
        """Recording id to the fault met when it was played while it was recorded, None when it played."""

    async def run(self, servers: dict[str, str]) -> StoryResult:
        loop = asyncio.get_running_loop()
        began = loop.time()
        faults: list[str] = []
        refused = await self._invalid_handle_is_refused()
        for creator in self._scenario.creators:
            await self._catalog.follow(creator.handle)
        await self._catalog.follow("nobody.here.at.all")
        await self._simulator.begin()
        recordings = await self._watch_all(faults)
        lives = {live.room_id: live for live in await self._simulator.ended_lives()}
        results = [await self._examine(recording, lives.get(recording.room_id)) for recording in recordings]
        shown = await self._unknown_creator_is_shown()
        good = refused and shown and not faults and all(not result.faults for result in results)
        return StoryResult(
            ok=good,
            seconds=round(loop.time() - began, 1),
            servers=servers,
            recordings=tuple(results),
            invalid_handle_refused=refused,
            unknown_creator_shown=shown,
            faults=tuple(faults),
        )

    async def _invalid_handle_is_refused(self) -> bool:
        try:
            await self._catalog.follow("no such handle!")
        except ApiRefused as error:
            return error.status == HTTPStatus.UNPROCESSABLE_ENTITY
        return False

    async def _unknown_creator_is_shown(self) -> bool:
        states = {creator.handle: creator.status for creator in await self._catalog.creators()}
        return states.get("nobody.here.at.all") == "not_found"

    async def _watch_all(self, faults: list[str]) -> list[Recording]:
        """Follows the story as it happens, playing each recording once while it is recorded."""
        lives = [live for creator in self._scenario.creators for live in creator.lives]
        last = max(live.starts_after_s + (live.duration_s or 0) for live in lives)
        recordings: list[Recording] = []
        try:
            async with asyncio.timeout(last + PATIENCE_SECONDS):
                while len(recordings) < len(lives) or any(r.state not in TERMINAL for r in recordings):
                    await asyncio.sleep(POLL_SECONDS)
                    recordings = await self._catalog.recordings()
                    await self._play_new(recordings)
        except TimeoutError:
            states = ", ".join(f"{r.handle} {r.state}" for r in recordings) or "none"
            faults.append(f"{len(lives)} recordings were to be finished; after {last + PATIENCE_SECONDS:g} s: {states}")
        return sorted(recordings, key=lambda recording: recording.detected_at)

    async def _play_new(self, recordings: list[Recording]) -> None:
        for recording in recordings:
            watchable = any(part.watchable for part in recording.parts)
            if recording.state == "recording" and watchable and recording.recording_id not in self._played:
                self._played[recording.recording_id] = await self._play(recording.recording_id)
                log.info("played_while_recorded", creator=recording.handle, fault=self._played[recording.recording_id])

    async def _play(self, recording_id: str) -> str | None:
        """Fetches the first segment of the growing playlist as a player would and decodes it."""
        try:
            playlist = await self._catalog.playlist(recording_id)
            if "#EXT-X-ENDLIST" in playlist:
                return "the playlist of a running recording says that it has ended"
            segment = first_segment(playlist)
            head = await self._catalog.fetch(segment.init_uri)
            decode_some(head + await fetch_range(segment.uri, segment.offset, segment.length))
        except (WentliveError, MediaFault, httpx.HTTPError) as error:
            return str(error)
        return None

    async def _examine(self, recording: Recording, live: SimulatedLive | None) -> RecordingResult:
        faults = list(self._state_faults(recording, live))
        parts: list[PartResult] = []
        for part in recording.parts:
            parts.append(await self._examine_part(recording, part, faults))
        duration = sum(part.duration for part in parts)
        sent = live.seconds if live else 0.0
        if not sent - DURATION_SLACK_SECONDS <= duration <= sent + 1:
            faults.append(f"{duration:.1f} s were recorded of a live of {sent:.1f} s")
        refused = await self._expired_link_is_refused(recording)
        if not refused:
            faults.append("an expired link still worked")
        return RecordingResult(
            recording_id=recording.recording_id,
            creator=recording.handle,
            room_id=recording.room_id,
            state=recording.state,
            parts=tuple(parts),
            bytes=sum(part.bytes for part in parts),
            duration=round(duration, 3),
            live_duration=round(sent, 3),
            first_fragment_seconds=_first_fragment_seconds(recording, live),
            played_while_recorded=self._played.get(recording.recording_id, "never tried") is None,
            expired_link_refused=refused,
            faults=tuple(faults),
        )

    def _state_faults(self, recording: Recording, live: SimulatedLive | None) -> list[str]:
        faults: list[str] = []
        if recording.state != "completed":
            faults.append(f"it is {recording.state}: {recording.failure}")
        if live is None:
            faults.append("the simulator knows no such room")
        if not recording.parts:
            faults.append("it has no parts")
        if fault := self._played.get(recording.recording_id, "it could not be played while it was recorded"):
            faults.append(fault)
        return faults

    async def _examine_part(self, recording: Recording, part: Part, faults: list[str]) -> PartResult:
        frames = 0
        try:
            link = await self._catalog.link(recording.recording_id, part.name, LINK_SECONDS)
            media = await fetch(link.url)
            report = decode_fully(media)
            frames = report.video_frames
            if part.state != "closed" or len(media) != part.bytes:
                faults.append(f"{part.name} is {part.state} with {part.bytes} bytes, but {len(media)} were downloaded")
            if abs(report.duration - part.duration) > 0.5:
                faults.append(f"{part.name} says {part.duration:.2f} s, but it plays for {report.duration:.2f} s")
            poster = await self._catalog.link(recording.recording_id, part.name, LINK_SECONDS, of="poster")
            decode_some(await fetch(poster.url))
        except (WentliveError, MediaFault, httpx.HTTPError) as error:
            faults.append(f"{part.name}: {error}")
        return PartResult(
            name=part.name, bytes=part.bytes, duration=part.duration, frames=frames, finish_ms=part.finish_ms
        )

    async def _expired_link_is_refused(self, recording: Recording) -> bool:
        """A link that works first and no longer does after its time."""
        if not recording.parts:
            return False
        link = await self._catalog.link(recording.recording_id, recording.parts[0].name, EXPIRED_LINK_SECONDS)
        async with httpx.AsyncClient(timeout=10, trust_env=False) as http:
            deadline = asyncio.get_running_loop().time() + EXPIRED_LINK_SECONDS + 10
            while asyncio.get_running_loop().time() < deadline:
                if (await http.head(link.url)).status_code == HTTPStatus.FORBIDDEN:
                    return datetime.now(link.expires_at.tzinfo) >= link.expires_at
                await asyncio.sleep(POLL_SECONDS)
        return False


def _first_fragment_seconds(recording: Recording, live: SimulatedLive | None) -> float | None:
    committed = recording.first_committed_at
    return round((committed - live.started_at).total_seconds(), 3) if committed and live else None


async def fetch(url: str) -> bytes:
    async with httpx.AsyncClient(timeout=30, trust_env=False) as http:
        response = await http.get(url)
        response.raise_for_status()
        return response.content


async def fetch_range(url: str, offset: int, length: int) -> bytes:
    async with httpx.AsyncClient(timeout=30, trust_env=False) as http:
        response = await http.get(url, headers={"Range": f"bytes={offset}-{offset + length - 1}"})
        if response.status_code != HTTPStatus.PARTIAL_CONTENT:
            raise MediaFault(f"a byte range was answered with {response.status_code}")
        return response.content
