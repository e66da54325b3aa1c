"""MediaSource over any StreamSource: one decoder behind FLV and HLS, so that both become the same units."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager

import structlog
from wentlive_common.capture import VideoCodec
from wentlive_common.clock import Clock
from wentlive_tiktok.streams import StreamCandidate

from wentlive_recorder.decoder import SampleDecoder
from wentlive_recorder.errors import CorruptFlv, NotFlv, UnsupportedCodec
from wentlive_recorder.flv import FlvReader
from wentlive_recorder.hls.feed import HlsFeed, HlsPlaces
from wentlive_recorder.ports import MediaFeed, StreamSource
from wentlive_recorder.samples import Unit

STREAM_DAMAGED = "stream_damaged"
_MOST_TOLD = 100

log = structlog.get_logger(__name__)


class StreamFeeds:
    """The feeds of one attempt; what HLS brought already is not brought again over the next connection."""

    def __init__(
        self,
        streams: StreamSource,
        clock: Clock,
        stall: float,
        codecs: Collection[VideoCodec],
        *,
        audio_only: bool,
        away: Callable[[], float | None] = lambda: None,
    ) -> None:
        """`away`: how many seconds nothing was recorded, when something was before."""
        self._streams, self._clock, self._stall = streams, clock, stall
        self._codecs, self._audio_only = codecs, audio_only
        self._places, self._away = HlsPlaces(), away

    @asynccontextmanager
    async def open(self, candidate: StreamCandidate) -> AsyncGenerator[MediaFeed]:
        decoder = SampleDecoder(self._codecs, audio_only=self._audio_only or candidate.codec == "audio")
        if candidate.protocol == "hls":
            yield HlsFeed(self._streams, candidate.url, decoder, self._places, self._clock, self._stall, self._away())
            return
        async with self._streams.open(candidate.url) as chunks:
            yield FlvFeed(chunks, decoder)


class FlvFeed:
    """FLV's bytes as units."""

    def __init__(self, chunks: AsyncIterator[bytes], decoder: SampleDecoder) -> None:
        self._chunks, self._decoder = chunks, decoder
        self._reader = FlvReader()
        self._told_skips = 0

    @property
    def expects_audio(self) -> bool:
        return self._reader.has_audio

    async def __aiter__(self) -> AsyncGenerator[list[Unit]]:
        async for chunk in self._chunks:
            units: list[Unit] = []
            try:
                units.extend(self._decoder.units(self._reader.feed(chunk)))
            except (NotFlv, CorruptFlv, UnsupportedCodec):
                yield units  # what came before is kept
                raise
            self._tell()
            yield units
        self._reader.finish()

    def _tell(self) -> None:
        reader = self._reader
        if reader.skips > self._told_skips and self._told_skips < _MOST_TOLD:
            log.warning(STREAM_DAMAGED, skips=reader.skips, bytes=reader.skipped_bytes, tolerated=reader.tolerated)
            self._told_skips = reader.skips
