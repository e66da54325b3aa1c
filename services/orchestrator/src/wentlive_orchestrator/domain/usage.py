"""What a recorder's container uses and what that costs: an estimate that is never below Azure's own bill."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import Field
from wentlive_common.events.container import ContainerCreated, ContainerDeleted, ContainerReaped
from wentlive_common.model import CreatorId, Handle, Model, Seconds, UtcDatetime

from wentlive_orchestrator.domain.recording import Attempt, Bill, Recording, attempt_name

Price = Annotated[float, Field(ge=0, le=1000, allow_inf_nan=False)]
Priority = Literal["regular", "spot"]
MAX_REASON_CHARS = 500


class Rates(Model):
    """In US dollars an hour."""

    vcpu: Price
    gb: Price


class RegionPrices(Model):
    regular: Rates
    spot: Rates


_EAST_US = RegionPrices(regular=Rates(vcpu=0.0405, gb=0.00445), spot=Rates(vcpu=0.01215, gb=0.001335))
_SWEDEN = Rates(vcpu=0.0466, gb=0.00511)


class PriceTable(Model):
    """What Azure Container Instances asks for Linux containers, as read on a day. Set it to your contract's prices."""

    as_of: date = date(2026, 10, 9)
    default: RegionPrices = _EAST_US
    """For every region that has no prices of its own: East US's."""
    regions: dict[str, RegionPrices] = Field(
        # Spot is not to be had there.
        default_factory=lambda: {"swedencentral": RegionPrices(regular=_SWEDEN, spot=_SWEDEN)}
    )

    def rates(self, region: str | None, priority: Priority) -> Rates:
        prices = self.regions.get(region or "", self.default)
        return prices.spot if priority == "spot" else prices.regular


class CreatorCosts(Model):
    """What the recorders of one creator's lives came to in a span of time."""

    creator_id: CreatorId
    handle: Handle
    attempts: int = Field(ge=0)
    vcpu_seconds: Seconds
    gb_seconds: Seconds
    usd: float = Field(ge=0)

    def plus(self, bill: Bill) -> "CreatorCosts":
        return self.model_copy(
            update={
                "attempts": self.attempts + 1,
                "vcpu_seconds": self.vcpu_seconds + bill.vcpu_seconds,
                "gb_seconds": self.gb_seconds + bill.gb_seconds,
                "usd": self.usd + bill.usd,
            }
        )


def add_bills(costs: dict[str, CreatorCosts], recording: Recording, bills: Sequence[Bill]) -> None:
    """Adds the bills of a recording's attempts to its creator's costs."""
    creator_id = recording.broadcast.creator_id
    for bill in bills:
        known = costs.get(creator_id) or CreatorCosts(
            creator_id=creator_id, handle=recording.handle, attempts=0, vcpu_seconds=0, gb_seconds=0, usd=0
        )
        costs[creator_id] = known.plus(bill)


class Footprint(Model):
    """What a running recorder holds, as its runtime's state says. A process on our own machine costs nothing more."""

    runtime: Literal["process", "aci"] = "process"
    region: str | None = None
    vcpu: float = Field(default=0.0, ge=0)
    memory_gb: float = Field(default=0.0, ge=0)
    priority: Priority = "regular"


class AttemptUsage(Footprint):
    """A footprint from the start's intent to the proof that it is gone: a little longer than what Azure bills."""

    started_at: UtcDatetime
    ended_at: UtcDatetime

    @property
    def seconds(self) -> Seconds:
        return max(0.0, (self.ended_at - self.started_at).total_seconds())

    def bill(self, prices: PriceTable) -> Bill:
        rates = prices.rates(self.region, self.priority)
        vcpu_seconds, gb_seconds = self.vcpu * self.seconds, self.memory_gb * self.seconds
        usd = (vcpu_seconds * rates.vcpu + gb_seconds * rates.gb) / 3600
        return Bill(vcpu_seconds=vcpu_seconds, gb_seconds=gb_seconds, usd=round(usd, 8), until=self.ended_at)


def usage_of(attempt: Attempt, now: datetime) -> AttemptUsage | None:
    """What the attempt has used up to `now`, or up to its bill; None when nothing of it is known to have run."""
    if attempt.runtime is None:
        return None
    ended_at = attempt.bill.until if attempt.bill else now
    return AttemptUsage.model_validate({**attempt.runtime, "started_at": attempt.created_at, "ended_at": ended_at})


def running_bill(attempt: Attempt, now: datetime, prices: PriceTable) -> Bill | None:
    """The bill as it stands at `now`, of an attempt that has none yet."""
    usage = None if attempt.bill else usage_of(attempt, now)
    return usage.bill(prices) if usage else None


def billed(attempt: Attempt, now: datetime, prices: PriceTable) -> Attempt:
    """The attempt with its bill, made out anew when what was believed to be gone has turned up again."""
    usage = usage_of(attempt.model_copy(update={"bill": None}), now)
    return attempt.model_copy(update={"bill": usage.bill(prices)}) if usage else attempt


def created_event(recording: Recording, attempt: Attempt, now: datetime) -> ContainerCreated:
    held = Footprint.model_validate(attempt.runtime or {})
    return ContainerCreated(
        **_about(recording, attempt, held, now), region=held.region, vcpu=held.vcpu, memory_gb=held.memory_gb
    )


def deleted_event(recording: Recording, attempt: Attempt, now: datetime) -> ContainerDeleted:
    held = Footprint.model_validate(attempt.runtime or {})
    return ContainerDeleted(**_about(recording, attempt, held, now), **_costs(attempt))


def reaped_event(recording: Recording, attempt: Attempt, reason: str, now: datetime) -> ContainerReaped:
    held = Footprint.model_validate(attempt.runtime or {})
    return ContainerReaped(**_about(recording, attempt, held, now), **_costs(attempt), reason=reason[:MAX_REASON_CHARS])


def stray_event(
    recording_id: str, number: int, runtime: dict[str, Any], reason: str, now: datetime, prices: PriceTable
) -> ContainerReaped:
    """Of a container whose recording, or attempt, is not known here: its name and its runtime are all that tells."""
    began = runtime.get("created_at", now)
    usage = AttemptUsage.model_validate({**runtime, "started_at": began, "ended_at": now})
    bill = usage.bill(prices)
    return ContainerReaped(
        recording_id=recording_id, attempt=number, runtime=usage.runtime, name=attempt_name(recording_id, number),
        at=now, vcpu_seconds=bill.vcpu_seconds, gb_seconds=bill.gb_seconds, estimated_cost_usd=bill.usd, reason=reason,
    )  # fmt: skip


def _about(recording: Recording, attempt: Attempt, held: Footprint, now: datetime) -> dict[str, Any]:
    return {
        "recording_id": recording.recording_id,
        "attempt": attempt.number,
        "runtime": held.runtime,
        "name": attempt.name,
        "at": now,
    }


def _costs(attempt: Attempt) -> dict[str, Any]:
    bill = attempt.bill
    return {
        "vcpu_seconds": bill.vcpu_seconds if bill else 0.0,
        "gb_seconds": bill.gb_seconds if bill else 0.0,
        "estimated_cost_usd": bill.usd if bill else 0.0,
    }
