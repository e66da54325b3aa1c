"""Keeps the process small and its memory flat. It comes before everything else, so it imports next to nothing."""

import ctypes
import gc
import sys

_ARENA_MAX, _MMAP_THRESHOLD = -8, -3
_LARGE = 64 * 1024
_LEFT_OUT = ("rich", "pygments", "click", "greenlet")
"""For people at a terminal, and for other ways to run: structlog and httpx load them wherever they are installed."""


def settle() -> None:
    """To be called before there are threads and before anything else is imported.

    Left alone, glibc keeps a heap for each thread, and once a large buffer was freed it takes later ones from there
    too: fragments and pictures then leave it full of holes. Measured over an hour with pictures: 76 MB, otherwise 92.
    Where the C library is not glibc, nothing of this happens.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_ARENA_MAX, 1)
        mallopt(_MMAP_THRESHOLD, _LARGE)
    # None makes an import of it fail, as if it were not there: 5 MB where it is.
    sys.modules.update(dict.fromkeys(_LEFT_OUT))  # type: ignore[arg-type]


def give_back() -> None:
    """To be called once all that lasts is there: what starting took and left goes back to the system, 4 MB.

    What lasts is not looked through for garbage again either.
    """
    gc.collect()
    gc.freeze()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
