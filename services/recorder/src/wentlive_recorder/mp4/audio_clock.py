"""Smooth times for sound that stay with the stream's stamps: a frame lasts as it lasts, but stamps jitter and drift.

Players differ in what they make of a hole in the sound's times: some wait, browsers play on and are early ever after.
So there are none. Sound is put end to end, and where the stamps have gone away from it, a whole frame of silence is
put in or a frame is left out. Where no silent frame is known, times follow the stamps instead.
"""

from wentlive_recorder.mp4.aac import Sound

_TOLERANCE = 0.020
"""Seconds that the sound may be away from its stamps for a while before it is put right."""
_HOLE, _DOUBLED = 0.040, 0.250
"""Seconds from which one stamp alone proves that sound is missing, or that there is sound of this time already."""
_LARGEST_HOLE, _RUEFUL = 0.640, 10.0
"""Where silence proves within so many seconds to have been put in for nothing, it takes more than that from then on."""
_LONGEST_FRAME = 0.065
"""Seconds; whole frames that are longer would leave sound and picture more than 40 ms apart."""
_LONGEST_SILENCE = 15.0
_WEIGHT = 1 / 32
"""Of a stamp in the smoothed difference: what jitters within half a second is left alone."""


class AudioClock:
    """Turns stamps in milliseconds into ticks of the sound's own rate."""

    def __init__(self, sound: Sound) -> None:
        rate, self._frame = sound.rate, sound.frame
        self._rate = rate
        self._fills = sound.silence is not None and sound.frame <= _LONGEST_FRAME * rate
        self._tolerance = max(_TOLERANCE * rate, 0.55 * sound.frame if self._fills else 0.0)
        self._hole, self._far = _HOLE * rate, -_DOUBLED * rate
        self._due: int | None = None
        self._put_right = -_RUEFUL * rate
        self._drift = 0.0
        self._after_silence = False
        self.doubled = False
        """Whether the newest frame was left out because there is sound of its time already."""

    def place(self, stamp_ms: int) -> tuple[int, int] | None:
        """When the frame is due, and how many frames of silence belong right before it; None to leave it out."""
        stamp = round(stamp_ms * self._rate / 1000)
        if self._due is None:
            return self._put(stamp, 0)
        off = stamp - self._due
        self.doubled = off < (-self._frame // 2 if self.doubled else self._far)
        if self.doubled:
            self._drift = 0.0
            return None
        if off > self._hole or (self._after_silence and off > self._frame // 2):
            self._drift = off
            return self._late(self._due, off)
        self._after_silence = False
        self._drift += (off - self._drift) * _WEIGHT
        if self._drift > self._tolerance:
            return self._late(self._due, round(self._drift))
        if self._drift < -self._tolerance:
            return self._early(self._due)
        return self._put(self._due, 0)

    def fill(self, until_ms: int) -> tuple[int, int]:
        """Where silence begins and how many frames of it there are, so that the sound reaches `until_ms`."""
        start, until = self._due or 0, round(until_ms * self._rate / 1000)
        count = (until - start) // self._frame if self._fills else 0
        if count <= 0:
            return start, 0
        most = round(_LONGEST_SILENCE * self._rate) // self._frame
        start += max(count - most, 0) * self._frame
        self._due = start + min(count, most) * self._frame
        self._drift, self._after_silence = 0.0, True
        return start, min(count, most)

    def _late(self, due: int, ticks: int) -> tuple[int, int]:
        count = max(1, round(ticks / self._frame)) if self._fills else 0
        if 0 < count * self._frame <= _LONGEST_SILENCE * self._rate:
            ticks = count * self._frame
        else:
            count = 0
        self._drift -= ticks
        self._put_right = due + ticks
        return self._put(due + ticks, count)

    def _early(self, due: int) -> tuple[int, int] | None:
        if due - self._put_right < _RUEFUL * self._rate:
            self._hole = min(2 * self._hole, _LARGEST_HOLE * self._rate)
        ticks = self._frame if self._fills else min(-round(self._drift), self._frame - 1)
        self._drift += ticks
        return None if self._fills else self._put(due - ticks, 0)

    def _put(self, tick: int, silent: int) -> tuple[int, int]:
        self._due = tick + self._frame
        return tick, silent
