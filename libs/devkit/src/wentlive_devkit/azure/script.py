"""What a test or a demo tells the simulated Azure to do wrong, and how fast it is when it does right."""

from typing import Literal

from pydantic import Field

from wentlive_devkit.tiktok.script import Script, Seconds

Operation = Literal["create", "read", "list", "delete", "stop", "usages", "logs"]
Trouble = Literal[
    "quota", "quota_as_conflict", "quota_as_unavailable", "capacity", "throttled", "transitioning", "internal",
    "registry", "inaccessible_image", "forbidden", "unavailable", "lost_answer", "slow",
]  # fmt: skip


class Fault(Script):
    """Something that goes wrong with the next requests of a kind."""

    on: Operation
    trouble: Trouble
    times: int | None = Field(default=1, ge=1)
    """How often; None means from now on."""
    region: str | None = None
    """Only there; for creates."""
    seconds: Seconds = 1.0
    """The `Retry-After` of `throttled`, the delay of `slow`."""


class Fate(Script):
    """What becomes of the next groups that are created."""

    times: int | None = Field(default=1, ge=1)
    becomes: Literal["normal", "stuck", "failed", "crash_loop"] = "normal"
    """Stuck: its container waits for ever. Failed: its provisioning does, and it stays. Crash loop: it never holds."""
    undeletable: bool = False
    """DELETE is accepted and changes nothing."""
    restarted: bool = False
    """When its container ends with an error, the platform starts it once more, whatever the restart policy says."""


class Pace(Script):
    """How long things take. Azure needs 25 to 60 seconds for a start and 30 to 90 for a deletion."""

    create: Seconds = 0.0
    """Before a create is answered."""
    pull: Seconds = 0.02
    start: Seconds = 0.02
    delete: Seconds = 0.02
    page: int = Field(default=100, ge=1)
    """Groups in one page of a list."""


class Quotas(Script):
    """Of every region."""

    groups: int = Field(default=100, ge=0)
    cores: float = Field(default=100, ge=0)
    creates_per_hour: int = Field(default=300, ge=1)
    deletes_per_hour: int = Field(default=300, ge=1)
