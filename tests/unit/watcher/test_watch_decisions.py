"""Every row of the decision table."""

from datetime import timedelta

import pytest
from wentlive_common.capture import Quality, Wishes
from wentlive_common.events import (
    BroadcastEnded,
    BroadcastPaused,
    BroadcastResumed,
    BroadcastWentLive,
    CreatorProfileChanged,
    CreatorRestricted,
)
from wentlive_tiktok.status import Blocked, Live, NotFound, Offline, Restricted, Room, Unknown
from wentlive_watcher.decision import decide


class Story:
    """One creator's answers one after the other, `step` seconds apart."""

    def __init__(self, watch, policy, start):
        self.watch = watch
        self.policy = policy
        self.now = start

    def hear(self, answer, after=10.0):
        self.now += timedelta(seconds=after)
        decision = decide(self.watch, answer, self.now, self.policy)
        self.watch = decision.watch
        return list(decision.news)

    @property
    def wait(self):
        return (self.watch.next_check_at - self.now).total_seconds()


@pytest.fixture
def story(watch, policy, start):
    return Story(watch, policy, start)


def kinds(news):
    return [type(item) for item in news]


def test_live_is_told_once_with_the_profile_before_it(story, answers):
    profile, live = story.hear(answers.live(title="Cooking", viewer_count=7))
    assert isinstance(profile, CreatorProfileChanged)
    assert (profile.creator_id, profile.nickname) == ("42", "Ann")
    assert isinstance(live, BroadcastWentLive)
    assert (live.creator_id, live.room_id, live.handle, live.title, live.viewer_count) == (
        "42",
        "7001",
        "ann",
        "Cooking",
        7,
    )
    assert story.hear(answers.live()) == []
    assert story.wait == 30
    assert story.watch.state == "live"


def test_an_open_broadcast_is_repeated_with_the_same_sequence(story, answers):
    first = story.hear(answers.live())[-1]
    assert story.hear(answers.live(), after=30) == []
    (repeat,) = story.hear(answers.live(title="New title"), after=30)
    assert isinstance(repeat, BroadcastWentLive)
    assert repeat.sequence == first.sequence
    assert repeat.title == "New title"
    assert story.hear(answers.live(), after=30) == []


def test_an_end_needs_confirmations_and_is_looked_for_soon(story, answers):
    first = story.hear(answers.live())[-1]
    assert story.hear(answers.offline()) == []
    assert story.watch.broadcast is not None
    assert story.wait == 10
    (ended,) = story.hear(answers.offline())
    assert isinstance(ended, BroadcastEnded)
    assert ended.room_id == "7001"
    assert ended.sequence > first.sequence
    assert story.watch.broadcast is None
    assert story.wait == 2, "who was live just now may be live again"
    assert story.hear(answers.offline()) == []
    assert story.wait == 15
    assert story.hear(answers.offline(), after=900) == []
    assert story.wait == pytest.approx(30, rel=0.1)


def test_answers_in_quick_succession_confirm_nothing(story, answers):
    story.hear(answers.live())
    for _ in range(5):
        assert story.hear(answers.offline(), after=0.5) == []
    assert kinds(story.hear(answers.offline(), after=10)) == [BroadcastEnded]


def test_a_return_to_the_same_room_takes_the_doubt_away(story, answers):
    story.hear(answers.live())
    story.hear(answers.offline())
    assert story.hear(answers.live()) == []
    assert story.hear(answers.offline()) == [], "the confirmations start anew"


def test_the_same_room_live_after_its_end_goes_on_with_a_higher_sequence(story, answers):
    story.hear(answers.live())
    story.hear(answers.offline())
    (ended,) = story.hear(answers.offline())
    (again,) = story.hear(answers.live())
    assert isinstance(ended, BroadcastEnded)
    assert isinstance(again, BroadcastWentLive)
    assert again.sequence > ended.sequence


def test_the_sequence_grows_across_an_unfollow_and_a_new_follow(story, watch, policy, answers):
    story.hear(answers.live())
    (paused,) = story.hear(answers.paused())
    anew = Story(watch, policy, story.now)
    again = anew.hear(answers.live(), after=1)[-1]
    assert isinstance(again, BroadcastWentLive)
    assert isinstance(paused, BroadcastPaused)
    assert again.sequence > paused.sequence


def test_a_pause_keeps_the_broadcast_open(story, answers):
    first = story.hear(answers.live())[-1]
    (paused,) = story.hear(answers.paused())
    assert isinstance(paused, BroadcastPaused)
    assert story.hear(answers.paused(), after=10) == []
    (repeat,) = story.hear(answers.paused(), after=50)
    assert isinstance(repeat, BroadcastPaused)
    (resumed,) = story.hear(answers.live())
    assert isinstance(resumed, BroadcastResumed)
    assert first.sequence < paused.sequence == repeat.sequence < resumed.sequence


def test_a_pause_can_end(story, answers):
    story.hear(answers.live())
    story.hear(answers.paused())
    story.hear(answers.offline())
    assert kinds(story.hear(answers.offline())) == [BroadcastEnded]


def test_a_broadcast_first_seen_paused_starts_when_it_goes_on(story, answers):
    assert kinds(story.hear(answers.paused())) == [CreatorProfileChanged]
    assert story.watch.state == "paused"
    assert kinds(story.hear(answers.live())) == [BroadcastWentLive]


def test_a_new_room_ends_the_old_one_first(story, answers):
    story.hear(answers.live("7001"))
    ended, live = story.hear(answers.live("7002"))
    assert isinstance(ended, BroadcastEnded)
    assert isinstance(live, BroadcastWentLive)
    assert (ended.room_id, live.room_id) == ("7001", "7002")
    assert ended.sequence < live.sequence


def test_a_new_room_that_is_paused_ends_the_old_one_and_starts_nothing(story, answers):
    story.hear(answers.live("7001"))
    assert kinds(story.hear(answers.paused("7002"))) == [BroadcastEnded]
    assert story.watch.broadcast is None


@pytest.mark.parametrize(
    "nothing_said",
    [
        Unknown(why="HTTP 500"),
        Blocked(how="waf"),
        Blocked(how="rate_limited", retry_after=timedelta(seconds=5)),
        Restricted(reason="age", room_id="7001"),
    ],
    ids=["unknown", "waf", "rate_limited", "age"],
)
def test_what_says_nothing_about_it_neither_ends_nor_repeats_a_broadcast(story, answers, nothing_said):
    story.hear(answers.live())
    news = [item for _ in range(20) for item in story.hear(nothing_said, after=60)]
    assert not [item for item in news if isinstance(item, BroadcastEnded | BroadcastWentLive)]
    assert story.watch.broadcast is not None


def test_trouble_changes_nothing_but_the_next_check(story, answers):
    story.hear(answers.live())
    before = story.watch
    waits = []
    for _ in range(6):
        assert story.hear(Unknown(why="timeout")) == []
        waits.append(story.wait)
    assert waits == [30, 60, 120, 240, 300, 300]
    same = {"state", "broadcast", "profile", "restriction", "sequence", "creator_id"}
    assert before.model_dump(include=same) == story.watch.model_dump(include=same)
    assert story.watch.trouble == "unknown: timeout"
    story.hear(answers.live(), after=1)
    assert (story.watch.trouble, story.watch.consecutive_failures) == (None, 0)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [(Restricted(reason="private"), "private"), (NotFound(handle="ann"), "not_found")],
    ids=["private", "not_found"],
)
def test_what_cannot_be_seen_any_more_is_given_up_after_long(story, answers, answer, reason):
    story.hear(answers.live())
    story.hear(answer, after=30)
    told = []
    for _ in range(3):
        assert story.wait == 30
        told += story.hear(answer, after=30)
    assert BroadcastEnded not in kinds(told)
    told += story.hear(answer, after=30)
    assert kinds(told)[-1] is BroadcastEnded
    assert story.watch.broadcast is None
    assert story.watch.restriction is None or story.watch.restriction.reason == reason
    assert BroadcastEnded not in kinds([item for _ in range(9) for item in story.hear(answer, after=300)])


def test_to_be_seen_again_takes_the_doubt_away(story, answers):
    story.hear(answers.live())
    for _ in range(10):
        for _ in range(4):
            assert BroadcastEnded not in kinds(story.hear(Restricted(reason="private"), after=30))
        assert BroadcastEnded not in kinds(story.hear(answers.live(), after=30))


def test_a_restriction_that_names_another_room_ends_the_one_before(story, answers):
    story.hear(answers.live("7001"))
    assert kinds(story.hear(Restricted(reason="age", room_id="7002"))) == [CreatorRestricted, BroadcastEnded]


def test_only_the_end_of_the_room_may_be_known(story, answers):
    story.hear(answers.live())
    over = Offline(last_room=Room(room_id="7001"))
    assert story.hear(over) == []
    assert kinds(story.hear(over)) == [BroadcastEnded]


def test_a_grace_joins_a_drop_to_the_same_room(story, policy, answers):
    story.policy = policy.model_copy(update={"end_grace": 60})
    story.hear(answers.live())
    for _ in range(6):
        assert story.hear(answers.offline()) == []
    assert kinds(story.hear(answers.live())) == [BroadcastWentLive], "a repeat"
    for _ in range(6):
        assert story.hear(answers.offline()) == []
    assert kinds(story.hear(answers.offline())) == [BroadcastEnded]


def test_a_clock_that_jumps_ahead_ends_nothing(story, policy, answers):
    story.policy = policy.model_copy(update={"end_grace": 60})
    story.hear(answers.live())
    assert story.hear(answers.offline()) == []
    assert story.hear(answers.offline(), after=86_400) == []


def test_a_clock_that_goes_back_starves_nothing(story, answers):
    first = story.hear(answers.live())[-1]
    (again,) = story.hear(answers.live(), after=-7200)
    assert again.sequence == first.sequence
    story.hear(answers.offline())
    assert story.hear(answers.offline(), after=-86_400) == []
    assert story.wait == 10
    (ended,) = story.hear(answers.offline())
    assert ended.sequence > first.sequence
    story.hear(answers.offline(), after=-86_400)
    assert 0 < story.wait <= 300


def test_a_creator_who_took_another_handle_is_followed_by_it(story, answers):
    story.hear(answers.live())
    renamed = answers.live().model_copy(update={"profile": answers.profile(handle="ann.new")})
    news = story.hear(renamed, after=60)
    assert [(type(item), item.handle, item.creator_id) for item in news] == [
        (CreatorProfileChanged, "ann.new", "42"),
        (BroadcastWentLive, "ann.new", "42"),
    ]
    assert (story.watch.handle, story.watch.asks) == ("ann", "ann.new")
    story.hear(answers.live(), after=60)
    assert story.watch.current_handle is None


def test_who_took_over_the_handle_is_not_who_is_followed(story, answers):
    story.hear(answers.live())
    stranger = Live(
        room=answers.live("9001").room,
        profile=answers.profile(creator_id="99", nickname="Not Ann"),
        streams=answers.live().streams,
    )
    assert story.hear(stranger) == []
    assert story.watch.broadcast.room.room_id == "7001"
    assert story.watch.trouble == "unknown: The handle belongs to somebody else now."


def test_evidence_is_kept_with_its_time(story, answers):
    story.hear(Unknown(why="UpstreamChanged", evidence='{"odd": 1}'))
    told = story.now
    story.hear(answers.offline())
    assert (story.watch.evidence.text, story.watch.evidence.at) == ('{"odd": 1}', told)


def test_the_last_live_before_the_follow_is_remembered(story, answers, start):
    last = Room(room_id="6999", started_at=start - timedelta(days=2))
    story.hear(Offline(profile=answers.profile(), last_room=last))
    assert sum(story.watch.live_hours.seconds) > 0


def test_endless_trouble_does_not_overflow(story):
    story.watch = story.watch.model_copy(update={"consecutive_failures": 10_000_000})
    story.hear(Unknown(why="x" * 10_000))
    assert story.wait == 300
    assert len(story.watch.trouble) <= 300


def test_a_restriction_is_told_once_and_looked_at_slowly(story, answers, start):
    profile, restricted = story.hear(Restricted(reason="private", profile=answers.profile()))
    assert isinstance(profile, CreatorProfileChanged)
    assert isinstance(restricted, CreatorRestricted)
    assert (restricted.reason, restricted.creator_id) == ("private", "42")
    assert restricted.since == start + timedelta(seconds=10)
    assert story.wait == 300
    assert story.hear(Restricted(reason="private", profile=answers.profile())) == []


def test_a_restriction_is_told_again_after_a_profile(story, answers):
    story.hear(Restricted(reason="private", profile=answers.profile()))
    since = story.watch.restriction.since
    news = story.hear(Restricted(reason="private", profile=answers.profile(nickname="Anna")))
    assert kinds(news) == [CreatorProfileChanged, CreatorRestricted]
    assert news[1].since == since


def test_another_reason_is_told(story):
    story.hear(Restricted(reason="age"))
    (news,) = story.hear(Restricted(reason="paid"))
    assert news.reason == "paid"


def test_the_profile_says_that_a_restriction_is_over(story, answers):
    story.hear(Restricted(reason="age", profile=answers.profile()))
    assert kinds(story.hear(answers.offline())) == [CreatorProfileChanged]
    assert story.watch.restriction is None
    assert story.hear(answers.offline()) == []


def test_a_mistyped_handle_is_told_within_seconds(story):
    assert story.hear(NotFound(handle="ann")) == []
    assert story.wait == 5
    (news,) = story.hear(NotFound(handle="ann"), after=5)
    assert isinstance(news, CreatorRestricted)
    assert news.reason == "not_found"
    assert story.wait == 300
    assert story.hear(NotFound(handle="ann")) == []


def test_a_creator_seen_before_is_not_believed_to_be_gone_so_soon(story, answers):
    story.hear(answers.offline())
    for _ in range(4):
        assert story.hear(NotFound(handle="ann")) == []
        assert story.wait == 30
    assert kinds(story.hear(NotFound(handle="ann"))) == [CreatorRestricted]
    assert kinds(story.hear(answers.offline())) == [CreatorProfileChanged]
    assert story.watch.not_found_count == 0


def test_a_false_not_found_in_between_starts_the_count_anew(story, answers):
    story.hear(answers.offline())
    for answer in [NotFound(handle="ann")] * 4 + [answers.offline()] + [NotFound(handle="ann")] * 4:
        assert story.hear(answer) == []


def test_a_profile_is_told_when_people_would_see_a_difference(story, answers):
    def offline(**fields):
        return Offline(profile=answers.profile(**fields))

    story.hear(offline(avatar_url="https://p16.example/a/1.jpg?x-expires=1", follower_count=10))
    assert story.hear(offline(avatar_url="https://p19.example/a/1.jpg?x-expires=2", follower_count=11)) == []
    (news,) = story.hear(offline(avatar_url="https://p19.example/a/1.jpg?x-expires=2", follower_count=11), after=3600)
    assert news.follower_count == 11
    (news,) = story.hear(offline(avatar_url="https://p19.example/a/2.jpg", follower_count=11))
    assert news.avatar_url == "https://p19.example/a/2.jpg"
    (news,) = story.hear(offline(avatar_url="https://p19.example/a/2.jpg", verified=True, follower_count=11))
    assert news.verified


def test_hostile_lengths_and_numbers_fit_the_events(story, answers):
    profile = answers.profile(nickname="n" * 5000, avatar_url="https://[" + "a" * 5000, follower_count=-5)
    answer = Live(
        room=answers.live(title="t" * 5000, viewer_count=-3, cover_url="u" * 5000).room,
        profile=profile,
        streams=answers.live().streams,
    )
    told, live = story.hear(answer)
    assert (len(told.nickname), told.avatar_url, told.follower_count) == (200, None, 0)
    assert (len(live.title), live.viewer_count, live.cover_url) == (500, 0, None)


def test_a_decision_is_pure(watch, answers, policy, start):
    assert decide(watch, answers.live(), start, policy) == decide(watch, answers.live(), start, policy)
    assert watch.broadcast is None


def test_a_live_is_told_with_the_quality_wished_for(story, answers):
    story.watch = story.watch.model_copy(update={"wishes": Wishes(quality=Quality(audio_only=True))})
    _, live = story.hear(answers.live())
    assert live.quality == Quality(audio_only=True)
