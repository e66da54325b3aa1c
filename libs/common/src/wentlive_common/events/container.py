"""What happens to the containers that recorders run in, and what they cost."""

from typing import ClassVar, Literal

from pydantic import Field

from wentlive_common.events.envelope import EventData, registered
from wentlive_common.ids import Ulid
from wentlive_common.model import AttemptNumber, Seconds, UtcDatetime


class ContainerData(EventData):
    """`name` is the container group's, unique for each attempt."""

    recording_id: Ulid
    attempt: AttemptNumber
    runtime: Literal["process", "aci"]
    name: str = Field(max_length=63)
    at: UtcDatetime

    def subject(self) -> str:
        return self.recording_id


@registered
class ContainerCreated(ContainerData):
    """A recorder's container was asked for."""

    TYPE: ClassVar[str] = "container.created"

    region: str | None = Field(default=None, max_length=64)
    vcpu: float = Field(ge=0)
    memory_gb: float = Field(ge=0)


class ContainerGone(ContainerData):
    """The bill of a container that is verifiably gone."""

    vcpu_seconds: Seconds
    gb_seconds: Seconds
    estimated_cost_usd: float = Field(ge=0)


@registered
class ContainerDeleted(ContainerGone):
    """Its work was over and it was deleted."""

    TYPE: ClassVar[str] = "container.deleted"


@registered
class ContainerReaped(ContainerGone):
    """It outlived its work, or nobody owned it, and was deleted."""

    TYPE: ClassVar[str] = "container.reaped"

    reason: str = Field(max_length=500)
