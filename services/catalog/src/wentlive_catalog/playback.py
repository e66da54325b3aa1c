"""Watching: playlists, init segments, and links that expire."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Literal

import structlog
from wentlive_common.clock import Clock
from wentlive_common.errors import NotFound
from wentlive_common.fragment_index import FragmentIndex, InvalidFragmentIndex

from wentlive_catalog.domain.playlist import CLOCK_SKEW, PlaylistPart, Window, playback_window, render_playlist
from wentlive_catalog.domain.recordings import Part, Recording
from wentlive_catalog.ports import BlobLinks, FragmentIndexReader, Link

log = structlog.get_logger(__name__)

LinkKind = Literal["video", "poster", "storyboard", "storyboard_track"]
_ENDINGS: dict[LinkKind, str] = {
    "video": "mp4", "poster": "jpg", "storyboard": "storyboard.jpg", "storyboard_track": "storyboard.vtt",
}  # fmt: skip


class NoSuchPart(NotFound):
    """This recording has no such part."""


class NothingYet(NotFound):
    """There is nothing to see of this yet."""


class Playback:
    def __init__(
        self, links: BlobLinks, indexes: FragmentIndexReader, clock: Clock, playback_lifetime: timedelta
    ) -> None:
        self._links = links
        self._indexes = indexes
        self._clock = clock
        self.lifetime = playback_lifetime

    async def playlist(self, recording: Recording) -> str:
        """HLS over all that is committed; raises NothingYet before the first fragment."""
        window = playback_window(self._clock.now(), self.lifetime)
        parts = recording.watchable_parts
        media = {part.name: (await self._links.sign(part.report.blob, window)).url for part in parts}
        return await self._playlist(recording, parts, media, f"/api/v1/recordings/{recording.recording_id}")

    async def playlist_through_us(self, recording: Recording, parts: Sequence[Part], base: str) -> str:
        """The same over some parts, holding no signature: every address in it begins with `base`."""
        media = {part.name: f"{base}/parts/{part.name}/video.mp4" for part in parts}
        return await self._playlist(recording, parts, media, base)

    async def _playlist(self, recording: Recording, parts: Sequence[Part], media: Mapping[str, str], base: str) -> str:
        indexes = await asyncio.gather(*(self._index(part) for part in parts))
        shown = [
            PlaylistPart(
                media_url=media[part.name],
                init_url=f"{base}/parts/{part.name}/init.mp4",
                opened_at=index.header.opened_at,
                fragments=index.fragments,
            )
            for part, index in zip(parts, indexes, strict=True)
            if index and index.fragments
        ]
        if not shown:
            raise NothingYet
        return render_playlist(shown, over=recording.over)

    async def init_segment(self, recording: Recording, part_name: str) -> bytes:
        """What a player needs before the fragments; kept in the index, since the finished MP4's head has changed."""
        index = await self._index(named_part(recording, part_name))
        if index is None:
            raise NothingYet
        return index.header.init_segment

    async def link(
        self, recording: Recording, part_name: str, kind: LinkKind, lifetime: timedelta, *, download: bool = False
    ) -> Link:
        part = named_part(recording, part_name)
        blob = _blob(part, kind)
        if blob is None or not part.watchable:
            raise NothingYet
        now = self._clock.now()
        window = Window(starts_at=now - CLOCK_SKEW, expires_at=_next_second(now + lifetime))
        return await self._links.sign(blob, window, download_as=_file_name(recording, part, kind) if download else None)

    async def playing_link(self, blob: str | None) -> Link:
        """A link for a page of ours, the same for a while, so that browsers may keep what they fetched."""
        if blob is None:
            raise NothingYet
        return await self._links.sign(blob, playback_window(self._clock.now(), self.lifetime))

    async def _index(self, part: Part) -> FragmentIndex | None:
        try:
            return await self._indexes.read(part.report.index_blob)
        except InvalidFragmentIndex as error:
            # The part's MP4 may be whole and can still be downloaded; the others play.
            log.warning("fragment_index_unreadable", blob=part.report.index_blob, error=error.message)
            return None


def part_blob(recording: Recording, part_name: str, kind: LinkKind) -> str | None:
    """None while there is no such thing; raises NoSuchPart."""
    return _blob(named_part(recording, part_name), kind)


def _blob(part: Part, kind: LinkKind) -> str | None:
    report = part.report
    blobs: dict[LinkKind, str | None] = {
        "video": report.blob, "poster": report.poster_blob,
        "storyboard": report.storyboard_blob, "storyboard_track": report.storyboard_track_blob,
    }  # fmt: skip
    return blobs[kind]


def named_part(recording: Recording, name: str) -> Part:
    """Raises NoSuchPart."""
    part = recording.part(name)
    if part is None:
        raise NoSuchPart
    return part


def _next_second(moment: datetime) -> datetime:
    """A SAS knows whole seconds only; what we say of it must be what storage does."""
    return moment.replace(microsecond=0) + timedelta(seconds=1 if moment.microsecond else 0)


def _file_name(recording: Recording, part: Part, kind: LinkKind) -> str:
    started = part.report.opened_at.strftime("%Y-%m-%d_%H-%M")
    return f"{recording.handle}_{started}_{part.name}.{_ENDINGS[kind]}"
