"""Which of a part's first keyframes becomes its poster: soon a fair one, later perhaps a clearly better one."""

from collections.abc import Callable

from wentlive_recorder.pictures.merit import Merit

WINDOW_MS = 20_000
"""How long after its beginning a part's poster is looked for."""


class PosterSearch:
    def __init__(self) -> None:
        self._best: Merit | None = None
        self._kept_back: bytes | None = None
        self.settled = False
        """Whether nothing better is looked for any more."""

    @property
    def fair(self) -> bool:
        """Whether one is shown that will do."""
        return self._best is not None and self._best.acceptable

    def consider(self, found: Merit, to_jpeg: Callable[[], bytes]) -> bytes | None:
        """The poster to show from now on, if this picture is it."""
        if self._best is not None and not found.clearly_better(self._best):
            return None
        jpeg = to_jpeg()
        self._best, self.settled = found, found.good
        self._kept_back = None if found.acceptable else jpeg
        return jpeg if found.acceptable else None

    def settle(self) -> bytes | None:
        """Ends the search; where nothing was worth showing, the best there was is shown now."""
        self.settled = True
        jpeg, self._kept_back = self._kept_back, None
        return jpeg
