"""From one answer of TikTok to what is known now and what is to be told: the watcher's decision table, pure.

Only answers that say something change what is known. An end needs several of them, a start needs one; NotFound,
Restricted, Blocked and Unknown never end a broadcast. A creator who is unfollowed while live is simply not looked at
any more: nobody saw the end, so none is claimed.
"""

from datetime import datetime, timedelta

from wentlive_common.events import (
    BroadcastEnded,
    BroadcastPaused,
    BroadcastResumed,
    BroadcastWentLive,
    CreatorProfileChanged,
    CreatorRestricted,
    EventData,
)
from wentlive_common.model import BroadcastKey, Model, RestrictionReason, to_milliseconds, to_utc
from wentlive_tiktok.status import (
    Blocked,
    Live,
    LiveStatus,
    NotFound,
    Offline,
    Paused,
    Profile,
    Restricted,
    Room,
    Unknown,
)

from wentlive_watcher.domain import OpenBroadcast, Policy, Restriction, Watch, WatchState

MAX_TITLE_CHARS = 500
MAX_NICKNAME_CHARS = 200
MAX_URL_CHARS = 2000
MAX_TROUBLE_CHARS = 300


class Decision(Model):
    """The watch as it is after an answer, and what to tell the others, in this order."""

    watch: Watch
    news: tuple[EventData, ...] = ()


def decide(watch: Watch, answer: LiveStatus, now: datetime, policy: Policy) -> Decision:
    """One row of the decision table; the same arguments always give the same decision."""
    draft = _Draft(watch, to_milliseconds(to_utc(now)), policy)
    match answer:
        case Live():
            _on_live(draft, answer)
        case Paused():
            _on_paused(draft, answer)
        case Offline():
            _on_offline(draft, answer)
        case Restricted():
            _on_restricted(draft, answer)
        case NotFound():
            _on_not_found(draft)
        case Blocked():
            _on_trouble(draft, f"blocked: {answer.how}", answer.retry_after)
        case Unknown():
            _on_trouble(draft, f"unknown: {answer.why}", None)
    return Decision(watch=draft.watch, news=tuple(draft.news))


class _Draft:
    """A decision while it is made."""

    def __init__(self, watch: Watch, now: datetime, policy: Policy) -> None:
        self.watch = watch.model_copy(update={"last_checked_at": now})
        self.now = now
        self.policy = policy
        self.news: list[EventData] = []

    def change(self, **fields: object) -> None:
        self.watch = self.watch.model_copy(update=fields)

    def tell(self, data: EventData) -> None:
        self.news.append(data)

    def understood(self, state: WatchState) -> None:
        """The answer said something: whatever trouble there was is over."""
        self.change(state=state, trouble=None, consecutive_failures=0)
        if state != "not_found":
            self.change(not_found_count=0)

    def check_after(self, seconds: float) -> None:
        self.change(next_check_at=to_milliseconds(self.now + timedelta(seconds=seconds)))

    def next_sequence(self) -> int:
        """Grows from the clock, so that it grows on even when the watch was dropped and made anew."""
        sequence = max(self.watch.sequence + 1, int(self.now.timestamp()))
        self.change(sequence=sequence)
        return sequence


def _on_live(draft: _Draft, answer: Live) -> None:
    draft.understood("live")
    _lift_restriction(draft, answer.profile)
    key = BroadcastKey(creator_id=answer.profile.creator_id, room_id=answer.room.room_id)
    _end_other(draft, key)
    broadcast = draft.watch.broadcast
    if broadcast is None:
        _start(draft, key.creator_id, answer.room)
    elif broadcast.paused:
        _change_broadcast(draft, broadcast, room=answer.room, paused=False)
    else:
        _go_on(draft, broadcast, answer.room)
    draft.check_after(draft.policy.check_interval)


def _on_paused(draft: _Draft, answer: Paused) -> None:
    draft.understood("paused")
    _lift_restriction(draft, answer.profile)
    _end_other(draft, BroadcastKey(creator_id=answer.profile.creator_id, room_id=answer.room.room_id))
    broadcast = draft.watch.broadcast
    if broadcast is not None and not broadcast.paused:
        _change_broadcast(draft, broadcast, room=answer.room, paused=True)
    elif broadcast is not None:
        _go_on(draft, broadcast, answer.room)
    draft.check_after(draft.policy.check_interval)


def _on_offline(draft: _Draft, answer: Offline) -> None:
    draft.understood("offline")
    _lift_restriction(draft, answer.profile)
    broadcast = draft.watch.broadcast
    if broadcast is None:
        draft.check_after(draft.policy.check_interval)
        return
    # Also after the end: who was live just now is the likeliest to be live again.
    draft.check_after(draft.policy.confirm_interval)
    if not _counts_towards_end(draft, broadcast):
        return
    confirmations = broadcast.end_confirmations + 1
    if confirmations >= draft.policy.ended_confirmations:
        _end(draft, broadcast)
        return
    doubted = broadcast.model_copy(update={"end_confirmations": confirmations, "doubted_at": draft.now})
    draft.change(broadcast=doubted)


def _on_restricted(draft: _Draft, answer: Restricted) -> None:
    draft.understood("restricted")
    # A profile says that all is well, so that the restriction has to be told after it.
    again = answer.profile is not None and _tell_profile(draft, answer.profile)
    _restrict(draft, answer.reason, again=again)
    draft.check_after(draft.policy.restricted_interval)


def _on_not_found(draft: _Draft) -> None:
    """TikTok also says so about people who never went live, and at times wrongly."""
    draft.understood("not_found")
    count = draft.watch.not_found_count + 1
    draft.change(not_found_count=count)
    never_seen = draft.watch.creator_id is None
    # A person who mistyped a name is still looking at the page.
    enough = min(2, draft.policy.not_found_confirmations) if never_seen else draft.policy.not_found_confirmations
    if count >= enough:
        _restrict(draft, "not_found")
        draft.check_after(draft.policy.restricted_interval)
    else:
        draft.check_after(draft.policy.confirm_interval / 2 if never_seen else draft.policy.check_interval)


def _on_trouble(draft: _Draft, why: str, retry_after: timedelta | None) -> None:
    failures = draft.watch.consecutive_failures + 1
    draft.change(consecutive_failures=failures, trouble=why[:MAX_TROUBLE_CHARS])
    doubled = draft.policy.check_interval * 2 ** min(failures - 1, 16)
    wait = min(doubled, max(draft.policy.backoff_limit, draft.policy.check_interval))
    draft.check_after(max(wait, retry_after.total_seconds() if retry_after else 0.0))


def _start(draft: _Draft, creator_id: str, room: Room) -> None:
    broadcast = OpenBroadcast(creator_id=creator_id, room=room, sequence=draft.next_sequence(), told_at=draft.now)
    draft.change(broadcast=broadcast)
    draft.tell(_went_live(draft, broadcast))


def _change_broadcast(draft: _Draft, broadcast: OpenBroadcast, *, room: Room, paused: bool) -> None:
    changed = OpenBroadcast(
        creator_id=broadcast.creator_id, room=room, sequence=draft.next_sequence(), paused=paused, told_at=draft.now
    )
    draft.change(broadcast=changed)
    draft.tell((BroadcastPaused if paused else BroadcastResumed).model_validate(_facts(draft, changed)))


def _go_on(draft: _Draft, broadcast: OpenBroadcast, room: Room) -> None:
    """Still as it was told: said again now and then, for those who lost the message."""
    kept = broadcast.model_copy(update={"room": room, "end_confirmations": 0, "doubted_at": None})
    # Jittered checks come a little early at times; half a check's slack keeps the repeats from slipping by a whole one.
    slack = min(draft.policy.check_interval, draft.policy.repeat_interval) / 2
    due = broadcast.told_at + timedelta(seconds=draft.policy.repeat_interval - slack)
    if draft.now >= due:
        kept = kept.model_copy(update={"told_at": draft.now})
        facts = _facts(draft, kept)
        draft.tell(BroadcastPaused.model_validate(facts) if kept.paused else _went_live(draft, kept))
    draft.change(broadcast=kept)


def _end_other(draft: _Draft, key: BroadcastKey) -> None:
    """One creator has one live at a time: a new room proves that the old one is over."""
    broadcast = draft.watch.broadcast
    if broadcast is not None and broadcast.key != key:
        _end(draft, broadcast)


def _end(draft: _Draft, broadcast: OpenBroadcast) -> None:
    over = broadcast.model_copy(update={"sequence": draft.next_sequence()})
    draft.change(broadcast=None)
    draft.tell(BroadcastEnded.model_validate(_facts(draft, over)))


def _counts_towards_end(draft: _Draft, broadcast: OpenBroadcast) -> bool:
    """Answers in quick succession ("check now", pressed twice) are one observation, not two."""
    if broadcast.doubted_at is None:
        return True
    return draft.now - broadcast.doubted_at >= timedelta(seconds=draft.policy.confirm_interval / 2)


def _facts(draft: _Draft, broadcast: OpenBroadcast) -> dict[str, object]:
    return {
        "creator_id": broadcast.creator_id,
        "room_id": broadcast.room.room_id,
        "handle": draft.watch.handle,
        "sequence": broadcast.sequence,
        "at": draft.now,
    }


def _went_live(draft: _Draft, broadcast: OpenBroadcast) -> BroadcastWentLive:
    room = broadcast.room
    return BroadcastWentLive.model_validate(
        _facts(draft, broadcast)
        | {
            "title": room.title[:MAX_TITLE_CHARS],
            "cover_url": _short_url(room.cover_url),
            "started_at": room.started_at,
            "viewer_count": None if room.viewer_count is None else max(0, room.viewer_count),
        }
    )


def _lift_restriction(draft: _Draft, profile: Profile) -> None:
    """Telling the profile is also how the others learn that a restriction is over."""
    lifted = draft.watch.restriction is not None
    draft.change(restriction=None)
    _tell_profile(draft, profile, anyway=lifted)


def _restrict(draft: _Draft, reason: RestrictionReason, *, again: bool = False) -> None:
    restriction = draft.watch.restriction
    if restriction is None or restriction.reason != reason:
        restriction = Restriction(reason=reason, since=draft.now)
        draft.change(restriction=restriction)
    elif not again:
        return
    draft.tell(
        CreatorRestricted(
            handle=draft.watch.handle, creator_id=draft.watch.creator_id, reason=reason, since=restriction.since
        )
    )


def _tell_profile(draft: _Draft, profile: Profile, *, anyway: bool = False) -> bool:
    draft.change(creator_id=profile.creator_id)
    if not (anyway or _worth_telling(draft, profile)):
        return False
    draft.change(profile=profile, profile_told_at=draft.now)
    draft.tell(
        CreatorProfileChanged(
            handle=draft.watch.handle,
            creator_id=profile.creator_id,
            nickname=profile.nickname[:MAX_NICKNAME_CHARS],
            avatar_url=_short_url(profile.avatar_url),
            verified=profile.verified,
            follower_count=max(0, profile.follower_count or 0),
        )
    )
    return True


def _worth_telling(draft: _Draft, profile: Profile) -> bool:
    told, told_at = draft.watch.profile, draft.watch.profile_told_at
    if told is None or told_at is None or _face(told) != _face(profile):
        return True
    return told != profile and draft.now - told_at >= timedelta(seconds=draft.policy.profile_interval)


def _face(profile: Profile) -> tuple[str, str, str, bool, str]:
    """What people see change; an avatar's host and signature change with every answer, its path does not."""
    picture = (profile.avatar_url or "").partition("?")[0].partition("://")[2].partition("/")[2]
    return profile.creator_id, profile.handle, profile.nickname, profile.verified, picture


def _short_url(url: str | None) -> str | None:
    return url if url and len(url) <= MAX_URL_CHARS else None
