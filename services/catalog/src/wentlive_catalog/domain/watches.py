"""What the watcher says of its work: when each creator was checked, and what keeps it from knowing more."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from wentlive_common.model import Handle, Model, RestrictionReason, Seconds, UtcDatetime

WatchState = Literal["new", "live", "paused", "offline", "restricted", "not_found", "merged"]


class WatchRestriction(Model):
    reason: RestrictionReason
    since: UtcDatetime


class WatchStatus(Model):
    """One creator, by the handle that is followed."""

    handle: Handle
    current_handle: Handle
    """What TikTok calls the creator now."""
    state: WatchState
    """What TikTok last said. `merged`: the same creator is followed under another handle too, and looked at there."""
    merged_into: Handle | None = None
    trouble: str | None = None
    """Why the last check told nothing: `blocked: <how>` or `unknown: <text>`."""
    restriction: WatchRestriction | None = None
    last_checked_at: UtcDatetime | None = None
    next_check_at: UtcDatetime | None = None
    """In the past when the check is overdue."""
    interval_seconds: Seconds | None = None
    evidence: str | None = None
    """The last answer that was not understood. Somebody else wrote it: text, never markup."""
    evidence_at: UtcDatetime | None = None
    egress: str | None = None
    """The egress that this creator is always asked through, if it is one."""


class EgressStatus(Model):
    """A network address that TikTok is asked from."""

    name: str
    state: Literal["closed", "open", "half_open"]
    """`closed` works; `open` rests after a refusal; `half_open` has one check find out whether it works again."""
    since: UtcDatetime
    why: str | None = None
    retry_at: UtcDatetime | None = None

    @property
    def refused(self) -> bool:
        return self.state != "closed"


@dataclass(frozen=True, slots=True)
class WatchReport:
    """One answer of the watcher; a creator that it does not watch is absent."""

    watches: Mapping[str, WatchStatus] = field(default_factory=dict[str, WatchStatus])
    egresses: tuple[EgressStatus, ...] = ()

    def resting_until(self, watch: WatchStatus) -> UtcDatetime | None:
        """When the first egress that may ask for this creator works again; None when one may ask now."""
        usable = [egress for egress in self.egresses if watch.egress in (None, egress.name)]
        if not usable or not all(egress.state == "open" for egress in usable):
            return None
        return min((egress.retry_at for egress in usable if egress.retry_at), default=None)
