"""One part's MP4: samples in, fragments out as they complete, and at the end what makes it a standard file.

Samples come as MP4 wants them, so nothing is decoded and no library runs: boxes are packed straight from them.
"""

from math import ceil
from struct import error as StructError

from wentlive_recorder.errors import MuxFailed
from wentlive_recorder.fragment import Ending, Fragment
from wentlive_recorder.mp4.aac import sound
from wentlive_recorder.mp4.audio_clock import AudioClock
from wentlive_recorder.mp4.fragments import FragmentWriter, Samples
from wentlive_recorder.mp4.movie import media_info
from wentlive_recorder.mp4.picture import picture
from wentlive_recorder.mp4.tracks import VIDEO_TIMESCALE, audio_track, video_track
from wentlive_recorder.samples import AudioConfig, VideoConfig, VideoSample
from wentlive_recorder.splitter import Start, Write

_TICKS = VIDEO_TIMESCALE // 1000
_SHORTEST, _LONGEST = 500, 4000
"""Milliseconds. A fragment begins with a keyframe, but is lost whole when the recorder is killed: long ones are cut."""
_AHEAD = 1000
"""How far sound may be ahead of the pictures before these count as gone, and fragments are cut without them."""
_SOUND_ALONE = 2000
_MOST_BYTES = 4 * 1024 * 1024
"""While a fragment is put together, it is in memory twice."""
_PATIENCE, _MOST_PATIENCE = 3000, 10_000
"""How long the pictures go on without sound before silence is put in for it: a player waits for what is not there."""


class PartMuxer:
    """The MP4 of one part. Times count from the part's start, in milliseconds. Raises MuxFailed, and CorruptFlv."""

    def __init__(self, start: Start) -> None:
        self._video = _Video(start.video) if start.video else None
        self._audio = _Audio(start.audio) if start.audio else None
        tracks = [track.samples for track in (self._video, self._audio) if track]
        if not tracks:
            raise MuxFailed("The part has neither picture nor sound.")
        self.info = media_info([samples.track for samples in tracks])
        self._fragments = FragmentWriter(tracks)
        self._longest_without_video = _LONGEST + _AHEAD if self._video else _SOUND_ALONE
        self._cut_at = self._bytes = 0

    @property
    def init_segment(self) -> bytes:
        """What a player needs before any fragment."""
        return self._fragments.init_segment

    def write(self, write: Write) -> list[Fragment]:
        """Takes the next sample; returns the fragment that it completes, if it does."""
        sample, at = write
        fragments: list[Fragment] = []
        if isinstance(sample, VideoSample):
            if self._video is None:
                return []
            since = at - self._cut_at
            if since >= _LONGEST or (sample.keyframe and since >= _SHORTEST) or self._bytes > _MOST_BYTES:
                fragments = self._cut(at)
            self._video.samples.add_picture(at * _TICKS, sample.data, sample.delay * _TICKS, key=sample.keyframe)
            self._video.newest = at
        elif self._audio is not None:
            if at - self._cut_at >= self._longest_without_video or self._bytes > _MOST_BYTES:
                fragments = self._cut(at)
            self._audio.add(at, sample.data, self._video.newest if self._video else at)
        self._bytes += len(sample.data)
        return fragments

    def close(self) -> tuple[list[Fragment], Ending]:
        """The last fragment, and the ending to store after it."""
        if self._audio is not None and self._video is not None:
            self._audio.reach(self._video.samples.until / VIDEO_TIMESCALE)
        return self._fragment(None), self._fragments.ending()

    def _cut(self, at: int) -> list[Fragment]:
        """A fragment of everything before a moment; a picture is shown until then."""
        if self._audio is not None and self._video is not None:
            self._audio.fill(at)
        self._cut_at, self._bytes = at, 0
        newest = self._video.newest if self._video else at
        return self._fragment(max(at, newest + 1) * _TICKS)

    def _fragment(self, video_until: int | None) -> list[Fragment]:
        try:
            fragment = self._fragments.cut(video_until)
        except (StructError, OverflowError) as error:
            raise MuxFailed(f"The samples do not fit into an MP4: {error}") from error
        return [fragment] if fragment else []


class _Video:
    def __init__(self, config: VideoConfig) -> None:
        self.samples = Samples(video_track(1, config, picture(config)), VIDEO_TIMESCALE // 30)
        self.newest = 0


class _Audio:
    """The sound, put where its clock says, with silence where it is missing."""

    def __init__(self, config: AudioConfig) -> None:
        heard = sound(config)
        self.samples = Samples(audio_track(2, config, heard), heard.frame)
        self._clock, self._silence = AudioClock(heard), heard.silence or b""
        self._frame = heard.frame
        self._patience = _PATIENCE

    def add(self, at: int, data: bytes, video_at: int) -> None:
        placed = self._clock.place(at)
        if placed is None:
            if self._clock.doubled:
                # It always comes that late, and silence was put in too soon.
                self._patience = max(self._patience, min(video_at - at + _AHEAD, _MOST_PATIENCE))
            return
        time, silent = placed
        if silent:
            self._add_silence(time - silent * self._frame, silent)
        self.samples.add(time, data)

    def fill(self, at: int) -> None:
        self._add_silence(*self._clock.fill(at - self._patience))

    def reach(self, seconds: float) -> None:
        """Nothing follows: silence goes on at least until then. A player would stop at a hole before the next part."""
        frame = self._frame / self.samples.track.timescale
        self._add_silence(*self._clock.fill(ceil((seconds + frame) * 1000) - 1))

    def _add_silence(self, time: int, count: int) -> None:
        for number in range(count):
            self.samples.add(time + number * self._frame, self._silence)
