"""The network addresses that TikTok is asked from: each with its own budget, its own rest, and its own cookies."""

from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from dataclasses import dataclass

import structlog
from wentlive_common.clock import Clock
from wentlive_common.model import Model, UtcDatetime
from wentlive_tiktok.links import LinkUnresolved
from wentlive_tiktok.ports import TikTok
from wentlive_tiktok.status import Blocked, BlockedHow, LiveStatus

from wentlive_watcher.breaker import Breaker, BreakerState
from wentlive_watcher.domain import EgressName
from wentlive_watcher.gauges import WatcherGauges
from wentlive_watcher.pace import Pace

log = structlog.stdlib.get_logger(__name__)

Connect = Callable[[Callable[[], Awaitable[bool]]], TikTok]
"""Gives the source that asks over an egress; what it is given is asked before each further request of one check."""
BURST_SECONDS = 1.0
ASKED_BURST = 3.0


@dataclass(frozen=True)
class Budget:
    """What one egress may ask."""

    requests_per_second: float
    asked_per_minute: float
    ramp: float
    block_backoff: float
    block_backoff_limit: float


class EgressReport(Model):
    """One egress, for people to look at."""

    name: EgressName
    state: BreakerState
    since: UtcDatetime
    why: BlockedHow | None
    retry_at: UtcDatetime | None
    requests_per_second: float


@dataclass(frozen=True)
class Turn:
    """The right to one check over one egress."""

    egress: "Egress"
    probe: bool

    @property
    def overtaken(self) -> Blocked | None:
        """The refusal of another check, which began before this one could."""
        why = self.egress.why
        return None if self.probe or why is None else Blocked(how=why)

    def learn(self, answer: LiveStatus) -> None:
        self.egress.learn(answer, probe=self.probe)


class Egress:
    """One address."""

    def __init__(self, name: str, budget: Budget, connect: Connect, *, clock: Clock, gauges: WatcherGauges) -> None:
        per_second = budget.requests_per_second
        self.name = name
        self._per_second = per_second
        self._pace = Pace(per_second, clock, burst=per_second * BURST_SECONDS, ramp=budget.ramp)
        self._asked_pace = Pace(budget.asked_per_minute / 60, clock, burst=ASKED_BURST)
        self._breaker = Breaker(clock, backoff=budget.block_backoff, limit=budget.block_backoff_limit)
        self._gauges = gauges
        gauges.egress_resting.labels(name).set_function(lambda: self._breaker.state != "closed")
        self.source = connect(self._may_ask_again)

    @property
    def why(self) -> BlockedHow | None:
        """Why it rests; None while it works."""
        return self._breaker.why

    def free(self, *, asked_for: bool = False) -> int:
        """How many checks may begin now."""
        if self._breaker.state == "closed":
            return (self._asked_pace if asked_for else self._pace).available()
        return int(self.wants_probe and not asked_for)

    @property
    def wants_probe(self) -> bool:
        """It has rested, and one check is to find out whether it works again."""
        return self._breaker.state == "half_open" and not self._breaker.probing

    def take(self, *, asked_for: bool = False) -> Turn:
        probe = self.wants_probe and not asked_for
        if probe:
            self._breaker.probing = True
        (self._asked_pace if asked_for else self._pace).take()
        self._gauges.requests.labels(self.name).inc()
        return Turn(self, probe)

    def learn(self, answer: LiveStatus, *, probe: bool) -> None:
        was_closed = self._breaker.state == "closed"
        self._breaker.learn(answer, probe=probe)
        closed = self._breaker.state == "closed"
        if isinstance(answer, Blocked):
            self._gauges.refusals.labels(self.name, answer.how).inc()
        if was_closed and not closed:
            log.warning("egress_rests", egress=self.name, why=self._breaker.why, retry_at=str(self._breaker.retry_at))
        elif closed and not was_closed:
            self._pace.restart()
            log.info("egress_works_again", egress=self.name)

    def report(self) -> EgressReport:
        breaker = self._breaker
        return EgressReport(
            name=self.name, state=breaker.state, since=breaker.since, why=breaker.why, retry_at=breaker.retry_at,
            requests_per_second=self._per_second,
        )  # fmt: skip

    async def _may_ask_again(self) -> bool:
        """A check's further requests are asked out of the same budget, and are the first to be done without."""
        if self._breaker.state != "closed" or not self._pace.available():
            return False
        self._pace.take()
        self._gauges.requests.labels(self.name).inc()
        return True


class Egresses:
    """All that there are."""

    def __init__(self, egresses: Sequence[Egress]) -> None:
        self._by_name = {egress.name: egress for egress in egresses}

    def free(self, *, asked_for: bool = False) -> int:
        return sum(egress.free(asked_for=asked_for) for egress in self._by_name.values())

    def busy(self, *, asked_for: bool = False) -> frozenset[str]:
        """Those over which nothing may be asked now: whoever is tied to one of them has to wait."""
        return frozenset(name for name, egress in self._by_name.items() if not egress.free(asked_for=asked_for))

    def take(self, tied_to: str | None, *, asked_for: bool = False) -> Turn | None:
        """A turn over the one that is named, else over the best of all; None when nothing may be asked there now."""
        named = self._by_name.get(tied_to or "")
        return _best([named] if named else self._by_name.values(), asked_for=asked_for)

    def instead(self, tied_to: str | None, tried: Collection[str]) -> Turn | None:
        """A turn for a check that was refused over all of `tried`, if another may ask now."""
        if tied_to in self._by_name:
            return None
        return _best(egress for egress in self._by_name.values() if egress.name not in tried)

    async def resolve_link(self, text: str) -> str:
        """The handle behind a pasted link, asked out of the budget for what people ask.

        Raises InvalidHandle, or LinkUnresolved when TikTok did not say or may not be asked now.
        """
        turn = self.take(None, asked_for=True)
        if turn is None:
            raise LinkUnresolved
        try:
            return await turn.egress.source.resolve_link(text)
        except LinkUnresolved as error:
            if error.refused:
                turn.learn(error.refused)
            raise

    def reports(self) -> list[EgressReport]:
        return [egress.report() for egress in self._by_name.values()]


def _best(egresses: Iterable[Egress], *, asked_for: bool = False) -> Turn | None:
    """Over one that wants a probe, or it would rest for as long as the others suffice; else over the one that may ask
    most."""
    free = {egress: egress.free(asked_for=asked_for) for egress in egresses}
    able = [egress for egress, count in free.items() if count]
    best = max(able, key=lambda egress: (egress.wants_probe, free[egress]), default=None)
    return best.take(asked_for=asked_for) if best else None
