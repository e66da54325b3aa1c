"""Who exists in the simulated TikTok and what each is doing at this moment."""

import hashlib
import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from wentlive_common.clock import Clock
from wentlive_common.errors import Conflict, NotFound

from wentlive_devkit.tiktok.ledger import Viewing
from wentlive_devkit.tiktok.scenario import CreatorScript, LiveScript, MediaScript, Scenario
from wentlive_devkit.tiktok.traps import Traps, TrapScript

LIVE = 2
PAUSED = 3
ENDED = 4

_A_DAY = 86_400.0
_YESTERDAY = LiveScript(title="Yesterday", duration_s=3600)


class NoSuchCreator(NotFound):
    """Nobody in the scenario has that handle."""


class NotNow(Conflict):
    """The creator's broadcast is not in a state that allows this."""


@dataclass(slots=True)
class Broadcast:
    """One live; moments are seconds on the world's clock."""

    room_id: str
    stream_id: str
    script: LiveScript
    started: float
    started_at: datetime
    ends: float | None
    base_ms: int
    cuts: list[float]
    media: MediaScript
    pauses: list[tuple[float, float | None]] = field(default_factory=list[tuple[float, float | None]])
    waiting: bool = False
    """For its first viewer: until then it is on, but does not move."""
    viewings: list[Viewing] = field(default_factory=list[Viewing])

    def watch(self, now: float) -> None:
        """A viewer is there; for the first one the media begins, when it has waited for that."""
        if not self.waiting:
            return
        self.waiting = False
        late = now - self.script.lead_s / self.script.pace - self.started
        self.started += late
        self.cuts = [cut + late for cut in self.cuts]
        if self.ends is not None:
            self.ends += late

    def status(self, now: float) -> int:
        if self.ends is not None and now >= self.ends and not self.waiting:
            return ENDED
        return PAUSED if self.pauses and self.pauses[-1][1] is None else LIVE

    def position_ms(self, now: float) -> int:
        return 0 if self.waiting else max(int((now - self.started) * 1000 * self.script.pace), 0)

    def cut_between(self, joined: float, now: float) -> float | None:
        """When a connection made at `joined` is dropped, if that moment has come."""
        return min((cut for cut in self.cuts if joined < cut <= now), default=None)


@dataclass(slots=True)
class Creator:
    script: CreatorScript
    handle: str
    """As it is now; the script keeps the first one."""
    user_id: str
    sec_uid: str
    broadcasts: list[Broadcast] = field(default_factory=list[Broadcast])

    def latest(self, now: float) -> Broadcast | None:
        """The broadcast that TikTok would speak of: the last to have begun."""
        begun = [broadcast for broadcast in self.broadcasts if broadcast.started <= now]
        # Of two in the same moment the one that was added last.
        return max(reversed(begun), key=lambda broadcast: broadcast.started, default=None)


class World:
    """The scenario set going: time alone moves it, and whoever calls go_live, end, pause, resume or drop."""

    def __init__(self, scenario: Scenario, clock: Clock) -> None:
        self._clock = clock
        self._epoch = clock.monotonic()
        self._epoch_at = clock.now()
        self._chance = random.Random()  # noqa: S311 - ids that only must not repeat
        self.scenario = scenario
        self.closed = False
        self.traps = Traps()
        self.set_traps(scenario.traps)
        for script in scenario.creators:
            self.set_traps(script.traps, script.handle)
        self.creators = {script.handle: _creator(script) for script in scenario.creators}
        for creator in self.creators.values():
            script = creator.script
            if script.past_live and script.kind != "never_live":
                creator.broadcasts.append(self._broadcast(script, _YESTERDAY, -_A_DAY))
        self._begun = False

    def begin(self) -> None:
        """Sets the scenario's lives going: their `starts_after_s` counts from now."""
        if self._begun:
            raise NotNow("The scenario has begun already.")
        self._begun = True
        for creator in self.creators.values():
            for live in creator.script.lives:
                creator.broadcasts.append(self._broadcast(creator.script, live, self.now() + live.starts_after_s))

    def now(self) -> float:
        """Seconds since the world began."""
        return self._clock.monotonic() - self._epoch

    def wall(self) -> datetime:
        return self._clock.now()

    def close(self) -> None:
        """The simulator stops: every stream breaks off."""
        self.closed = True

    def creator(self, handle: str) -> Creator:
        try:
            return self.creators[handle]
        except KeyError:
            raise NoSuchCreator(f"Nobody in the scenario is called {handle}.") from None

    def creator_by_id(self, user_id: str) -> Creator | None:
        return next((creator for creator in self.creators.values() if creator.user_id == user_id), None)

    def find_stream(self, stream_id: str, *, lingers_s: float = 0) -> tuple[Creator, Broadcast] | None:
        """The creator and the broadcast of a stream that is on now, or was until `lingers_s` ago."""
        for creator in self.creators.values():
            broadcast = creator.latest(self.now())
            if broadcast and broadcast.stream_id == stream_id and broadcast.status(self.now() - lingers_s) != ENDED:
                return creator, broadcast
        return None

    def find_room(self, room_id: str) -> tuple[Creator, Broadcast] | None:
        for creator in self.creators.values():
            for broadcast in creator.broadcasts:
                if broadcast.room_id == room_id and broadcast.started <= self.now():
                    return creator, broadcast
        return None

    def set_traps(self, traps: TrapScript, handle: str | None = None) -> None:
        """From now on, for everybody or for one creator; their counts and times begin anew."""
        self.traps.set(traps, self.now(), handle)

    def rename(self, handle: str, new: str) -> Creator:
        """The same person under a new handle; nobody has the old one any more."""
        creator = self.creator(handle)
        if new in self.creators:
            raise NotNow(f"{new} is somebody already.")
        creator.handle = new
        self.creators[new] = self.creators.pop(handle)
        self.traps.rename(handle, new)
        return creator

    def go_live(self, handle: str, live: LiveScript | None = None, *, anew: bool = False) -> Broadcast:
        """A new room from now on (`starts_after_s` counts from now), `anew` even while the old one is open."""
        creator = self.creator(handle)
        if creator.script.kind == "never_live":
            raise NotNow(f"{handle} never goes live in this scenario.")
        current = creator.latest(self.now())
        if current and current.status(self.now()) != ENDED and not anew:
            raise NotNow(f"{handle} is live already, in room {current.room_id}.")
        live = live or LiveScript()
        broadcast = self._broadcast(creator.script, live, self.now() + live.starts_after_s)
        creator.broadcasts.append(broadcast)
        return broadcast

    def end(self, handle: str) -> Broadcast:
        broadcast = self._current(handle)
        broadcast.waiting = False
        broadcast.ends = self.now()
        return broadcast

    def reopen(self, handle: str) -> Broadcast:
        """The last broadcast goes on in the same room, as if it had never been over."""
        broadcast = self.creator(handle).latest(self.now())
        if broadcast is None or broadcast.status(self.now()) != ENDED:
            raise NotNow(f"{handle} has no broadcast that is over.")
        broadcast.ends = None
        return broadcast

    def pause(self, handle: str) -> Broadcast:
        broadcast = self._current(handle)
        if broadcast.status(self.now()) == PAUSED:
            raise NotNow(f"{handle} has paused already.")
        broadcast.pauses.append((self.now(), None))
        return broadcast

    def resume(self, handle: str) -> Broadcast:
        broadcast = self._current(handle)
        if broadcast.status(self.now()) != PAUSED:
            raise NotNow(f"{handle} has not paused.")
        broadcast.pauses[-1] = (broadcast.pauses[-1][0], self.now())
        return broadcast

    def drop(self, handle: str) -> Broadcast:
        """Cuts every connection that is open now; a new one goes on in the same room."""
        broadcast = self._current(handle)
        broadcast.cuts.append(self.now())
        return broadcast

    def _current(self, handle: str) -> Broadcast:
        broadcast = self.creator(handle).latest(self.now())
        if broadcast is None or broadcast.status(self.now()) == ENDED:
            raise NotNow(f"{handle} is not live.")
        return broadcast

    def _broadcast(self, script: CreatorScript, live: LiveScript, starts: float) -> Broadcast:
        started_at = self._epoch_at + timedelta(seconds=starts)
        return Broadcast(
            # As TikTok's own: seconds in the upper half, so that later rooms have larger numbers.
            room_id=str(int(started_at.timestamp()) << 32 | self._chance.getrandbits(31)),
            stream_id=str(3_000_000_000_000_000_000 + self._chance.getrandbits(59)),
            script=live,
            started=starts,
            started_at=started_at.astimezone(UTC),
            ends=None if live.duration_s is None else starts + live.duration_s / live.pace,
            base_ms=self._chance.randrange(60_000, 4_000_000) if live.first_stamp_ms is None else live.first_stamp_ms,
            cuts=[starts + after / live.pace for after in live.cut_after_s],
            media=script.media or self.scenario.media,
            waiting=live.waits_for_viewer,
        )


def _creator(script: CreatorScript) -> Creator:
    """The same handle has the same identity in every run."""
    digest = hashlib.sha256(script.handle.encode()).digest()
    return Creator(
        script=script,
        handle=script.handle,
        user_id=str(6_000_000_000_000_000_000 + int.from_bytes(digest[:7])),
        sec_uid="MS4wLjABAAAA" + hashlib.sha512(digest).hexdigest()[:64],
    )
