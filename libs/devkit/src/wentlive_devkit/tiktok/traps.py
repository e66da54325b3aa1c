"""What TikTok is known to do to those who ask: each trap a switch, for everybody or for one creator."""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from wentlive_devkit.tiktok.script import Script, Seconds

Refused = Literal["waf", "forbidden", "rate_limited", "country", "login"]
Spoiled = Literal["drip", "cut", "endless", "huge", "bomb", "page", "garbage", "empty", "error"]


class RefusalScript(Script):
    """TikTok refuses to answer for a time or a number of requests; without either, until it is reset."""

    how: Refused
    retry_after_s: Annotated[int, Field(ge=0, le=86_400)] | None = None
    for_s: Seconds | None = None
    requests: Annotated[int, Field(ge=1)] | None = None
    egress: str | None = None
    """Only who comes through this proxy: the user name in the URL of the simulator used as a proxy."""


class TrapScript(Script):
    """The switches; all of them off is a TikTok that behaves."""

    refuse: RefusalScript | None = None
    answer: Spoiled | None = None
    """JSON comes slowly, broken off, without end, as 10 MB, packed to explode, as a page, unreadable, or not at all."""
    user_not_found: bool = False
    """`api-live/user/room` denies people who exist, live or not."""
    changed_shape: bool = False
    """`api-live/user/room` answers in a shape that nobody knows yet."""
    age_gate: Literal["closed", "page_open"] | None = None
    """Streams are hidden from who sends no session cookie, on the live page too or only elsewhere."""
    all_alive: bool = False
    """`check_alive` says that every room is on, whatever its number. Counts for everybody only."""
    stale_streams: Literal[403, 404] | None = None
    """What the streams' URLs answer."""


NO_TRAPS = TrapScript()


@dataclass(slots=True)
class _Set:
    script: TrapScript
    since: float
    refused: int = 0

    def refusal(self, now: float, egress: str) -> RefusalScript | None:
        """The refusal in force, counted."""
        refuse = self.script.refuse
        if refuse is None or (refuse.egress is not None and refuse.egress != egress):
            return None
        if refuse.for_s is not None and now - self.since >= refuse.for_s:
            return None
        if refuse.requests is not None and self.refused >= refuse.requests:
            return None
        self.refused += 1
        return refuse


class Traps:
    """The traps that are set now."""

    def __init__(self) -> None:
        self._everybody = _Set(NO_TRAPS, 0.0)
        self._creators: dict[str, _Set] = {}

    def set(self, script: TrapScript, now: float, handle: str | None = None) -> None:
        """Replaces what was set before, for everybody or for one creator."""
        if handle is None:
            self._everybody = _Set(script, now)
        else:
            self._creators[handle] = _Set(script, now)

    def rename(self, old: str, new: str) -> None:
        if old in self._creators:
            self._creators[new] = self._creators.pop(old)

    def of(self, handle: str | None) -> TrapScript:
        """What counts for a creator: their own switches, and everybody's where theirs are off."""
        common = self._everybody.script
        own = self._creators.get(handle) if handle else None
        if own is None:
            return common
        return common.model_copy(update={key: value for key, value in own.script if value})

    def refusal(self, handle: str | None, egress: str, now: float) -> RefusalScript | None:
        own = self._creators.get(handle) if handle else None
        return (own.refusal(now, egress) if own else None) or self._everybody.refusal(now, egress)
