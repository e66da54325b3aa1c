"""Which images a registry may lose: everything that something could still need is kept, with the reason why."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Annotated

from pydantic import Field, StringConstraints
from wentlive_common.model import Bytes, Model, Seconds, UtcDatetime

DIGEST = r"sha256:[0-9a-f]{64}"
DAY = 86_400.0
INDEXES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
IMAGES = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)

Digest = Annotated[str, StringConstraints(pattern=f"^{DIGEST}$")]
Repository = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(?:[._/-]+[a-z0-9]+)*$", max_length=256)]


class CleanUpPolicy(Model):
    """What is kept although nothing uses it."""

    keep_newest: int = Field(default=5, ge=1)
    """Of each repository: something to go back to."""
    keep_younger_than: Annotated[Seconds, Field(ge=3600)] = 14 * DAY
    keep_tags: str = "latest|stable"
    """A pattern; an image is kept when it matches one of its tags as a whole."""
    most_deletions: int = Field(default=50, ge=1)
    """In one run: a mistake in the settings should be seen before it has done everything."""


class Manifest(Model):
    """One image, or an index of images, as the registry lists it."""

    repository: Repository
    digest: Digest
    tags: tuple[str, ...] = ()
    media_type: str = ""
    updated_at: UtcDatetime | None = None
    bytes: Bytes = 0
    """Of all its layers: other images may share them."""
    locked: bool = False
    children: tuple[Digest, ...] = ()
    """The images of an index."""
    subject: bool = False
    """It is about another image: a signature, a bill of materials."""


class ImageReference(Model):
    """An image as somebody names it: by digest, by tag, or by both."""

    registry: str
    repository: str
    tag: str | None = None
    digest: Digest | None = None


REFERENCE = re.compile(
    r"(?P<registry>[^/]+\.[^/]+|localhost|[^/]+:[0-9]+)/(?P<repository>[^:@]+)"
    rf"(?::(?P<tag>[^@]+))?(?:@(?P<digest>{DIGEST}))?"
)


def referenced(image: str) -> ImageReference | None:
    """None for what names no registry of its own (and so lies in none of ours)."""
    match = REFERENCE.fullmatch(image)
    if match is None:
        return None
    parts = match.groupdict()
    if not parts["tag"] and not parts["digest"]:
        parts["tag"] = "latest"
    return ImageReference(**parts)


class CleanUp(Model):
    """What of one repository goes, and why the rest stays."""

    delete: tuple[Manifest, ...]
    """The oldest first, and indexes before their images: a run that breaks off leaves no index without them."""
    kept: Mapping[str, str]
    """The reason by digest."""


def clean_up(manifests: Sequence[Manifest], in_use: Collection[str], now: datetime, policy: CleanUpPolicy) -> CleanUp:
    """Decides for all manifests of one repository."""
    kept = _kept_for_itself(manifests, in_use, now, policy)
    for manifest in manifests:
        if manifest.digest in kept:
            kept |= {child: "belongs to an index that is kept" for child in manifest.children if child not in kept}
    gone = [(manifest.updated_at or now, manifest) for manifest in manifests if manifest.digest not in kept]
    children = {child for _, manifest in gone for child in manifest.children}
    gone.sort(key=lambda dated: (dated[1].digest in children, dated[0]))
    return CleanUp(delete=tuple(manifest for _, manifest in gone), kept=kept)


def _kept_for_itself(
    manifests: Sequence[Manifest], in_use: Collection[str], now: datetime, policy: CleanUpPolicy
) -> dict[str, str]:
    newest = {manifest.digest for manifest in _newest_first(_roots(manifests))[: policy.keep_newest]}
    reasons: dict[str, str] = {}
    for manifest in manifests:
        if not {manifest.digest, *manifest.children}.isdisjoint(in_use):
            reasons[manifest.digest] = "in use"
        elif manifest.digest in newest:
            reasons[manifest.digest] = f"one of the newest {policy.keep_newest}"
        elif reason := _kept_by_policy(manifest, now, policy):
            reasons[manifest.digest] = reason
    return reasons


def _kept_by_policy(manifest: Manifest, now: datetime, policy: CleanUpPolicy) -> str:
    if manifest.locked:
        return "locked"
    if manifest.subject:
        return "is about another image"
    if manifest.media_type not in (*INDEXES, *IMAGES):
        return "of a kind that is not known"
    if manifest.updated_at is None:
        return "of unknown age"
    if manifest.updated_at > now - timedelta(seconds=policy.keep_younger_than):
        return "young"
    kept_tag = next((tag for tag in manifest.tags if re.fullmatch(policy.keep_tags, tag)), None)
    return f"tagged {kept_tag}" if kept_tag else ""


def _roots(manifests: Iterable[Manifest]) -> list[Manifest]:
    """Images as people count them: those of an index are part of one."""
    manifests = list(manifests)
    children = {child for manifest in manifests for child in manifest.children}
    return [manifest for manifest in manifests if manifest.digest not in children and not manifest.subject]


def _newest_first(manifests: Iterable[Manifest]) -> list[Manifest]:
    dated = [(manifest.updated_at, manifest) for manifest in manifests if manifest.updated_at is not None]
    return [manifest for _, manifest in sorted(dated, key=lambda pair: pair[0], reverse=True)]
