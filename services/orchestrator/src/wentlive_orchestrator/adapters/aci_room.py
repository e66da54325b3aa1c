"""Where there is room for another container group: quotas of the regions, refusals lived through, limits of our own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import floor

from wentlive_common.clock import Clock

from wentlive_orchestrator.adapters.aci_errors import Kind
from wentlive_orchestrator.adapters.arm_allowance import Allowance
from wentlive_orchestrator.domain import Recording
from wentlive_orchestrator.ports import NoRoom

CLAIM_SECONDS = 60.0
"""From being admitted to being started, generously."""
LONGEST_REST = 600.0
FIRST_REST = {Kind.QUOTA: 30.0, Kind.CAPACITY: 15.0}
AVOID_SECONDS = 300.0
WORDS = {Kind.QUOTA: "Azure says that its quota is used up", Kind.CAPACITY: "Azure has no machine free there"}
THROTTLED = "Azure takes no more new container groups for now: its limit of requests is reached."


@dataclass(frozen=True, slots=True)
class Usage:
    """A quota of a subscription in a region."""

    used: float
    limit: float


@dataclass(slots=True)
class RegionState:
    """What is known of a region. Unknown usage means that there is room until Azure says otherwise."""

    groups: Usage | None = None
    cores: Usage | None = None
    """Used by others than us; what is ours is counted by us, at once."""
    rests_until: float = 0.0
    rest: float = 0.0
    why: str = ""
    avoided_until: float = 0.0


@dataclass(frozen=True, slots=True)
class Claim:
    region: str
    until: float


@dataclass
class AciRoom:
    """The `Admission` of container groups, and the choice of a region for each."""

    names: Sequence[str]
    cpu: float
    most_groups: int
    creates: Allowance
    clock: Clock
    regions: dict[str, RegionState] = field(init=False)
    _ours: dict[str, str] = field(init=False, default_factory=dict[str, str])
    """Region by name of every group of ours that may exist."""
    _asked: set[str] = field(init=False, default_factory=set[str])
    """Those that Azure has not answered about yet: no list need show them."""
    _claims: dict[str, Claim] = field(init=False, default_factory=dict[str, Claim])

    def __post_init__(self) -> None:
        self.regions = {name: RegionState() for name in self.names}

    def refusal(self, recording: Recording) -> str:
        self._drop_old_claims(recording.recording_id)
        if self.creates.left() <= len(self._claims):
            return THROTTLED
        region = self._best()
        if region is None:
            return f"No region has room for another recorder: {'; '.join(map(self._why_not, self.regions))}."
        self._claims[recording.recording_id] = Claim(region, self.clock.monotonic() + CLAIM_SECONDS)
        return ""

    def take(self, recording_id: str, group: str) -> str:
        """The region for a group that is created now; from here on it counts. Raises `NoRoom`."""
        self._drop_old_claims()
        claim = self._claims.pop(recording_id, None)
        region = claim.region if claim else self._best()
        if region is None:
            raise NoRoom("No region has room for another recorder.")
        if not self.creates.take():
            raise NoRoom(THROTTLED)
        self._ours[group] = region
        self._asked.add(group)
        return region

    def answered(self, group: str) -> None:
        self._asked.discard(group)

    def gone(self, group: str) -> None:
        """It was never created, or does not exist any more."""
        self._ours.pop(group, None)

    def known(self) -> frozenset[str]:
        """What a list that begins now must show, if it exists."""
        return frozenset(self._ours.keys() - self._asked)

    def listed(self, groups: Mapping[str, str], known_before: frozenset[str]) -> None:
        """All groups of ours by region; what was not `known` when the listing began is kept."""
        begun = {name: region for name, region in self._ours.items() if name not in known_before}
        self._ours = {**groups, **begun}

    def learn_usage(self, region: str, groups: Usage | None, cores: Usage | None) -> None:
        """As Azure counts it, ours included."""
        state, ours = self.regions[region], self._count(region)
        state.groups = Usage(max(0.0, groups.used - ours), groups.limit) if groups else None
        state.cores = Usage(max(0.0, cores.used - ours * self.cpu), cores.limit) if cores else None

    def refused(self, region: str, kind: Kind) -> None:
        """Azure has no room there: it is left alone for a while, longer each time."""
        state, now = self.regions[region], self.clock.monotonic()
        if now < state.rests_until:
            return
        state.rest = min(LONGEST_REST, max(FIRST_REST[kind], state.rest * 2))
        state.rests_until = now + state.rest
        state.why = WORDS[kind]

    def accepted(self, region: str) -> None:
        self.regions[region].rest = 0.0

    def disappointed(self, region: str) -> None:
        """A group that it had accepted never came up: others are preferred for a while."""
        if state := self.regions.get(region):
            state.avoided_until = self.clock.monotonic() + AVOID_SECONDS

    def _best(self) -> str | None:
        now = self.clock.monotonic()
        free = [name for name in self.regions if not self._why_not(name)]
        return min(free, key=lambda name: self.regions[name].avoided_until > now, default=None)

    def _why_not(self, region: str) -> str:
        """In the same words as long as it is for the same reason; empty when there is room."""
        state = self.regions[region]
        if self.clock.monotonic() < state.rests_until:
            return f"{region}: {state.why}"
        taken = self._count(region) + sum(claim.region == region for claim in self._claims.values())
        if taken >= self.most_groups:
            return f"{region}: {self.most_groups} recorders is the most that the settings allow"
        if state.groups and taken + 1 > state.groups.limit - state.groups.used:
            return f"{region}: the quota of {state.groups.limit:g} container groups is used up"
        if state.cores and taken + 1 > floor((state.cores.limit - state.cores.used) / self.cpu):
            return f"{region}: the quota of {state.cores.limit:g} cores is used up"
        return ""

    def _count(self, region: str) -> int:
        return sum(where == region for where in self._ours.values())

    def _drop_old_claims(self, recording_id: str = "") -> None:
        now = self.clock.monotonic()
        self._claims = {key: claim for key, claim in self._claims.items() if claim.until > now and key != recording_id}
