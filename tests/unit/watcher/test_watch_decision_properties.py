"""Whatever TikTok answers, in whatever order: no false end, no double start, sequences grow."""

from dataclasses import dataclass, field
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st
from wentlive_common.events import BroadcastData, BroadcastEnded, BroadcastPaused, BroadcastResumed, BroadcastWentLive
from wentlive_tiktok.status import Blocked, Live, NotFound, Offline, Paused, Restricted, Unknown
from wentlive_watcher.decision import decide
from wentlive_watcher.domain import Follow, Watch, new_watch

ROOMS = ("7001", "7002", "7003")
steps = st.lists(
    st.tuples(
        st.sampled_from(
            ["offline"] * 6  # weighted: what starts and ends broadcasts comes often enough to meet
            + ["live 7001"] * 4
            + ["unknown", "blocked", "not_found", "private", "age"]
            + [f"{state} {room}" for state in ("live", "paused") for room in ROOMS]
        ),
        st.sampled_from([0.0, 0.4, 5.0, 10.0, 30.0, 61.0, 4000.0]),
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
        "age": Restricted(reason="age"),
        "live": answers.live(room or "1"),
        "paused": answers.paused(room or "1"),
    }[state]


@dataclass
class Model:
    """What a careful listener believes, from the answers and the news alone."""

    confirmations: int
    open: str | None = None
    paused: bool = False
    offline_in_a_row: int = 0
    sequences: dict[str, int] = field(default_factory=dict)

    def listen(self, answer, news):
        match answer:
            case Offline():
                self.offline_in_a_row += 1
            case Live() | Paused():
                seen = answer.room.room_id
                self.offline_in_a_row = 0 if seen == self.open else self.offline_in_a_row
        for item in news:
            if isinstance(item, BroadcastData):
                self._hear(item, answer)
        if isinstance(answer, Live):
            assert self.open == answer.room.room_id, "a start was missed"
            assert not self.paused

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
                self.open, self.offline_in_a_row = item.room_id, 0
            case BroadcastPaused():
                assert isinstance(answer, Paused)
                assert self.open == item.room_id
                self.paused = True
            case BroadcastResumed():
                assert self.paused
                self.paused = False

    def _hear_end(self, item, answer):
        assert item.room_id == self.open, "the end of what is not open"
        if isinstance(answer, Offline):
            assert self.offline_in_a_row >= self.confirmations, "a false end"
        else:
            assert isinstance(answer, Live | Paused)
            assert answer.room.room_id != item.room_id, "a false end"
        self.open, self.paused = None, False


@settings(max_examples=400, deadline=None)
@given(steps=steps, confirmations=st.integers(1, 4))
def test_random_answers_never_deceive(steps, confirmations, answers, policy, start):
    careful = policy.model_copy(update={"ended_confirmations": confirmations})
    watch, now, model = new_watch(Follow(handle="ann"), start), start, Model(confirmations)
    for name, seconds in steps:
        now += timedelta(seconds=seconds)
        answer = answer_of(name, answers)
        decision = decide(watch, answer, now, careful)
        model.listen(answer, decision.news)
        watch = Watch.model_validate_json(decision.watch.model_dump_json())
        assert watch == decision.watch, "what is stored is what was decided"
        assert (watch.broadcast.room.room_id if watch.broadcast else None) == model.open
        assert now < watch.next_check_at <= now + timedelta(seconds=300)
