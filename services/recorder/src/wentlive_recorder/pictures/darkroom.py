"""Makes one part's pictures of its keyframes: all that takes time, for a thread of its own.

Importing this brings FFmpeg along, 23 MB, so the studio does it only when the first picture is due.
"""

from av.video.frame import VideoFrame

from wentlive_recorder.pictures import keyframe
from wentlive_recorder.pictures.merit import merit
from wentlive_recorder.pictures.poster import WINDOW_MS, PosterSearch
from wentlive_recorder.pictures.prints import Prints, Shot, StoryboardFiles
from wentlive_recorder.pictures.storyboard import Storyboard
from wentlive_recorder.samples import VideoConfig

PREVIEW_MS = 30_000
_SEARCH_PAUSE_MS, _FAIR_PAUSE_MS = 1_000, 4_000
"""Between two looks for a poster: while there is none, and while a fair one is shown."""
_EARLY_MS = 500
_PREVIEW_WIDTH, _POSTER_SIDE = 360, 1280


class Darkroom:
    """One keyframe is decoded once, for whatever is due. Never used by two threads at a time."""

    def __init__(self, config: VideoConfig) -> None:
        self._config = config
        self._poster = PosterSearch()
        self._storyboard: Storyboard | None = None
        self._previewed_at = -PREVIEW_MS

    @property
    def pause(self) -> int:
        """Milliseconds until the next keyframe that is of use."""
        if not self._poster.settled:
            return _FAIR_PAUSE_MS if self._poster.fair else _SEARCH_PAUSE_MS
        interval = self._storyboard.interval if self._storyboard else PREVIEW_MS
        return min(interval, PREVIEW_MS) - _EARLY_MS

    def develop(self, shot: Shot) -> Prints:
        """Takes milliseconds. Raises PictureFailed."""
        frame = keyframe.decode(self._config, shot.data, finely=not self._poster.settled)
        return Prints(self._poster_of(frame, shot.at), self._preview_of(frame, shot.at), self._tiled(frame, shot.at))

    def finish(self, end: int) -> Prints:
        """What is still owed when the part ends at so many milliseconds."""
        poster, board = self._poster.settle(), self._storyboard
        return Prints(poster, storyboard=_printed(board, end) if board and board.changed else None)

    def _poster_of(self, frame: VideoFrame, at: int) -> bytes | None:
        search = self._poster
        if search.settled:
            return None
        found = merit(keyframe.luma_rows(frame))
        poster = search.consider(found, lambda: keyframe.jpeg(frame, longest=_POSTER_SIDE))
        return search.settle() or poster if at >= WINDOW_MS else poster

    def _preview_of(self, frame: VideoFrame, at: int) -> bytes | None:
        if at < self._previewed_at + PREVIEW_MS - _EARLY_MS:
            return None
        self._previewed_at = at
        return keyframe.jpeg(frame, width=_PREVIEW_WIDTH, quality=5)

    def _tiled(self, frame: VideoFrame, at: int) -> StoryboardFiles | None:
        board = self._storyboard = self._storyboard or Storyboard(frame.width, frame.height)
        if board.wants(at):
            board.add(at, keyframe.tile(frame, board.tiling))
        return _printed(board, at) if board.worth_telling() else None


def _printed(board: Storyboard, end: int) -> StoryboardFiles:
    sheet = board.sheet(end)
    return StoryboardFiles(keyframe.sprite(sheet), sheet.track)
