"""Which repositories of the registry are cleaned up, and how carefully."""

import re
from typing import Annotated

from pydantic import Field, HttpUrl, field_validator
from wentlive_common.model import Model, Seconds

from wentlive_orchestrator.aci_settings import LOOPBACK
from wentlive_orchestrator.domain.images import CleanUpPolicy, Repository, referenced


class RegistrySettings(Model):
    """`WENTLIVE_ORCHESTRATOR_REGISTRY__…`. The registry itself is the one of `aci__image`."""

    repositories: Annotated[tuple[Repository, ...], Field(min_length=1)]
    """Only these. Name none whose images anything but container groups runs, or pin those in `pinned_images`."""
    name: str | None = Field(default=None, pattern=r"^[A-Za-z0-9]{5,50}$")
    """The registry's Azure resource, to show how full it is; from its address when it is not set."""
    resource_group: str | None = None
    """Where that resource lies; where the recorders do, when it is not set."""
    also_used_in: tuple[str, ...] = ()
    """Further resource groups whose container groups run these images."""
    pinned_images: tuple[str, ...] = ()
    """Images that are in use elsewhere: `registry.azurecr.io/repository@sha256:…`, or by tag."""
    delete: bool = False
    """Whether the orchestrator deletes by itself; if not, it only reports what it would delete."""
    interval: Annotated[Seconds, Field(ge=60)] = 86_400.0
    policy: CleanUpPolicy = CleanUpPolicy()
    url: HttpUrl | None = None
    """For a simulator on this machine; otherwise https and the registry's own address."""

    @field_validator("url")
    @classmethod
    def _on_this_machine(cls, url: HttpUrl | None) -> HttpUrl | None:
        if url and url.host not in LOOPBACK:
            raise ValueError("is for a simulator on this machine only")
        return url

    @field_validator("pinned_images")
    @classmethod
    def _name_a_registry(cls, images: tuple[str, ...]) -> tuple[str, ...]:
        if not all(map(referenced, images)):
            raise ValueError("must each look like registry.azurecr.io/repository@sha256:…")
        return images

    @field_validator("policy")
    @classmethod
    def _has_a_pattern(cls, policy: CleanUpPolicy) -> CleanUpPolicy:
        try:
            re.compile(policy.keep_tags)
        except re.error as error:
            raise ValueError(f"keep_tags is no pattern: {error.msg}") from error
        return policy
