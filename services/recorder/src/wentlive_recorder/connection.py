"""One connection to one stream, from its first unit to its last: units to parts, and what is missing between them."""

from collections import deque
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import aclosing

import structlog
from wentlive_common.capture import Gap
from wentlive_common.clock import Clock
from wentlive_tiktok.streams import StreamCandidate

from wentlive_recorder.continuity import Continuity
from wentlive_recorder.errors import StorageBehind
from wentlive_recorder.part import Part, PartOpener
from wentlive_recorder.ports import MediaFeed, MediaSource
from wentlive_recorder.progress import Progress
from wentlive_recorder.samples import Unit
from wentlive_recorder.splitter import Action, Hole, PartLimits, PartSplitter, Start, Stop, StopReason, Write
from wentlive_recorder.watchdog import Watchdog

PART_ENDING, MEDIA_MISSING, MEDIA_DROPPED = "part_ending", "media_missing", "media_dropped"

log = structlog.get_logger(__name__)


class Connection:
    """Run `record`, then `finish` or `abandon`, whatever came of it."""

    def __init__(
        self,
        opener: PartOpener,
        progress: Progress,
        continuity: Continuity,
        limits: PartLimits,
        stall: float,
        clock: Clock,
        *,
        audio_only: bool = False,
    ) -> None:
        self._opener, self._progress, self._continuity, self._clock = opener, progress, continuity, clock
        self._splitter = PartSplitter(limits, audio_only=audio_only)
        self._watchdog = Watchdog(stall)
        self._part: Part | None = None
        self._dropping = False
        self.seconds = 0.0
        """Media recorded over this connection."""
        self._part_origin = 0
        self._part_seconds = 0.0
        self._brought = self._brought_before = 0.0
        self._growth = 0.0

    async def record(self, feeds: MediaSource, candidate: StreamCandidate) -> None:
        """Returns at a clean end of the stream; raises why it ended otherwise."""
        async with feeds.open(candidate) as feed, aclosing(aiter(feed)) as batches:
            while (units := await self._next(batches)) is not None:
                await self._apply(self._split(units, feed))

    async def _next(self, batches: AsyncIterator[Sequence[Unit]]) -> Sequence[Unit] | None:
        asked = self._clock.monotonic()
        units = await anext(batches, None)
        if units is not None:
            self._watchdog.waited(self._clock.monotonic() - asked, self._brought_before + self._brought)
        return units

    def _split(self, units: Sequence[Unit], feed: MediaFeed) -> Iterator[Action]:
        for unit in units:
            yield from self._splitter.push(unit, expects_audio=feed.expects_audio)

    async def finish(self) -> None:
        """Has the part that is open closed; what the reader still holds of a whole sample goes into it."""
        try:
            await self._apply(self._splitter.finish())
            self._close_part()
        finally:
            self.abandon()

    def abandon(self) -> None:
        """Brings nothing more; a part that is open stays open."""
        part, self._part = self._part, None
        if part is not None:
            part.leave()

    async def _apply(self, actions: Iterable[Action]) -> None:
        if self._dropping and not self._opener.behind:
            # The splitter believes in a part that was given up: it starts another with the next keyframe.
            deque(self._splitter.finish(), maxlen=0)
            self._dropping = False
        for action in actions:
            match action:
                case Start():
                    self._start(action)
                case Stop(reason):
                    log.info(PART_ENDING, part=self._part and self._part.number, why=reason)
                    self._close_part(reason)
                case Hole():
                    if not self._dropping:
                        self._state(self._continuity.left_out(action.milliseconds, action.why))
                case _:
                    await self._write(action)

    def _start(self, start: Start) -> None:
        self._close_part()
        self._brought_before, self._brought = self._brought_before + self._brought, 0.0
        if self._dropping:
            return
        self._state(self._continuity.began(start.origin))
        self._part = self._opener.open(start)
        self._part_origin = start.origin
        self._progress.enter("recording")

    async def _write(self, write: Write) -> None:
        seconds = write.at / 1000
        self._brought = max(self._brought, seconds)
        if self._part is None:
            return
        self._part_seconds = max(self._part_seconds, seconds)
        self._growth = self._clock.monotonic()
        try:
            await self._part.write(write)
        except StorageBehind as error:
            self._drop(error)

    def _drop(self, error: StorageBehind) -> None:
        """Holding the stream back any longer would only make its server hang up: what comes now is lost, and stated."""
        log.warning(MEDIA_DROPPED, why=error.message)
        self._dropping = True
        self._close_part("Storage took the media too slowly.")
        self._progress.enter("recording", "Storage takes the media too slowly; some of it is being lost.")

    def _state(self, gap: Gap | None) -> None:
        if gap is not None:
            log.warning(MEDIA_MISSING, seconds=round(gap.seconds, 3), why=gap.why)
            self._progress.gap(gap)

    def _close_part(self, why: str = "") -> None:
        self.seconds += self._part_seconds
        part, self._part = self._part, None
        if part is not None:
            last = self._part_origin + round(self._part_seconds * 1000)
            silent_for = self._clock.monotonic() - self._growth
            self._continuity.ended(last, silent_for, why, same_clock=why != StopReason.CLOCK_JUMPED)
        self._part_seconds = 0.0
        if part is not None:
            part.close()
