"""Which of a live's streams to try next: the best first, and lately failed ones after all others."""

from collections.abc import Sequence
from dataclasses import dataclass

from wentlive_common.capture import Quality, StreamChoice
from wentlive_common.clock import Clock
from wentlive_common.errors import Permanent, WentliveError
from wentlive_tiktok.streams import StreamCandidate, rank

from wentlive_recorder.errors import StreamGone

_MOST = 8
_FIRST_REST, _LONGEST_REST = 15.0, 300.0
_GONE_FOR_GOOD = 3
"""So often in a row a stream is said to be gone before it rests as long as one that can never be recorded."""

_Key = tuple[str, str, str, str]


@dataclass(slots=True)
class _Record:
    """How a stream behaved; its URL changes each time it is resolved, so it is known by its place on the ladder."""

    failures: int = 0
    gone: int = 0
    rests_until: float = 0.0


class CandidateBook:
    """The memory of one attempt."""

    def __init__(self, quality: Quality, clock: Clock) -> None:
        self._quality, self._clock = quality, clock
        self._records: dict[_Key, _Record] = {}

    def ordered(self, streams: Sequence[StreamCandidate]) -> list[StreamCandidate]:
        """All that may be recorded, at most a handful: the policy's order, then those at rest, the soonest up first."""
        now = self._clock.monotonic()

        def rest(candidate: StreamCandidate) -> float:
            record = self._records.get(_key(candidate))
            return record.rests_until if record and record.rests_until > now else 0.0

        return sorted(rank(streams, self._quality), key=rest)[:_MOST]

    def served(self, candidate: StreamCandidate) -> None:
        """It brought media worth having: whatever was before is forgotten."""
        self._records.pop(_key(candidate), None)

    def failed(self, candidate: StreamCandidate, problem: WentliveError, *, brought_media: bool = False) -> None:
        """One that broke off is tried again before the others, once: it is known to work."""
        record = self._records.setdefault(_key(candidate), _Record())
        record.failures += 1
        record.gone = record.gone + 1 if isinstance(problem, StreamGone) else 0
        hopeless = isinstance(problem, Permanent) or record.gone >= _GONE_FOR_GOOD
        if brought_media and record.failures == 1 and not hopeless:
            return
        rest = _LONGEST_REST if hopeless else min(_FIRST_REST * 2 ** (record.failures - 1), _LONGEST_REST)
        record.rests_until = self._clock.monotonic() + rest

    def choice(self, candidate: StreamCandidate, streams: Sequence[StreamCandidate]) -> StreamChoice:
        """What is about to be recorded, and why it goes before the others."""
        return StreamChoice(
            quality=candidate.quality,
            protocol=candidate.protocol,
            role=candidate.role,
            codec=candidate.codec,
            width=candidate.width,
            height=candidate.height,
            bitrate=candidate.bitrate,
            why=self._why(candidate, rank(streams, self._quality)),
        )

    def _why(self, candidate: StreamCandidate, ranked: Sequence[StreamCandidate]) -> str:
        better = ranked[: ranked.index(candidate)]
        failed = [_named(other) for other in better if _key(other) in self._records]
        reasons = [
            f"{_wanted(self._quality)}: {'first' if not better else f'number {len(better) + 1}'} of {len(ranked)}"
        ]
        if failed:
            reasons.append(f"failed lately: {', '.join(failed[:4])}")
        return "; ".join(reasons)[:500]


def _key(candidate: StreamCandidate) -> _Key:
    return candidate.quality, candidate.protocol, candidate.role, candidate.codec


def _named(candidate: StreamCandidate) -> str:
    return f"{candidate.quality} {candidate.protocol} {candidate.role}"


def _wanted(quality: Quality) -> str:
    if quality.audio_only:
        return "Sound only"
    height = f" up to {quality.max_height}p" if quality.max_height else ""
    return f"{quality.prefer.capitalize()}{height}, {' before '.join(quality.codecs)}"
