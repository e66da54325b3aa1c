"""What people are told outside of the web app, where, when they want quiet, and what became of telling them."""

import hashlib
from datetime import datetime, time, timedelta
from typing import Annotated, Literal, get_args
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, Field
from wentlive_common.errors import NotFound
from wentlive_common.ids import Ulid
from wentlive_common.model import Model, UtcDatetime

from wentlive_catalog.documents import Document, DocumentKind
from wentlive_catalog.domain.creators import Creator, Notice

Topic = Literal["went_live", "recording_finished", "recording_failed", "restricted", "budget"]
TOPICS: tuple[Topic, ...] = get_args(Topic)
TargetKind = Literal["apprise", "webhook"]
DeliveryState = Literal["waiting", "delivered", "failed", "muted"]

MOST_TARGETS = 20
BACKOFF = (60, 300, 1800, 7200, 21_600)
"""Seconds before each further try, each longer than a try may take; after the last one it has failed."""
STALE = timedelta(hours=1)
"""Nobody wants to be told of what was so long ago."""


class NoSuchTarget(NotFound):
    """There is no such target of yours."""


def _known_zone(name: str) -> str:
    if name not in available_timezones():
        raise ValueError("is no time zone's name, such as Europe/Berlin")
    return name


class QuietHours(Model):
    """Every day from one time to another, over midnight where the second is the earlier one."""

    since: time = Field(examples=["22:00"])
    until: time = Field(examples=["07:00"])
    zone: Annotated[str, AfterValidator(_known_zone)] = "UTC"

    def ends_at(self, now: datetime) -> datetime | None:
        """When it is quiet now: until when."""
        here = now.astimezone(ZoneInfo(self.zone))
        clock, since, until = (t.replace(tzinfo=None) for t in (here.time(), self.since, self.until))
        quiet = since <= clock < until if since <= until else clock >= since or clock < until
        if not quiet:
            return None
        day = here.date() + timedelta(days=0 if clock < until else 1)
        return datetime.combine(day, until, ZoneInfo(self.zone)).astimezone(now.tzinfo)


class Target(Document):
    """Where one person is told."""

    target_id: Ulid
    username: str
    label: str = ""
    kind: TargetKind
    url: str = Field(repr=False)
    """Most hold a secret: never shown again, never logged."""
    secret: str = Field(default="", repr=False)
    """What a webhook's body is signed with."""
    topics: tuple[Topic, ...] = TOPICS
    quiet: QuietHours | None = None
    enabled: bool = True
    created_at: UtcDatetime
    disabled_because: str | None = None


class News(Model):
    """One thing that happened, as it is told."""

    topic: Topic
    at: UtcDatetime
    title: str
    text: str
    handle: str | None = None
    recording_id: str | None = None
    url: str | None = None


class Delivery(Document):
    """One piece of news for one target. Its key says what it is, so that what is heard twice is told once."""

    key: str
    target_id: Ulid
    username: str
    state: DeliveryState = "waiting"
    news: News
    at: UtcDatetime
    tries: int = 0
    next_try_at: UtcDatetime
    finished_at: UtcDatetime | None = None
    error: str | None = None


TARGETS = DocumentKind("targets", Target, "target_id", fields=("username",))
DELIVERIES = DocumentKind("deliveries", Delivery, "key", fields=("username", "target_id", "state"), moment="at")


def delivery_of(target: Target, news: News, subject: str, now: datetime) -> Delivery:
    """Waits out quiet hours; that somebody is live is not worth waking for, nor telling hours later."""
    digest = hashlib.sha256(f"{target.target_id}/{news.topic}/{subject}".encode()).hexdigest()[:40]
    quiet_until = target.quiet.ends_at(now) if target.quiet else None
    muted = quiet_until is not None and news.topic == "went_live"
    return Delivery(
        key=digest, target_id=target.target_id, username=target.username, news=news, at=now,
        state="muted" if muted else "waiting", next_try_at=quiet_until or now,
    )  # fmt: skip


def wants(creator: Creator, username: str, topic: Notice, target: Target) -> bool:
    """What is set for the creator goes before what is set for the target."""
    if not target.enabled:
        return False
    own = creator.preference(username).notices
    return topic in (target.topics if own is None else own)


def claimed(delivery: Delivery, now: datetime) -> Delivery:
    """Tried now: whoever dies meanwhile leaves it for the next try."""
    wait = BACKOFF[min(delivery.tries, len(BACKOFF) - 1)]
    return delivery.model_copy(update={"tries": delivery.tries + 1, "next_try_at": now + timedelta(seconds=wait)})


def failed(delivery: Delivery, error: str, now: datetime, *, for_good: bool) -> Delivery:
    if for_good or delivery.tries > len(BACKOFF):
        return delivery.model_copy(update={"state": "failed", "error": error, "finished_at": now})
    return delivery.model_copy(update={"error": error})


def delivered(delivery: Delivery, now: datetime) -> Delivery:
    return delivery.model_copy(update={"state": "delivered", "error": None, "finished_at": now})
