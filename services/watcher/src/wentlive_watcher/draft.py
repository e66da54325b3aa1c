"""A decision while it is made: the watch as it changes, and what is to be told about the creator."""

from datetime import datetime, timedelta

from wentlive_common.events import CreatorProfileChanged, CreatorRestricted, EventData
from wentlive_common.model import RestrictionReason, to_milliseconds, to_utc
from wentlive_tiktok.status import Profile

from wentlive_watcher.domain import Policy, Restriction, Watch, WatchState
from wentlive_watcher.schedule import interval

MAX_NICKNAME_CHARS = 200
MAX_URL_CHARS = 2000


class Draft:
    """Starts as the watch was; `watch` and `news` are what is decided."""

    def __init__(self, watch: Watch, now: datetime, policy: Policy) -> None:
        self.before = watch
        self.now = to_milliseconds(to_utc(now))
        self.watch = watch.model_copy(update={"last_checked_at": self.now})
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

    def check_as_usual(self) -> None:
        self.check_after(interval(self.watch, self.now, self.policy))

    def since(self, moment: datetime, seconds: float) -> bool:
        """Whether so many seconds have passed; also when the clock went back behind `moment`."""
        return not timedelta() <= self.now - moment < timedelta(seconds=seconds)

    def next_sequence(self) -> int:
        """Grows from the clock, so that it grows on even when the watch was dropped and made anew."""
        sequence = max(self.watch.sequence + 1, int(self.now.timestamp()))
        self.change(sequence=sequence)
        return sequence


def lift_restriction(draft: Draft, profile: Profile) -> None:
    """Telling the profile is also how the others learn that a restriction is over."""
    lifted = draft.watch.restriction is not None
    draft.change(restriction=None)
    tell_profile(draft, profile, anyway=lifted)


def restrict(draft: Draft, reason: RestrictionReason, *, again: bool = False) -> None:
    restriction = draft.watch.restriction
    if restriction is None or restriction.reason != reason:
        restriction = Restriction(reason=reason, since=draft.now)
        draft.change(restriction=restriction)
    elif not again:
        return
    watch = draft.watch
    draft.tell(
        CreatorRestricted(handle=watch.asks, creator_id=watch.creator_id, reason=reason, since=restriction.since)
    )


def tell_profile(draft: Draft, profile: Profile, *, anyway: bool = False) -> bool:
    """Told under the handle of now; from here on it is the one to ask about."""
    current = None if profile.handle == draft.watch.handle else profile.handle
    draft.change(creator_id=profile.creator_id, current_handle=current)
    if not (anyway or _worth_telling(draft, profile)):
        return False
    draft.change(profile=profile, profile_told_at=draft.now)
    draft.tell(
        CreatorProfileChanged(
            handle=profile.handle,
            creator_id=profile.creator_id,
            nickname=profile.nickname[:MAX_NICKNAME_CHARS],
            avatar_url=short_url(profile.avatar_url),
            verified=profile.verified,
            follower_count=max(0, profile.follower_count or 0),
        )
    )
    return True


def _worth_telling(draft: Draft, profile: Profile) -> bool:
    told, told_at = draft.watch.profile, draft.watch.profile_told_at
    if told is None or told_at is None or _face(told) != _face(profile):
        return True
    return told != profile and draft.since(told_at, draft.policy.profile_interval)


def _face(profile: Profile) -> tuple[str, str, str, bool, str]:
    """What people see change; an avatar's host and signature change with every answer, its path does not."""
    picture = (profile.avatar_url or "").partition("?")[0].partition("://")[2].partition("/")[2]
    return profile.creator_id, profile.handle, profile.nickname, profile.verified, picture


def short_url(url: str | None) -> str | None:
    return url if url and len(url) <= MAX_URL_CHARS else None
