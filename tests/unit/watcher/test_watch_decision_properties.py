"""Whatever TikTok answers, in whatever order, and whatever the clock does: no false end, no double start."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st
from wentlive_common.events import BroadcastData, BroadcastEnded, BroadcastPaused, BroadcastResumed, BroadcastWentLive
from wentlive_tiktok.status import Blocked, Live, NotFound, Offline, Paused, Restricted, Room, Unknown
from wentlive_watcher.decision import decide
from wentlive_watcher.domain import Follow, Policy, Watch, new_watch

ROOMS = ("7001", "7002", "7003")
steps = st.lists(
    st.tuples(
        st.sampled_from(
            ["offline"] * 6  # weighted: what starts and ends broadcasts comes often enough to meet
            + ["live 7001"] * 4
            + [
                "unknown",
                "blocked",
                "not_found",
                "private",
                "private",
                "age",
                "age 7001",
                "over",
                "renamed",
                "stranger",
            ]
            + [f"{state} {room}" for state in ("live", "paused") for room in ROOMS]
        ),
        st.sampled_from([0.0, 0.4, 5.0, 10.0, 10.0, 30.0, 61.0, 4000.0, -20.0, -90_000.0]),
    ),
    min_size=4,
    max_size=60,
)


def answer_of(name, answers):
    state, _, room = name.partition(" ")
    return {
        "offline": answers.offline(),
        "unknown": Unknown(why="timeout"),
        "blocked": Blocked(how="waf"),
        "not_found": NotFound(handle="ann"),
        "private": Restricted(reason="private", profile=answers.profile()),
        "age": Restricted(reason="age", room_id=room or None),
        "over": Offline(last_room=Room(room_id="7001")),
        "renamed": Offline(profile=answers.profile(handle="ann.new")),
        "stranger": Offline(profile=answers.profile(creator_id="99")),
        "live": answers.live(room or "1"),
        "paused": answers.paused(room or "1"),
    }[state]


@dataclass
class Model:
    """What a careful listener believes, from the answers and the news alone."""

    policy: Policy
    open: str | None = None
    paused: bool = False
    over: int = 0
    """Answers since it was last seen open that say it is over."""
    over_at: datetime | None = None
    over_for: float = 0.0
    """Seconds that they have lasted; what a clock went back does not count."""
    hidden: list[datetime] = field(default_factory=list)
    """When answers came, since it was last seen open, that it cannot be seen."""
    sequences: dict[str, int] = field(default_factory=dict)

    def listen(self, answer, news, now):
        match answer:
            case Offline(profile=profile) if profile is None or profile.creator_id == "42":
                self._doubt(now)
            case Restricted(room_id=None) | NotFound():
                self.hidden.append(now)
            case Live() | Paused() if answer.room.room_id == self.open:
                self._forget()
            case Restricted(room_id=room) if room == self.open:
                self._forget()
        for item in news:
            if isinstance(item, BroadcastData):
                self._hear(item, answer)
        if isinstance(answer, Live):
            assert self.open == answer.room.room_id, "a start was missed"
            assert not self.paused

    def _doubt(self, now):
        self.over += 1
        if self.over_at is not None:
            self.over_for += max(0.0, (now - self.over_at).total_seconds())
        self.over_at = now

    def _forget(self):
        self.over, self.over_at, self.over_for, self.hidden = 0, None, 0.0, []

    def _hear(self, item, answer):
        last = self.sequences.get(item.room_id, 0)
        repeated = item.room_id == self.open and isinstance(item, BroadcastPaused if self.paused else BroadcastWentLive)
        assert item.sequence == last if repeated else item.sequence > last
        self.sequences[item.room_id] = item.sequence
        match item:
            case BroadcastEnded():
                self._hear_end(item, answer)
            case BroadcastWentLive():
                assert self.open in (None, item.room_id), "a second start while one is open"
                assert isinstance(answer, Live)
                self.open = item.room_id
                self._forget()
            case BroadcastPaused():
                assert isinstance(answer, Paused)
                assert self.open == item.room_id
                self.paused = True
            case BroadcastResumed():
                assert self.paused
                self.paused = False

    def _hear_end(self, item, answer):
        assert item.room_id == self.open, "the end of what is not open"
        match answer:
            case Offline():
                assert self.over >= self.policy.ended_confirmations, "a false end"
                assert self.over_for >= self.policy.end_grace, "an end before its time"
            case Live() | Paused():
                assert answer.room.room_id != item.room_id, "a false end"
            case Restricted(room_id=None) | NotFound():
                assert len(self.hidden) >= max(self.policy.ended_confirmations, 2), "a false end"
            case Restricted():
                assert answer.room_id != item.room_id, "a false end"
            case _:
                raise AssertionError("an answer that says nothing ended it")
        self.open, self.paused = None, False


@settings(max_examples=400, deadline=None)
@given(steps=steps, confirmations=st.integers(1, 4), grace=st.sampled_from([0.0, 10.0, 40.0]))
def test_random_answers_never_deceive(steps, confirmations, grace, answers, policy, start):
    careful = policy.model_copy(update={"ended_confirmations": confirmations, "end_grace": grace})
    watch, now, model = new_watch(Follow(handle="ann", creator_id="42"), start), start, Model(careful)
    for name, seconds in steps:
        now += timedelta(seconds=seconds)
        answer = answer_of(name, answers)
        decision = decide(watch, answer, now, careful)
        model.listen(answer, decision.news, now)
        watch = Watch.model_validate_json(decision.watch.model_dump_json())
        assert watch == decision.watch, "what is stored is what was decided"
        assert (watch.broadcast.room.room_id if watch.broadcast else None) == model.open
        assert now < watch.next_check_at <= now + timedelta(seconds=300), "nobody is looked at never, or at once"


@settings(max_examples=100, deadline=None)
@given(steps=steps, last=st.sampled_from(["offline", "private", "not_found"]))
def test_what_is_over_does_not_stay_open_for_ever(steps, last, answers, policy, start):
    watch, now = new_watch(Follow(handle="ann", creator_id="42"), start), start
    for name, seconds in steps:
        now += timedelta(seconds=seconds)
        watch = decide(watch, answer_of(name, answers), now, policy).watch
    for _ in range(20):
        now = watch.next_check_at if watch.next_check_at > now else now + timedelta(seconds=300)
        watch = decide(watch, answer_of(last, answers), now, policy).watch
    assert watch.broadcast is None
