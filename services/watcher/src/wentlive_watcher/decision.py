"""From one answer of TikTok to what is known now and what is to be told: the watcher's decision table, pure.

Only answers that say something change what is known. A start needs one, an end several and some time: Blocked and
Unknown never end a broadcast; Restricted and NotFound do so only when they last, for then it cannot be seen any more.
A creator who is unfollowed while live is simply not looked at any more: nobody saw the end, so none is claimed.
"""

from datetime import datetime

from wentlive_common.events import EventData
from wentlive_common.model import Model
from wentlive_tiktok.status import (
    Blocked,
    Live,
    LiveStatus,
    NotFound,
    Offline,
    Paused,
    Restricted,
    Unknown,
)

from wentlive_watcher.broadcasts import end, seen_hidden, seen_live, seen_over, seen_paused
from wentlive_watcher.domain import MAX_EVIDENCE_CHARS, Evidence, OpenBroadcast, Policy, Watch
from wentlive_watcher.draft import Draft, lift_restriction, restrict, tell_profile
from wentlive_watcher.schedule import AFTER_END_SECONDS, interval, remembered

MAX_TROUBLE_CHARS = 300


class Decision(Model):
    """The watch as it is after an answer, and what to tell the others, in this order."""

    watch: Watch
    news: tuple[EventData, ...] = ()


def decide(watch: Watch, answer: LiveStatus, now: datetime, policy: Policy) -> Decision:
    """One row of the decision table; the same arguments always give the same decision."""
    draft = Draft(watch, now, policy)
    if _about_somebody_else(watch, answer):
        answer = Unknown(why="The handle belongs to somebody else now.")
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
            _on_trouble(draft, f"blocked: {answer.how}")
        case Unknown():
            _on_unknown(draft, answer)
    return Decision(watch=draft.watch, news=tuple(draft.news))


def _about_somebody_else(watch: Watch, answer: LiveStatus) -> bool:
    """A person is followed, not a name that others may take."""
    profile = None if isinstance(answer, NotFound | Blocked | Unknown) else answer.profile
    return profile is not None and watch.creator_id is not None and profile.creator_id != watch.creator_id


def _on_live(draft: Draft, answer: Live) -> None:
    draft.understood("live")
    lift_restriction(draft, answer.profile)
    seen_live(draft, answer.profile.creator_id, answer.room)
    draft.check_as_usual()


def _on_paused(draft: Draft, answer: Paused) -> None:
    draft.understood("paused")
    lift_restriction(draft, answer.profile)
    seen_paused(draft, answer.profile.creator_id, answer.room)
    draft.check_as_usual()


def _on_offline(draft: Draft, answer: Offline) -> None:
    draft.understood("offline")
    if answer.profile is not None:
        lift_restriction(draft, answer.profile)
    if draft.watch.live_hours is None and answer.last_room is not None:
        draft.change(live_hours=remembered(answer.last_room.started_at, draft.now))
    broadcast = draft.watch.broadcast
    if broadcast is None:
        draft.check_as_usual()
    elif seen_over(draft, broadcast):
        # Who was live just now is the likeliest to be live again.
        draft.check_after(min(AFTER_END_SECONDS, draft.policy.confirm_interval))
    else:
        draft.check_after(draft.policy.confirm_interval)


def _on_restricted(draft: Draft, answer: Restricted) -> None:
    draft.understood("restricted")
    # A profile says that all is well, so that the restriction has to be told after it.
    again = answer.profile is not None and tell_profile(draft, answer.profile)
    restrict(draft, answer.reason, again=again)
    broadcast = draft.watch.broadcast
    if broadcast is not None:
        _on_restricted_broadcast(draft, broadcast, answer.room_id)
    draft.check_as_usual()


def _on_restricted_broadcast(draft: Draft, broadcast: OpenBroadcast, named: str | None) -> None:
    if named is None:
        seen_hidden(draft, broadcast)
    elif named == broadcast.room.room_id:
        # TikTok says that it is on: it goes on unseen.
        draft.change(broadcast=broadcast.model_copy(update={"over": None, "hidden": None}))
    else:
        end(draft, broadcast)


def _on_not_found(draft: Draft) -> None:
    """TikTok also says so about people who never went live, and at times wrongly."""
    draft.understood("not_found")
    policy, never_seen = draft.policy, draft.watch.creator_id is None
    count = draft.watch.not_found_count + 1
    draft.change(not_found_count=count)
    # A person who mistyped a name is still looking at the page.
    enough = min(2, policy.not_found_confirmations) if never_seen else policy.not_found_confirmations
    if count >= enough:
        restrict(draft, "not_found")
    if draft.watch.broadcast is not None:
        seen_hidden(draft, draft.watch.broadcast)
    if count < enough and never_seen:
        draft.check_after(policy.confirm_interval / 2)
    else:
        draft.check_as_usual()


def _on_unknown(draft: Draft, answer: Unknown) -> None:
    if answer.evidence:
        draft.change(evidence=Evidence(text=answer.evidence[:MAX_EVIDENCE_CHARS], at=draft.now))
    _on_trouble(draft, f"unknown: {answer.why}")


def _on_trouble(draft: Draft, why: str) -> None:
    failures = draft.watch.consecutive_failures + 1
    draft.change(consecutive_failures=failures, trouble=why[:MAX_TROUBLE_CHARS])
    usual = interval(draft.watch, draft.now, draft.policy)
    draft.check_after(min(usual * 2 ** min(failures - 1, 16), max(draft.policy.backoff_limit, usual)))
