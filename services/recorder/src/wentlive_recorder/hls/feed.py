"""An HLS live as units: the playlist asked for again and again, its new segments fetched, and what is missing said."""

import asyncio
from collections.abc import AsyncGenerator, Iterator, Sequence
from itertools import accumulate

from wentlive_common.clock import Clock

from wentlive_recorder.decoder import SampleDecoder
from wentlive_recorder.errors import (
    CorruptHls,
    NotHls,
    StreamDropped,
    StreamGone,
    StreamStalled,
    StreamUnreachable,
)
from wentlive_recorder.flv import FlvReader
from wentlive_recorder.hls.playlist import MasterPlaylist, MediaPlaylist, Resource, Segment, parse_playlist
from wentlive_recorder.hls.segment import FLV_MUXER_CLOCK_MS, TRANSPORT_CLOCK_MS, segment_as_flv
from wentlive_recorder.ports import StreamSource
from wentlive_recorder.samples import Break, Unit

_LARGEST_PLAYLIST = 1024 * 1024
_LARGEST_INIT = 1024 * 1024
_LARGEST_SEGMENT = 24 * 1024 * 1024
_FIRST_SEGMENTS = 3
"""Where to join, counted from the end: what RFC 8216 advises."""
_FAR_BEHIND = 10
"""A playlist may come from a cache and be a little old; one this much behind has begun to count anew."""
_TRIES = 3
_BETWEEN_TRIES = 0.5
_MOST_LOST = 5
_SHORTEST_PAUSE, _LONGEST_PAUSE = 0.5, 5.0
_PASSING = (StreamUnreachable, StreamDropped, StreamStalled)


class HlsPlaces:
    """How far each playlist was read, kept over reconnects: the numbers of segments go on."""

    def __init__(self) -> None:
        self._next: dict[str, int] = {}

    def next_number(self, url: str) -> int | None:
        return self._next.get(_unsigned(url))

    def reached(self, url: str, number: int) -> None:
        self._next[_unsigned(url)] = number + 1


class HlsFeed:
    """One HLS stream's units, a segment at a time."""

    def __init__(
        self,
        streams: StreamSource,
        url: str,
        decoder: SampleDecoder,
        places: HlsPlaces,
        clock: Clock,
        stall: float,
        away: float | None = None,
    ) -> None:
        """`away`: how long nothing was recorded, when the stream was recorded in another way before."""
        self._streams, self._url, self._decoder, self._places = streams, url, decoder, places
        self._clock, self._stall, self._away = clock, stall, away
        self._next: int | None = None
        self._init: tuple[Resource, bytes] | None = None
        self._lost = 0
        self.expects_audio = True

    async def __aiter__(self) -> AsyncGenerator[list[Unit]]:
        playlist = await self._opened()
        self._next = self._places.next_number(self._url)
        last_news = self._clock.monotonic()
        while True:
            for segment, missing in self._due(playlist):
                yield await self._units(segment, missing)
                last_news = self._clock.monotonic()
            if playlist.ended:
                return
            if self._clock.monotonic() - last_news > self._stall:
                raise StreamStalled(f"The HLS playlist named nothing new for {self._stall:.0f} s.")
            await self._clock.sleep(min(max(playlist.target / 2, _SHORTEST_PAUSE), _LONGEST_PAUSE))
            playlist = await self._reloaded(playlist)

    async def _opened(self) -> MediaPlaylist:
        """The media playlist, behind a master playlist or not."""
        playlist = await self._playlist()
        if isinstance(playlist, MasterPlaylist):
            self._url = playlist.variants[0]
            playlist = await self._playlist()
        if isinstance(playlist, MasterPlaylist):
            raise NotHls("The HLS playlist names playlists that name no media.")
        return playlist

    async def _reloaded(self, old: MediaPlaylist) -> MediaPlaylist:
        """Trouble on the way that may pass is waited out, as long as there may be news."""
        try:
            playlist = await self._playlist()
        except _PASSING:
            return old
        if isinstance(playlist, MasterPlaylist):
            raise NotHls("The HLS playlist names no media any more.")
        return playlist

    async def _playlist(self) -> MediaPlaylist | MasterPlaylist:
        fetched = await self._streams.fetch(self._url, _LARGEST_PLAYLIST)
        return parse_playlist(fetched.data, fetched.url)

    def _due(self, playlist: MediaPlaylist) -> Iterator[tuple[Segment, Break | None]]:
        """The segments that were not read yet, each with what is to be said before it."""
        segments = playlist.segments
        anew = bool(segments) and self._next is not None and segments[-1].number < self._next - _FAR_BEHIND
        if self._next is None or anew:
            segments = segments[-self._joins(segments) :]
        for segment in segments:
            expected, saying = self._next, None
            if expected is not None and segment.number < expected and not anew:
                continue
            if anew:
                saying, anew = Break("The HLS stream counts its segments anew.", new_clock=True), False
            elif expected is not None and segment.discontinuity:
                saying = Break("The HLS stream says that its times begin anew.", new_clock=True)
            elif expected is not None and segment.number > expected:
                saying = Break(f"{segment.number - expected} HLS segments were gone before they could be read.")
            self._next = segment.number + 1
            yield segment, saying

    def _joins(self, segments: Sequence[Segment]) -> int:
        """How many of the last segments to begin with: as many as were missed, where something was recorded before."""
        if self._next is not None or self._away is None:
            return _FIRST_SEGMENTS
        ages = accumulate(segment.seconds for segment in reversed(segments))
        return 1 + sum(age < self._away for age in ages)

    async def _units(self, segment: Segment, saying: Break | None) -> list[Unit]:
        units: list[Unit] = [saying] if saying else []
        try:
            flv = await self._fetched(segment)
            reader = FlvReader()
            units.extend(self._decoder.units(reader.feed(flv)))
            self.expects_audio = reader.has_audio
            self._lost = 0
        except (*_PASSING, StreamGone, CorruptHls) as error:
            self._lost += 1
            if self._lost >= _MOST_LOST:
                raise CorruptHls(f"{self._lost} HLS segments in a row could not be had: {error.message}") from error
            units.append(Break(f"An HLS segment is missing: {error.message}"))
        self._places.reached(self._url, segment.number)
        return units

    async def _fetched(self, segment: Segment) -> bytes:
        if segment.gap:
            raise StreamGone("The server has not got it.")
        init = await self._init_of(segment)
        self._decoder.clock_wraps_at = TRANSPORT_CLOCK_MS if init is None else FLV_MUXER_CLOCK_MS
        media = await self._patiently(segment.media, _LARGEST_SEGMENT)
        return await asyncio.to_thread(segment_as_flv, media, init)

    async def _init_of(self, segment: Segment) -> bytes | None:
        if segment.init is None:
            return None
        if self._init is None or self._init[0] != segment.init:
            self._init = segment.init, await self._patiently(segment.init, _LARGEST_INIT)
        return self._init[1]

    async def _patiently(self, resource: Resource, most_bytes: int) -> bytes:
        for _ in range(_TRIES - 1):
            try:
                return (await self._streams.fetch(resource.url, most_bytes, resource.stretch)).data
            except (*_PASSING, StreamGone):
                await self._clock.sleep(_BETWEEN_TRIES)
        return (await self._streams.fetch(resource.url, most_bytes, resource.stretch)).data


def _unsigned(url: str) -> str:
    """The address without what changes when it is resolved again."""
    return url.partition("?")[0]
