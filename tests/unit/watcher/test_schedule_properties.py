"""The schedule keeps its bounds and its sense, whatever the past of a creator looks like."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wentlive_common.capture import Wishes
from wentlive_tiktok.status import Room
from wentlive_watcher.domain import Follow, OpenBroadcast, new_watch
from wentlive_watcher.live_hours import BUCKETS, LiveHours
from wentlive_watcher.schedule import interval, longest_wait, remembered, spread, usual_interval, went_on

moments = st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001
histograms = st.lists(st.integers(0, 60_000), min_size=BUCKETS, max_size=BUCKETS).map(tuple)


@given(now=moments, seconds=histograms, watched=st.floats(0, 400))
def test_an_interval_lies_between_hot_and_cold(now, seconds, watched, policy):
    watch = new_watch(Follow(handle="ann"), now - timedelta(days=watched))
    watch = watch.model_copy(update={"live_hours": LiveHours(seconds=seconds, day=now.toordinal())})
    assert policy.hot_interval <= usual_interval(watch, now, policy) <= policy.cold_interval


@given(now=moments, seconds=histograms, more=st.integers(1, 10_000), watched=st.floats(0, 400))
def test_to_be_live_more_at_this_hour_is_never_to_be_looked_at_less(now, seconds, more, watched, policy):
    here = now.hour * 2 + now.minute // 30
    warmer = tuple(value + more if bucket == here else value for bucket, value in enumerate(seconds))
    watch = new_watch(Follow(handle="ann"), now - timedelta(days=watched))
    before, after = (
        usual_interval(watch.model_copy(update={"live_hours": LiveHours(seconds=s, day=now.toordinal())}), now, policy)
        for s in (seconds, warmer)
    )
    assert after <= before


@given(start=moments, length=st.floats(0, 86_399))
def test_what_is_seen_live_is_counted_once(start, length):
    hours = LiveHours().seen_live(start, start + timedelta(seconds=length))
    assert sum(hours.seconds) == pytest.approx(length, abs=BUCKETS)
    assert max(hours.seconds) <= 1800 + 1 or length > 86_400 - 3600


@given(start=moments, back=st.floats(0, 1_000_000))
def test_a_clock_that_went_back_counts_nothing(start, back):
    assert not any(LiveHours().seen_live(start, start - timedelta(seconds=back)).seconds)


@given(now=moments, seconds=histograms, days=st.integers(0, 1000))
def test_the_past_fades_to_nothing(now, seconds, days):
    hours = LiveHours(seconds=seconds, day=now.toordinal())
    later = hours.faded(now + timedelta(days=days))
    assert all(0 <= after <= before for after, before in zip(later.seconds, seconds, strict=True))
    assert not any(hours.faded(now + timedelta(days=401)).seconds)
    assert hours.faded(now - timedelta(days=days)).seconds == seconds


@given(now=moments, wait=st.floats(0.1, 3600), chance=st.floats(0, 1), jitter=st.floats(0, 0.4), bad=st.booleans())
def test_jitter_stays_within_its_part(now, wait, chance, jitter, bad):
    watch = new_watch(Follow(handle="ann"), now + timedelta(seconds=wait)).model_copy(
        update={"last_checked_at": now, "trouble": "unknown" if bad else None}
    )
    waits = (spread(watch, jitter, chance).next_check_at - now).total_seconds()
    least = 1.0 if bad else 1 - jitter
    assert wait * least - 0.01 <= waits <= wait * (least + jitter) + 0.01


def test_habits_make_hot_and_cold_hours(policy, start):
    """Three weeks of a live each evening from 18:00 to 20:00 UTC, looked at every minute."""
    watch, hours = new_watch(Follow(handle="ann"), start), LiveHours()
    for day in range(21):
        evening = start.replace(hour=18) + timedelta(days=day)
        for minute in range(120):
            last = evening + timedelta(minutes=minute)
            hours = went_on(hours, last, last + timedelta(minutes=1))
    watch = watch.model_copy(update={"live_hours": hours})
    tomorrow = start + timedelta(days=21)
    by_hour = {hour: usual_interval(watch, tomorrow.replace(hour=hour, minute=15), policy) for hour in range(24)}
    assert by_hour[18] == by_hour[19] == policy.hot_interval
    assert usual_interval(watch, tomorrow.replace(hour=17, minute=40), policy) == policy.hot_interval, (
        "before it begins"
    )
    assert by_hour[4] == by_hour[12] == policy.cold_interval


def test_of_a_new_creator_nothing_is_assumed(policy, start):
    watch = new_watch(Follow(handle="ann"), start)
    assert usual_interval(watch, start, policy) == policy.check_interval
    assert usual_interval(watch, start + timedelta(days=7), policy) == policy.cold_interval
    assert usual_interval(watch, start - timedelta(days=7), policy) == policy.check_interval


def test_the_state_rules_over_the_habit(policy, start):
    watch = new_watch(Follow(handle="ann"), start)
    after_end = watch.model_copy(update={"last_ended_at": start})
    assert interval(after_end, start + timedelta(minutes=14), policy) == policy.hot_interval
    assert interval(after_end, start + timedelta(minutes=16), policy) > policy.hot_interval
    assert interval(after_end, start - timedelta(hours=1), policy) > policy.hot_interval
    broadcast = OpenBroadcast(creator_id="42", room=Room(room_id="7001"), sequence=1, told_at=start)
    live = watch.model_copy(update={"broadcast": broadcast, "state": "restricted"})
    assert interval(live, start, policy) == policy.check_interval
    paused = watch.model_copy(update={"broadcast": broadcast.model_copy(update={"paused": True})})
    assert interval(paused, start, policy) == policy.hot_interval
    assert interval(watch.model_copy(update={"state": "restricted"}), start, policy) == policy.restricted_interval


def test_only_a_recent_last_live_is_remembered(start):
    assert remembered(None, start) is None
    assert remembered(start - timedelta(days=31), start) is None
    assert remembered(start + timedelta(days=1), start) is None
    recent = remembered(start - timedelta(days=1), start)
    assert recent is not None
    assert recent.likelihood(start, timedelta()) > 0.1


def test_no_wait_is_longer_than_the_longest(policy):
    assert longest_wait(policy, 0.4) >= timedelta(seconds=policy.cold_interval * 1.4)


@given(now=moments, seconds=histograms, watched=st.floats(0, 400))
def test_who_is_wished_for_eagerly_or_seldom_is_looked_at_so_whatever_the_past(now, seconds, watched, policy):
    def usual(interval):
        follow = Follow(handle="ann", wishes=Wishes(interval=interval))
        watch = new_watch(follow, now - timedelta(days=watched))
        hours = LiveHours(seconds=seconds, day=now.toordinal())
        return usual_interval(watch.model_copy(update={"live_hours": hours}), now, policy)

    assert (usual("eager"), usual("relaxed")) == (policy.hot_interval, policy.cold_interval)
