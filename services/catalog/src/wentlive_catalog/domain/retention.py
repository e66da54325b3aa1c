"""How long recordings are kept."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Literal

from pydantic import Field
from wentlive_common.ids import Ulid
from wentlive_common.model import MOST, Handle, Model, UtcDatetime

from wentlive_catalog.documents import Document, DocumentKind


class RetentionRule(Model):
    """What is beyond any of these goes, the oldest first; pinned recordings stay. Nothing set keeps everything."""

    max_age_days: int | None = Field(default=None, ge=1, le=36_500)
    """Since the live was over."""
    max_count: int | None = Field(default=None, ge=1, le=1_000_000)
    max_bytes: int | None = Field(default=None, ge=1, lt=MOST)


class RetentionSettings(Document):
    """What holds for everybody's recordings; a creator's own rule takes its place for that creator."""

    key: str = "retention"
    rule: RetentionRule = RetentionRule()
    bin_days: int = Field(default=7, ge=0, le=365)
    """So long what was thrown away can be taken back."""
    cool_after_days: int | None = Field(default=None, ge=0, le=36_500)
    """When storage moves media to its cool tier, by a rule of the storage account's own."""
    cold_after_days: int | None = Field(default=None, ge=0, le=36_500)


RETENTION = DocumentKind("settings", RetentionSettings, "key")

Why = Literal["age", "count", "bytes"]


class Outline(Model):
    """What deciding needs of one recording."""

    recording_id: Ulid
    handle: Handle
    started_at: UtcDatetime
    ended_at: UtcDatetime | None
    bytes: int


class Due(Model):
    """A recording that retention would throw away, and which limit it is beyond."""

    recording_id: Ulid
    handle: Handle
    started_at: UtcDatetime
    bytes: int
    why: Why


class Deciding:
    """Takes recordings from the newest to the oldest and says which are beyond a limit.

    Creators with a rule of their own are counted by themselves, all others together.
    """

    def __init__(self, rule: RetentionRule, of_creators: Mapping[str, RetentionRule], now: datetime) -> None:
        self._rule = rule
        self._of_creators = of_creators
        self._now = now
        self._kept: dict[str | None, tuple[int, int]] = {}

    def decide(self, one: Outline) -> Due | None:
        own = self._of_creators.get(one.handle)
        group, rule = (one.handle, own) if own else (None, self._rule)
        count, size = self._kept.get(group, (0, 0))
        why = self._beyond(rule, one, count + 1, size + one.bytes)
        if why:
            return Due(why=why, **one.model_dump(include={"recording_id", "handle", "started_at", "bytes"}))
        self._kept[group] = (count + 1, size + one.bytes)
        return None

    def _beyond(self, rule: RetentionRule, one: Outline, count: int, size: int) -> Why | None:
        over_at = one.ended_at or one.started_at
        if rule.max_age_days is not None and self._now - over_at > timedelta(days=rule.max_age_days):
            return "age"
        if rule.max_count is not None and count > rule.max_count:
            return "count"
        return "bytes" if rule.max_bytes is not None and size > rule.max_bytes else None


def lifecycle_policy(container: str, settings: RetentionSettings) -> dict[str, Any]:
    """What `az storage account management-policy create --policy` takes: media moves to cheaper tiers by itself."""
    tiers = {"tierToCool": settings.cool_after_days, "tierToCold": settings.cold_after_days}
    actions = {tier: {"daysAfterModificationGreaterThan": days} for tier, days in tiers.items() if days is not None}
    filters = {
        "blobTypes": ["blockBlob"],
        # Every creator's folder begins with a digit; what the catalog itself keeps beside them does not.
        "prefixMatch": [f"{container}/{digit}" for digit in range(10)],
    }
    rule = {
        "enabled": True, "name": "wentlive-tiers", "type": "Lifecycle",
        "definition": {"filters": filters, "actions": {"baseBlob": actions}},
    }  # fmt: skip
    return {"rules": [rule] if actions else []}
