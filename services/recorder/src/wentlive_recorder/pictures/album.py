"""One part's pictures as its recording sees them: keyframes are shown to it, and it says what is stored."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import structlog
from wentlive_common.errors import WentliveError
from wentlive_common.job import PartReport

from wentlive_recorder.errors import PictureFailed
from wentlive_recorder.grants import PartNames
from wentlive_recorder.pictures.prints import Prints, Shot
from wentlive_recorder.pictures.storyboard import TRACK_CONTENT_TYPE
from wentlive_recorder.pictures.studio import Studio
from wentlive_recorder.samples import VideoConfig, VideoSample
from wentlive_recorder.splitter import Write

if TYPE_CHECKING:
    from wentlive_recorder.pictures.darkroom import Darkroom

PICTURE_FAILED, PICTURE_NOT_STORED, PICTURES_MISSING = "picture_failed", "picture_not_stored", "pictures_missing"
_DROPPED = "pictures_dropped"
_JPEG = "image/jpeg"
_NEXT_KEYFRAME_MS, _AFTER_A_FAILURE_MS = 1_000, 5_000

log = structlog.get_logger(__name__)


def _nobody() -> None:
    """Is told when the album is closed."""


class Album:
    """Nothing here fails, and only `finish` waits, for a bounded time: what cannot be had is left out and counted."""

    def __init__(self, studio: Studio, config: VideoConfig | None, stored: Callable[[], None]) -> None:
        """`stored` is called whenever there is more to report; without a configuration there are no pictures."""
        self._studio, self._on_stored = studio, stored
        self._config = config
        self._next_at = self._end_at = 0
        self._darkroom: Darkroom | None = None
        self._names: PartNames | None = None
        self._owed = Prints()
        self._stored: set[str] = set()
        self._counts = {PICTURE_FAILED: 0, PICTURE_NOT_STORED: 0, _DROPPED: 0}
        self._over = config is None

    def see(self, write: Write) -> None:
        """Every sample that is written."""
        sample, at = write
        self._end_at = max(self._end_at, at)
        if at < self._next_at or not isinstance(sample, VideoSample) or not sample.keyframe:
            return
        config = self._config
        if config is None or self._over:
            return
        self._next_at = at + _NEXT_KEYFRAME_MS
        shot = Shot(sample.data, at)
        if not self._studio.offer(lambda: self._develop(config, shot)):
            self._counts[_DROPPED] += 1

    def named(self, names: PartNames) -> None:
        """From now on there is a place for its pictures."""
        self._names = names
        self._studio.require(self._store)

    async def finish(self, patience: float) -> None:
        """Has the last pictures made and stored, as long as patience lasts."""
        if not self._over:
            done = asyncio.Event()
            if self._studio.require(lambda: self._finish(done)):
                with suppress(TimeoutError):
                    async with asyncio.timeout(patience):
                        await done.wait()
        self.give_up()

    def give_up(self) -> None:
        """Nothing more is made or stored."""
        if not self._over and any(self._counts.values()):
            log.warning(PICTURES_MISSING, part=self._names.number if self._names else None, **self._counts)
        self._over = True
        # Megabytes that nobody needs, and the way back to the part, which would hold both until they are found garbage.
        self._darkroom, self._owed, self._on_stored = None, Prints(), _nobody

    def reported(self, report: PartReport) -> PartReport:
        """With the pictures that are in storage."""
        if self._names is None:
            return report
        blobs = self._names.blobs
        fields = {
            "poster_blob": blobs.poster,
            "storyboard_blob": blobs.storyboard,
            "storyboard_track_blob": blobs.storyboard_track,
            "preview_blob": self._studio.preview_blob,
        }
        return report.model_copy(update={name: blob for name, blob in fields.items() if blob in self._stored})

    # What the studio does, one thing after another

    async def _develop(self, config: VideoConfig, shot: Shot) -> None:
        if self._over:
            return
        try:
            pause, prints = await self._studio.in_thread(lambda: self._developed(config, shot))
        except PictureFailed as error:
            self._next_at = shot.at + _AFTER_A_FAILURE_MS
            self._count(PICTURE_FAILED, error)
            return
        self._next_at = shot.at + pause
        self._owed = prints.over(self._owed)
        await self._store()

    def _developed(self, config: VideoConfig, shot: Shot) -> tuple[int, Prints]:
        from wentlive_recorder.pictures.darkroom import Darkroom  # brings FFmpeg along: not before it is needed

        darkroom = self._darkroom = self._darkroom or Darkroom(config)
        prints = darkroom.develop(shot)
        return darkroom.pause, prints

    async def _finish(self, done: asyncio.Event) -> None:
        try:
            if self._darkroom is not None and not self._over:
                darkroom, end = self._darkroom, self._end_at
                self._owed = (await self._studio.in_thread(lambda: darkroom.finish(end))).over(self._owed)
                await self._store()
        except PictureFailed as error:
            self._count(PICTURE_FAILED, error)
        finally:
            done.set()

    async def _store(self) -> None:
        """What fails stays owed, until the next time or until a newer one takes its place."""
        if self._names is None or self._over:
            return
        before = len(self._stored)
        try:
            await self._store_owed(self._names)
        except WentliveError as error:
            self._count(PICTURE_NOT_STORED, error)
        if len(self._stored) > before:
            self._on_stored()

    async def _store_owed(self, names: PartNames) -> None:
        blobs, owed = names.blobs, self._owed
        if owed.poster is not None:
            await self._upload(blobs.poster, owed.poster, _JPEG)
            self._owed = replace(self._owed, poster=None)
        if owed.preview is not None:
            await self._upload(self._studio.preview_blob, owed.preview, _JPEG)
            self._owed = replace(self._owed, preview=None)
        if owed.storyboard is not None:
            sprite, track = owed.storyboard
            await self._upload(blobs.storyboard, sprite, _JPEG)
            # Named as seen from beside it.
            text = track.webvtt(blobs.storyboard.rpartition("/")[2])
            await self._upload(blobs.storyboard_track, text.encode(), TRACK_CONTENT_TYPE)
            self._owed = replace(self._owed, storyboard=None)

    async def _upload(self, blob: str, data: bytes, content_type: str) -> None:
        await self._studio.sink.upload(blob, data, content_type)
        self._stored.add(blob)

    def _count(self, what: str, error: WentliveError) -> None:
        """Said the first time only; the end says how often."""
        if not self._counts[what]:
            log.warning(what, why=error.message, part=self._names.number if self._names else None)
        self._counts[what] += 1
