"""When to look at a creator next: often when a live is likely, seldom when it is not, never all at once. Pure."""

from datetime import datetime, timedelta

from wentlive_common.model import to_milliseconds

from wentlive_watcher.domain import Policy, Watch
from wentlive_watcher.live_hours import BUCKET, LiveHours

LIKELY = 0.1
"""Live on one day of ten at this hour is likely enough for the shortest interval."""
KNOWN_AFTER = timedelta(days=7)
"""Watched for this long, a creator who was never live at this hour is as cold as can be."""
HOT_AFTER_END = timedelta(minutes=15)
"""A second live soon after the first is common."""
AFTER_END_SECONDS = 2.0
LONGEST_PAST_LIVE = timedelta(hours=12)
LONGEST_UNSEEN = timedelta(minutes=30)
"""Between two looks that both found the broadcast on; longer than this nobody was looking."""


def interval(watch: Watch, now: datetime, policy: Policy) -> float:
    """Seconds between two looks at this creator, as things are, before jitter."""
    broadcast = watch.broadcast
    if broadcast is not None:
        return policy.hot_interval if broadcast.paused else min(policy.check_interval, policy.repeat_interval)
    if watch.state in ("restricted", "merged"):
        return policy.restricted_interval
    if watch.state == "not_found" and watch.restriction is not None:
        return policy.restricted_interval
    if watch.state == "paused" or _just_ended(watch, now):
        return policy.hot_interval
    return usual_interval(watch, now, policy)


def usual_interval(watch: Watch, now: datetime, policy: Policy) -> float:
    """As people wish, else from the creator's past: `check_interval` while nothing is known, then hot to cold."""
    if watch.wishes.interval != "usual":
        return policy.hot_interval if watch.wishes.interval == "eager" else policy.cold_interval
    watched = max(timedelta(), now - watch.since) if watch.since else timedelta()
    hours = watch.live_hours
    warmth = min(1.0, hours.likelihood(now, watched) / LIKELY) if hours else 0.0
    known = min(1.0, watched / KNOWN_AFTER)
    towards_hot = (policy.hot_interval / policy.check_interval) ** warmth
    towards_cold = (policy.cold_interval / policy.check_interval) ** (known * (1 - warmth))
    between = policy.check_interval * towards_hot * towards_cold
    return min(policy.cold_interval, max(policy.hot_interval, round(between, 1)))


def _just_ended(watch: Watch, now: datetime) -> bool:
    return watch.last_ended_at is not None and timedelta() <= now - watch.last_ended_at <= HOT_AFTER_END


def began(hours: LiveHours | None, started_at: datetime | None, now: datetime) -> LiveHours:
    """The histogram after a live was found that began at `started_at`, which TikTok may not say, or say wrongly."""
    start = now if started_at is None else max(started_at, now - LONGEST_PAST_LIVE)
    return (hours or LiveHours()).seen_live(start, now)


def went_on(hours: LiveHours | None, last_seen: datetime | None, now: datetime) -> LiveHours:
    """The histogram after a live was found to go on."""
    start = now if last_seen is None else max(last_seen, now - LONGEST_UNSEEN)
    return (hours or LiveHours()).seen_live(start, now)


def remembered(last_started: datetime | None, now: datetime) -> LiveHours | None:
    """All that is known of somebody new: TikTok tells when their last live began."""
    if last_started is None or not timedelta() <= now - last_started <= timedelta(days=30):
        return None
    return LiveHours().seen_live(last_started, last_started + BUCKET)


def spread(watch: Watch, jitter: float, chance: float) -> Watch:
    """The watch with its wait made shorter by up to `jitter`, or longer after trouble; `chance` is from 0 to 1.

    So an interval is a promise, and who refuses us never waits less.
    """
    if watch.last_checked_at is None:
        return watch
    least = 1.0 if watch.trouble else 1 - jitter
    wait = (watch.next_check_at - watch.last_checked_at) * (least + jitter * chance)
    return watch.model_copy(update={"next_check_at": to_milliseconds(watch.last_checked_at + wait)})


def longest_wait(policy: Policy, jitter: float) -> timedelta:
    """Who is due later than this from now was planned by a clock that was wrong."""
    longest = max(policy.cold_interval, policy.restricted_interval, policy.backoff_limit, policy.check_interval)
    return timedelta(seconds=longest * (1 + jitter) + 60)
