"""One connection to one stream URL, from its first byte to its last: bytes to tags to samples to parts."""

from collections.abc import Iterable

import structlog
from wentlive_common.clock import Clock

from wentlive_recorder.errors import StreamStalled
from wentlive_recorder.flv import FlvReader
from wentlive_recorder.part import Part, PartOpener
from wentlive_recorder.ports import StreamSource
from wentlive_recorder.progress import Progress
from wentlive_recorder.samples import SampleDecoder
from wentlive_recorder.splitter import Action, PartLimits, PartSplitter, Start, Stop

PART_ENDING = "part_ending"

log = structlog.get_logger(__name__)


class Connection:
    """Run `record`, then `finish` or `abandon`, whatever came of it."""

    def __init__(
        self, opener: PartOpener, progress: Progress, limits: PartLimits, stall: float, clock: Clock, last_part: int
    ) -> None:
        self._opener, self._progress, self._clock = opener, progress, clock
        self._reader, self._decoder, self._splitter = FlvReader(), SampleDecoder(), PartSplitter(limits)
        self._stall = stall
        self._part: Part | None = None
        self.last_part: int = last_part
        self.seconds = 0.0
        """Media recorded over this connection."""
        self._part_seconds = 0.0
        self._growth = 0.0

    async def record(self, streams: StreamSource, url: str) -> None:
        """Returns at a clean end of the stream; raises why it ended otherwise."""
        async with streams.open(url) as chunks:
            self._growth = self._clock.monotonic()
            async for chunk in chunks:
                for tag in self._reader.feed(chunk):
                    unit = self._decoder.decode(tag)
                    if unit is not None:
                        await self._apply(self._splitter.push(unit, expects_audio=self._reader.has_audio))
                self._check_growth()
        self._reader.finish()

    async def finish(self) -> None:
        """Closes the part that is open; what the reader still holds of a whole sample goes into it."""
        try:
            await self._apply(self._splitter.finish())
            await self._close_part()
        finally:
            await self.abandon()

    async def abandon(self) -> None:
        part, self._part = self._part, None
        if part is not None:
            await part.abandon()

    def _check_growth(self) -> None:
        """A stream may drip bytes for ever without a frame to record."""
        if self._clock.monotonic() - self._growth > self._stall:
            raise StreamStalled(f"The stream brought nothing to record for {self._stall:.0f} s.")

    async def _apply(self, actions: Iterable[Action]) -> None:
        for action in actions:
            match action:
                case Start():
                    await self._close_part()
                    self._part = await self._opener.open(action, self.last_part)
                    self.last_part = self._part.names.number
                    self._progress.enter("recording")
                case Stop(reason):
                    log.info(PART_ENDING, part=self.last_part, why=reason)
                    await self._close_part()
                case _:
                    if self._part is not None:
                        await self._part.write(action)
                    self._part_seconds = max(self._part_seconds, action.at / 1000)
                    self._growth = self._clock.monotonic()

    async def _close_part(self) -> None:
        self.seconds += self._part_seconds
        self._part_seconds = 0.0
        if self._part is not None:
            await self._part.close()
            self._part = None
