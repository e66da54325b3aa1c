"""The file that FFmpeg's muxer writes into: it grows forward and gives finished fragments away as it goes.

Kept in memory are only the head (all before the first fragment, patched once at the end) and the tail not yet taken.
"""

from wentlive_recorder.boxes import Track, boxes, fragment_duration, tracks
from wentlive_recorder.errors import MuxFailed
from wentlive_recorder.fragment import Fragment


class GrowingMp4:
    """A seekable file object for the muxer. Only the head and what was not taken yet can be rewritten."""

    def __init__(self) -> None:
        self.head = bytearray()
        self.tracks: tuple[Track, ...] = ()
        self._tail = bytearray()
        self._taken = 0
        self._position = 0
        self._grown = False

    @property
    def size(self) -> int:
        return self._taken + len(self._tail)

    # What FFmpeg calls.

    def write(self, data: bytes) -> int:
        data = bytes(data)
        start, end = self._position, self._position + len(data)
        if end <= len(self.head):
            self.head[start:end] = data
        elif start < self._taken or start > self.size:
            raise MuxFailed(f"The muxer wrote at {start}, which is stored already or beyond the end.")
        else:
            at = start - self._taken
            self._tail[at : at + len(data)] = data
        self._position = end
        self._grown = True
        return len(data)

    def seek(self, offset: int, whence: int = 0) -> int:
        self._position = offset + (0, self._position, self.size)[whence]
        return self._position

    def tell(self) -> int:
        return self._position

    # What the part calls.

    def take_fragments(self) -> list[Fragment]:
        """The fragments that are complete since the last call; they leave memory here."""
        if not self._grown or (not self.head and not self._take_head()):
            return []
        self._grown = False
        fragments: list[Fragment] = []
        start = None
        for box in boxes(self._tail):
            if box.kind == b"moof":
                start = box
            elif box.kind == b"mdat" and start is not None:
                fragments.append(self._fragment(start.start, start.end, box.end))
                start = None
        if fragments:
            self._give_away(fragments[-1].offset + len(fragments[-1].data))
        return fragments

    def take_tail(self) -> bytes:
        """All that follows the last fragment; call it after the muxer was closed."""
        tail = bytes(self._tail)
        self._give_away(self.size)
        return tail

    def _take_head(self) -> bool:
        for box in boxes(self._tail):
            if box.kind == b"moov":
                self.head = self._tail[: box.end]
                self.tracks = tracks(bytes(self.head))
                self._give_away(box.end)
                return True
        return False

    def _fragment(self, start: int, moof_end: int, end: int) -> Fragment:
        data = bytes(self._tail[start:end])
        duration = fragment_duration(data[: moof_end - start], self.tracks)
        return Fragment(self._taken + start, duration, data)

    def _give_away(self, until: int) -> None:
        del self._tail[: until - self._taken]
        self._taken = until
