"""One attempt from start to verdict: asks TikTok, connects, reconnects, believes an end only when TikTok says so."""

from collections.abc import Sequence
from dataclasses import dataclass

import structlog
from wentlive_common.clock import Clock
from wentlive_common.errors import Permanent, WentliveError
from wentlive_common.job import Outcome, RecordingJob
from wentlive_tiktok.ports import LiveStatusSource
from wentlive_tiktok.status import Blocked, Live, LiveStatus, NotFound, Offline, Paused, Restricted, Unknown
from wentlive_tiktok.streams import StreamCandidate

from wentlive_recorder.candidates import CandidateBook
from wentlive_recorder.connection import Connection
from wentlive_recorder.continuity import Continuity
from wentlive_recorder.errors import (
    BlobExists,
    CorruptFlv,
    CorruptHls,
    Fenced,
    MuxFailed,
    NoGrant,
    NotFlv,
    NotHls,
    StorageRefused,
    StorageUnavailable,
    StreamDropped,
    StreamGone,
    StreamStalled,
    StreamUnreachable,
    UnsupportedCodec,
)
from wentlive_recorder.feeds import StreamFeeds
from wentlive_recorder.orders import Orders
from wentlive_recorder.part import PartOpener
from wentlive_recorder.ports import StreamSource
from wentlive_recorder.progress import Progress
from wentlive_recorder.settings import RecorderSettings
from wentlive_recorder.splitter import PartLimits

STREAM_OPENING, STREAM_OVER, LIVE_STATUS, LIVE_OVER = "stream_opening", "stream_over", "live_status", "live_over"
_WORTHWHILE = 5.0
"""Seconds of media that make a connection count as a good one."""
_END_ANSWERS = 2
_HOPELESS_ROUNDS = 2
_FIRST_BACKOFF = 0.5
_STREAM_ERRORS = (
    CorruptFlv,
    CorruptHls,
    MuxFailed,
    NotFlv,
    NotHls,
    StreamDropped,
    StreamGone,
    StreamStalled,
    StreamUnreachable,
    UnsupportedCodec,
)
_STORAGE_ERRORS = (BlobExists, NoGrant, StorageRefused, StorageUnavailable)

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Why the attempt is over."""

    outcome: Outcome
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class World:
    """All that a session reaches out to."""

    tiktok: LiveStatusSource
    streams: StreamSource
    opener: PartOpener
    progress: Progress
    orders: Orders
    clock: Clock


class Session:
    def __init__(self, job: RecordingJob, settings: RecorderSettings, world: World) -> None:
        self._job, self._settings, self._world = job, settings, world
        self._orders, self._progress = world.orders, world.progress
        self._limits = PartLimits(int(settings.longest_part * 1000), settings.largest_part)
        quality = job.quality or settings.default_quality
        self._audio_only = quality.audio_only
        self._candidates = CandidateBook(quality, world.clock)
        self._continuity = Continuity(world.clock)
        self._feeds = StreamFeeds(
            world.streams,
            world.clock,
            settings.read_timeout,
            quality.codecs,
            audio_only=quality.audio_only,
            away=lambda: self._continuity.away,
        )
        self._handle = job.handle
        self._known: Live | None = None
        self._vain_rounds = self._unclear = 0

    async def run(self) -> Verdict:
        """Records until there is a verdict; media and storage errors become one, defects are raised."""
        try:
            while True:
                answer = await self._live()
                verdict = answer if isinstance(answer, Verdict) else await self._round(answer)
                if verdict is not None:
                    return verdict
        except Fenced as error:
            return Verdict("fenced", error.message)
        except _STORAGE_ERRORS as error:
            return Verdict("failed", error.message)

    # Asking TikTok

    async def _live(self) -> Live | Verdict:
        """Asks until our room is live for sure, over for sure, or nobody can tell."""
        ended = 0
        while True:
            status = await self._ask()
            if status is None:
                return self._ordered()
            match status:
                case Live(room=room) if room.room_id == self._job.room_id:
                    self._unclear, self._known = 0, status
                    return status
                case Paused(room=room) if room.room_id == self._job.room_id:
                    ended = self._unclear = 0
                    self._continuity.explained("The creator paused the live.")
                    self._progress.enter("connecting", "The creator has paused the live.")
                    await self._pause(self._settings.paused_interval)
                case Live() | Paused() | Offline():
                    ended += 1
                    if ended >= _END_ANSWERS:
                        log.info(LIVE_OVER, status=status.state)
                        return Verdict("ended")
                    await self._pause(self._settings.end_confirmation)
                case _:
                    answer = await self._nobody_knows(_told(status, self._handle))
                    if answer is not None:
                        return answer

    async def _nobody_knows(self, reason: str) -> Live | Verdict | None:
        """The streams that were known last are tried: TikTok may be silent towards us while the live goes on."""
        self._unclear += 1
        if self._unclear >= self._settings.unclear_answers:
            return Verdict("failed", reason)
        self._progress.enter("connecting", reason)
        await self._pause(self._backoff(self._unclear))
        return self._ordered() if self._orders.given else self._known

    async def _ask(self) -> LiveStatus | None:
        """TikTok's answer, or None when an order came first."""
        answers: list[LiveStatus] = []

        async def ask() -> None:
            job = self._job
            answers.append(
                await self._world.tiktok.live_status(self._handle, creator_id=job.creator_id, open_room=job.room_id)
            )

        if not self._orders.given:
            await self._orders.interrupt(ask())
        if self._orders.given or not answers:
            return None
        status = answers[0]
        if isinstance(status, (Live, Paused)):
            self._handle = status.profile.handle  # creators rename themselves, even while they are live
        log.info(LIVE_STATUS, status=status.state)
        return status

    # Recording

    async def _round(self, live: Live) -> Verdict | None:
        """Tries the candidates in order until one brought media; None means: ask again."""
        problems: list[WentliveError] = []
        for candidate in self._candidates.ordered(live.streams):
            self._progress.choose(self._candidates.choice(candidate, live.streams))
            seconds, problem = await self._record(candidate)
            if self._orders.given:
                return self._ordered()
            if seconds >= _WORTHWHILE:
                self._candidates.served(candidate)
                self._vain_rounds = self._unclear = 0
                return None
            problem = problem or CorruptFlv("The stream ended at once.")
            self._candidates.failed(candidate, problem, brought_media=seconds > 0)
            problems.append(problem)
            if seconds:
                break
        return await self._in_vain(problems)

    async def _in_vain(self, problems: Sequence[WentliveError]) -> Verdict | None:
        self._vain_rounds += 1
        hopeless = all(isinstance(problem, Permanent) for problem in problems)
        rounds = _HOPELESS_ROUNDS if hopeless else self._settings.reconnect_rounds
        reason = _summed_up(problems)
        if self._vain_rounds >= rounds:
            return Verdict("failed", reason)
        self._progress.enter("connecting", reason)
        await self._pause(self._backoff(self._vain_rounds))
        return None

    async def _record(self, candidate: StreamCandidate) -> tuple[float, WentliveError | None]:
        """Seconds of media that one connection brought, and why it ended unless cleanly. Raises storage's errors."""
        log.info(STREAM_OPENING, quality=candidate.quality, role=candidate.role, protocol=candidate.protocol)
        connection = self._connection(candidate)
        problem: WentliveError | None = None
        try:
            await self._orders.interrupt(connection.record(self._feeds, candidate))
        except _STREAM_ERRORS as error:
            problem = error
        except BaseException:
            connection.abandon()
            raise
        problem = await self._end(connection) or problem
        why = problem.message if problem else None
        log.info(STREAM_OVER, seconds=round(connection.seconds, 3), why=why)
        if connection.seconds:
            self._continuity.explained(why or "The stream ended.")
        return connection.seconds, problem

    def _connection(self, candidate: StreamCandidate) -> Connection:
        world = self._world
        return Connection(
            world.opener,
            self._progress,
            self._continuity,
            self._limits,
            self._settings.read_timeout,
            world.clock,
            audio_only=self._audio_only or candidate.codec == "audio",
        )

    async def _end(self, connection: Connection) -> WentliveError | None:
        try:
            if self._orders.abandoned:
                connection.abandon()
            else:
                self._progress.enter("finishing" if self._orders.given else self._progress.state)
                await connection.finish()
        except MuxFailed as error:
            return error
        return None

    def _ordered(self) -> Verdict:
        if self._orders.abandoned:
            return Verdict("fenced", "Another attempt has taken over.")
        return Verdict("stopped")

    def _backoff(self, tries: int) -> float:
        return min(_FIRST_BACKOFF * 2 ** (tries - 1), self._settings.longest_backoff)

    async def _pause(self, seconds: float) -> None:
        if not self._orders.given:
            await self._orders.interrupt(self._world.clock.sleep(seconds))


def _summed_up(problems: Sequence[WentliveError]) -> str:
    if not problems:
        return "The live offers no stream that the wanted quality allows."
    seen = dict.fromkeys(problem.message for problem in problems)
    return f"No stream could be recorded ({len(problems)} tried): " + " ".join(seen)


def _told(status: LiveStatus, handle: str) -> str:
    """What a person can do about an answer that does not say whether the creator is live."""
    match status:
        case Restricted(reason=reason):
            return f"TikTok shows this live to no guest ({reason}); it cannot be recorded without an account."
        case NotFound():
            return f"TikTok knows no @{handle}: the handle was changed, or the account is gone."
        case Blocked(how=how):
            return f"TikTok refuses this network address ({how}); wait, or record from another address."
        case Unknown(why=why):
            return f"TikTok gave no usable answer: {why}"
        case _:
            return f"TikTok says: {status.state}."
