"""A creator as a page shows them: what the catalog was told by events, beside what the watcher says when asked."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from wentlive_catalog.domain.creators import Creator, CreatorStatus
from wentlive_catalog.domain.watches import EgressStatus, WatchReport, WatchStatus
from wentlive_catalog.ports import WatchStatusSource

EVIDENCE_SHOWN = timedelta(days=1)
"""So long an answer that was not understood is worth a look."""

THIS_ADDRESS = "direct"
"""What the watcher calls its own network address, where it asks through no proxy."""


@dataclass(frozen=True, slots=True)
class Watched:
    """What the watcher says: `told` is False while it does not answer; no `watch` means that it does not know them."""

    told: bool = False
    watch: WatchStatus | None = None
    next_at: datetime | None = None
    """Of the next check: not before the network address has rested."""


@dataclass(frozen=True, slots=True)
class Followed:
    """A creator whom the asker follows; `watched` is None when no watcher is set."""

    creator: Creator
    watched: Watched | None = None

    @property
    def watch(self) -> WatchStatus | None:
        return self.watched.watch if self.watched else None

    @property
    def current_handle(self) -> str:
        return self.watch.current_handle if self.watch else self.creator.handle

    @property
    def status(self) -> CreatorStatus:
        """Events come sooner than the next question, so the watcher is only believed about whom none told of yet."""
        known, watch = self.creator.status, self.watch
        if known != "checking" or watch is None or watch.state in ("new", "merged"):
            return known
        # Without a reason it is not sure yet: TikTok knows nobody at times whom it knows a minute later.
        unsure = watch.state in ("restricted", "not_found") and watch.restriction is None
        return known if unsure else watch.state

    def evidence(self, now: datetime) -> str | None:
        watch = self.watch
        fresh = watch and watch.evidence_at and now - watch.evidence_at < EVIDENCE_SHOWN
        return watch.evidence if watch and fresh else None


@dataclass(frozen=True, slots=True)
class Refusal:
    """TikTok refuses some or all of the addresses that it is asked from."""

    refused: tuple[EgressStatus, ...]
    egresses: int

    @property
    def total(self) -> bool:
        return len(self.refused) == self.egresses

    @property
    def why(self) -> str | None:
        return self.refused[0].why

    @property
    def since(self) -> datetime:
        return min(egress.since for egress in self.refused)

    @property
    def retry_at(self) -> datetime | None:
        """None while one check finds out whether it works again."""
        probing = any(egress.state == "half_open" for egress in self.refused)
        return None if probing else min((egress.retry_at for egress in self.refused if egress.retry_at), default=None)


@dataclass(frozen=True, slots=True)
class Notice:
    """What concerns the whole page: the watcher is silent, or TikTok refuses."""

    silent: bool = False
    refusal: Refusal | None = None


class Watching:
    """Asks the watcher for what pages need, if one is set."""

    def __init__(self, source: WatchStatusSource | None) -> None:
        self._source = source

    async def followed(self, creators: Sequence[Creator]) -> tuple[tuple[Followed, ...], Notice]:
        if self._source is None:
            return tuple(Followed(creator) for creator in creators), Notice()
        report = await self._source.report([creator.handle for creator in creators])
        followed = tuple(Followed(creator, _watched(report, creator.handle)) for creator in creators)
        return followed, _notice(report)


def differences(
    shown: Sequence[Followed], now: Sequence[Followed]
) -> tuple[tuple[Followed, ...], tuple[Followed, ...]]:
    """Of the same creators: who is told of differently, and of whom only the times changed."""
    pairs = [(before.watched, after) for before, after in zip(shown, now, strict=True) if after.watched]
    changed = tuple(after for before, after in pairs if _facts(before) != _facts(after.watched))
    checked = tuple(
        after for before, after in pairs if before != after.watched and _facts(before) == _facts(after.watched)
    )
    return changed, checked


def _facts(watched: Watched | None) -> tuple[Any, ...]:
    """All but the times, which change with every check."""
    if watched is None or watched.watch is None:
        return (watched,)
    times = {"last_checked_at": None, "next_check_at": None, "interval_seconds": None}
    return (watched.told, watched.watch.model_copy(update=times))


def _watched(report: WatchReport | None, handle: str) -> Watched:
    watch = report.watches.get(handle) if report else None
    if report is None or watch is None:
        return Watched(told=report is not None)
    planned, rested = watch.next_check_at, report.resting_until(watch)
    return Watched(told=True, watch=watch, next_at=max(planned, rested) if planned and rested else planned)


def _notice(report: WatchReport | None) -> Notice:
    if report is None:
        return Notice(silent=True)
    refused = tuple(egress for egress in report.egresses if egress.refused)
    return Notice(refusal=Refusal(refused, len(report.egresses)) if refused else None)
