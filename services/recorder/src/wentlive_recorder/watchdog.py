"""Knows a stream that is open but dead: nothing to record for long, or so little that it only trickles."""

from wentlive_recorder.errors import StreamStalled

_WINDOW = 30.0
_LEAST_SHARE = 0.2


class Watchdog:
    """Counts only the time spent waiting for the stream: what storage takes is not the stream's fault."""

    def __init__(self, stall: float) -> None:
        self._stall = stall
        self._media = 0.0
        self._barren = 0.0
        self._window = 0.0
        self._window_began_at = 0.0

    def waited(self, seconds: float, media: float) -> None:
        """The stream took so long to bring the next data, and so many seconds of media came of it all until now.

        Raises StreamStalled.
        """
        self._barren = 0.0 if media > self._media else self._barren + seconds
        self._media = media
        if self._barren > self._stall:
            raise StreamStalled(f"The stream brought nothing to record for {self._stall:.0f} s.")
        self._window += seconds
        if self._window >= _WINDOW:
            self._check_pace(media - self._window_began_at)
            self._window, self._window_began_at = 0.0, media

    def _check_pace(self, media: float) -> None:
        if media < self._window * _LEAST_SHARE:
            raise StreamStalled(f"The stream only trickles: {media:.1f} s of media in {self._window:.0f} s.")
