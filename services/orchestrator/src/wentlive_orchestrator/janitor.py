"""Takes old images out of the registry, and never one that could still be pulled.

Azure pulls the image of a running container group again whenever it moves the group, so deleting one that is in use
breaks recordings that are under way. Whatever cannot be found out about what is in use therefore stops the whole run.
"""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Protocol

import structlog
from wentlive_common.clock import Clock
from wentlive_common.errors import Transient, WentliveError
from wentlive_common.lifecycle import wait_any
from wentlive_common.model import Bytes, Model, UtcDatetime

from wentlive_orchestrator.domain.images import (
    CleanUp,
    CleanUpPolicy,
    Digest,
    ImageReference,
    Manifest,
    Repository,
    clean_up,
    referenced,
)
from wentlive_orchestrator.ports import RecordingStore

RETRY_SECONDS = 600.0

log = structlog.get_logger(__name__)


class RegistryUnavailable(Transient):
    """The registry does not answer as it should; nothing is deleted until it does."""


class ProtectionIncomplete(Transient):
    """It is not known completely which images are in use, so none was deleted."""


class RegistryUsage(Model):
    """How full the registry is, as it says; deletions show up in it after a while."""

    bytes: Bytes
    limit: Bytes


class ImageRegistry(Protocol):
    """Raises `RegistryUnavailable` for whatever does not work."""

    @property
    def address(self) -> str:
        """As image names begin."""
        ...

    async def manifests(self, repository: str) -> Sequence[Manifest]:
        """All of them; none when there is no such repository."""
        ...

    async def digest_of(self, repository: str, tag: str) -> str | None:
        """None when there is no such tag."""
        ...

    async def delete(self, repository: str, digest: str) -> None:
        """One that is gone already is fine."""
        ...

    async def usage(self) -> RegistryUsage: ...


class ImageUse(Model):
    """What one user of images is known to run: the name it was given, and the digests that it pulled."""

    image: str
    pulled: tuple[str, ...] = ()


class ImageUsers(Protocol):
    """Everything that runs images. Raises a `WentliveError` unless the answer is complete."""

    async def images(self) -> Sequence[ImageUse]: ...


class PlannedImages:
    """`ImageUsers`: recorders that are to be started, or run, as their intents say. Those are stored before anything
    is asked of Azure, by whichever orchestrator, so that a container that nobody can list yet is among them."""

    def __init__(self, store: RecordingStore) -> None:
        self._store = store

    async def images(self) -> Sequence[ImageUse]:
        attempts = [attempt for recording in await self._store.active() for attempt in recording.attempts]
        images = {attempt.image for attempt in attempts if attempt.image and not attempt.gone}
        return [ImageUse(image=image) for image in sorted(images)]


class RepositoryReport(Model):
    repository: Repository
    deleted: tuple[Manifest, ...]
    """In a dry run: what would have been."""
    kept: dict[Digest, str]
    left_over: int = 0
    """Old ones that go in the next runs."""


class CleanUpReport(Model):
    at: UtcDatetime
    dry_run: bool
    in_use: tuple[Digest, ...]
    repositories: tuple[RepositoryReport, ...]
    freed_bytes: Bytes
    """At most: layers that other images share stay."""
    failure: str | None
    """Why it broke off; what went before is told above."""
    usage: RegistryUsage | None


class RegistryJanitor:
    """`pinned` is always in use, whatever runs now: the image of the next recorder is among it."""

    def __init__(
        self, registry: ImageRegistry, users: Sequence[ImageUsers], repositories: Sequence[str], pinned: Sequence[str],
        policy: CleanUpPolicy, clock: Clock,
    ) -> None:  # fmt: skip
        self._registry = registry
        self._users = tuple(users)
        self._repositories = tuple(repositories)
        self._pinned = tuple(pinned)
        self._policy = policy
        self._clock = clock
        self.last: CleanUpReport | None = None

    async def run(self, stop: asyncio.Event, interval: float, *, dry_run: bool) -> None:
        """Cleans up now and then; what goes wrong is logged, and tried again at the next turn."""
        await wait_any(stop.wait(), self._now_and_then(interval, dry_run=dry_run))

    async def _now_and_then(self, interval: float, *, dry_run: bool) -> None:
        while True:
            try:
                await self.clean(dry_run=dry_run)
            except WentliveError as error:
                log.warning("registry_not_cleaned", error=error.message)
                await asyncio.sleep(min(interval, RETRY_SECONDS))
            else:
                await asyncio.sleep(interval)

    async def clean(self, *, dry_run: bool) -> CleanUpReport:
        """Raises before anything is deleted unless all that is in use is known."""
        now = self._clock.now()
        listed = [await self._registry.manifests(repository) for repository in self._repositories]
        # Last, right before the decision. What is started from here on runs a pinned image.
        in_use = await self._in_use()
        plans = [clean_up(manifests, in_use, now, self._policy) for manifests in listed]
        reports, failure = await self._carried_out(plans, dry_run=dry_run)
        freed = sum(manifest.bytes for report in reports for manifest in report.deleted)
        self.last = CleanUpReport(
            at=now, dry_run=dry_run, in_use=tuple(sorted(in_use)), repositories=tuple(reports), freed_bytes=freed,
            failure=failure, usage=await self._usage(),
        )  # fmt: skip
        deleted = sum(len(report.deleted) for report in reports)
        log.info("registry_cleaned", dry_run=dry_run, images=deleted, bytes=freed, in_use=len(in_use), failure=failure)
        return self.last

    async def _carried_out(
        self, plans: Sequence[CleanUp], *, dry_run: bool
    ) -> tuple[list[RepositoryReport], str | None]:
        left = self._policy.most_deletions
        reports: list[RepositoryReport] = []
        failure: str | None = None
        for repository, plan in zip(self._repositories, plans, strict=True):
            deleted = list(plan.delete[: 0 if failure else left])
            if not dry_run:
                deleted, failure = await self._deleted(repository, deleted, failure)
            left -= len(deleted)
            later = len(plan.delete) - len(deleted)
            reports.append(
                RepositoryReport(repository=repository, deleted=tuple(deleted), kept=dict(plan.kept), left_over=later)
            )
        return reports, failure

    async def _deleted(
        self, repository: str, going: Sequence[Manifest], failure: str | None
    ) -> tuple[list[Manifest], str | None]:
        """What went before the first failure."""
        deleted: list[Manifest] = []
        for manifest in going:
            try:
                await self._registry.delete(repository, manifest.digest)
            except WentliveError as error:
                return deleted, error.message
            log.info("image_deleted", repository=repository, digest=manifest.digest, tags=manifest.tags)
            deleted.append(manifest)
        return deleted, failure

    async def _usage(self) -> RegistryUsage | None:
        try:
            return await self._registry.usage()
        except WentliveError as error:
            log.warning("registry_usage_unknown", error=error.message)
            return None

    async def _in_use(self) -> set[str]:
        try:
            uses = [use for users in self._users for use in await users.images()]
        except WentliveError as error:
            raise _incomplete(error.message) from error
        digests: set[str] = set()
        for image in self._pinned:
            digests |= await self._named(image, must_exist=True)
        for use in uses:
            pulled = _digests(use.pulled)
            # A tag may have moved on since it was pulled.
            digests |= pulled | await self._named(use.image, must_exist=not pulled)
            if not pulled and self._is_by_tag(use.image):
                raise _incomplete(f"Nothing tells which image was pulled for {use.image}: run it by digest.")
        return digests

    async def _named(self, name: str, *, must_exist: bool) -> set[str]:
        """The digest that a name in one of our repositories means now."""
        image = referenced(name)
        if image is None or not self._is_ours(image):
            return set()
        digest = image.digest or await self._registry.digest_of(image.repository, image.tag or "")
        if digest is None and must_exist:
            raise _incomplete(f"There is no {name} in the registry.")
        return {digest} if digest else set()

    def _is_by_tag(self, name: str) -> bool:
        image = referenced(name)
        return image is not None and self._is_ours(image) and image.digest is None

    def _is_ours(self, image: ImageReference) -> bool:
        return image.registry == self._registry.address and image.repository in self._repositories


def _incomplete(why: str) -> ProtectionIncomplete:
    return ProtectionIncomplete(f"{ProtectionIncomplete.__doc__} {why}")


def _digests(images: Iterable[str]) -> set[str]:
    return {image.digest for name in images if (image := referenced(name)) and image.digest}
