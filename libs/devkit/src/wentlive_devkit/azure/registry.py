"""A container registry in memory: images with true digests, indexes of them, and what each operation may not do."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

OCI_IMAGE = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
BASIC_BYTES = 10 * 1024**3
"""What the smallest tier includes."""


@dataclass(slots=True)
class StoredManifest:
    digest: str
    body: bytes
    media_type: str
    bytes: int
    created: datetime
    updated: datetime
    tags: list[str] = field(default_factory=list[str])
    locked: bool = False

    def described(self) -> dict[str, Any]:
        """As the registry's list shows it: without its media type, without tags when it has none."""
        enabled = {"deleteEnabled": not self.locked, "writeEnabled": not self.locked}
        told: dict[str, Any] = {
            "digest": self.digest,
            "imageSize": self.bytes,
            "createdTime": _stamp(self.created),
            "lastUpdateTime": _stamp(self.updated),
            "architecture": "amd64",
            "os": "linux",
            "changeableAttributes": {**enabled, "readEnabled": True, "listEnabled": True},
        }
        return told | ({"tags": sorted(self.tags)} if self.tags else {})

    def tag_described(self, tag: str) -> dict[str, Any]:
        told = self.described()
        kept = ("digest", "createdTime", "lastUpdateTime", "changeableAttributes")
        return {"name": tag} | {name: told[name] for name in kept}


class SimulatedRegistry:
    """Repositories by name. `fail` makes the next operations of a kind fail."""

    def __init__(self, host: str = "wentlive.azurecr.io") -> None:
        self.host = host
        self.name = host.partition(".")[0]
        self.repositories: dict[str, dict[str, StoredManifest]] = {}
        self.deleted: list[str] = []
        self._faults: dict[str, tuple[int, int]] = {}
        self._pushes = 0

    def push(
        self, repository: str, *tags: str, at: datetime | None = None, size: int = 1_000_000, subject: str | None = None
    ) -> str:
        """A new image's digest; the tags move to it."""
        self._pushes += 1
        layer = hashlib.sha256(str(self._pushes).encode()).hexdigest()
        body: dict[str, Any] = {
            "schemaVersion": 2,
            "mediaType": OCI_IMAGE,
            "config": {"mediaType": CONFIG, "size": 2, "digest": f"sha256:{'0' * 64}"},
            "layers": [{"mediaType": LAYER, "size": size, "digest": f"sha256:{layer}"}],
        }
        if subject:
            body["subject"] = {"mediaType": OCI_IMAGE, "size": 2, "digest": subject}
        return self._store(repository, body, OCI_IMAGE, size, tags, at)

    def push_index(self, repository: str, children: Sequence[str], *tags: str, at: datetime | None = None) -> str:
        """An image for several platforms."""
        platforms = [{"mediaType": OCI_IMAGE, "size": 2, "digest": child} for child in children]
        body = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": platforms}
        return self._store(repository, body, OCI_INDEX, 0, tags, at)

    def push_foreign(self, repository: str, media_type: str, *, at: datetime | None = None) -> str:
        """Something that is no image."""
        return self._store(repository, {"schemaVersion": 2, "mediaType": media_type}, media_type, 0, (), at)

    def lock(self, repository: str, digest: str) -> None:
        self.repositories[repository][digest].locked = True

    def find(self, repository: str, reference: str) -> StoredManifest | None:
        """By digest or by tag."""
        stored = self.repositories.get(repository, {})
        return stored.get(reference) or next((m for m in stored.values() if reference in m.tags), None)

    def delete(self, repository: str, digest: str) -> None:
        """An index leaves its images behind, untagged."""
        del self.repositories[repository][digest]
        self.deleted.append(digest)

    @property
    def bytes(self) -> int:
        return sum(manifest.bytes for stored in self.repositories.values() for manifest in stored.values())

    def fail(self, operation: str, status: int, times: int = 1) -> None:
        """`operation` is `list`, `manifest`, `tag`, `delete` or `usage`."""
        self._faults[operation] = (status, times)

    def fault(self, operation: str) -> int | None:
        """The status that the operation is to fail with now."""
        status, left = self._faults.get(operation, (0, 0))
        if left <= 0:
            return None
        self._faults[operation] = (status, left - 1)
        return status

    def _store(
        self, repository: str, body: dict[str, Any], media_type: str, size: int, tags: Sequence[str],
        at: datetime | None,
    ) -> str:  # fmt: skip
        raw = json.dumps(body).encode()
        digest = f"sha256:{hashlib.sha256(raw).hexdigest()}"
        stored = self.repositories.setdefault(repository, {})
        for other in stored.values():
            other.tags = [tag for tag in other.tags if tag not in tags]
        moment = at or datetime.now(UTC)
        stored[digest] = StoredManifest(digest, raw, media_type, size, moment, moment, list(tags))
        return digest


def _stamp(moment: datetime) -> str:
    """With seven decimals, as .NET writes it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f") + "0Z"
