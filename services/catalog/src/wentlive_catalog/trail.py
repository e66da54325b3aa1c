"""Writes the audit trail, and reads it."""

from collections.abc import Sequence
from datetime import timedelta

import structlog
from wentlive_common.clock import Clock
from wentlive_common.errors import WentliveError
from wentlive_common.ids import new_ulid

from wentlive_catalog.access import Identity
from wentlive_catalog.documents import Documents
from wentlive_catalog.domain.audit import AuditEntry, Credential

log = structlog.get_logger(__name__)

LONGEST_TARGET = 300


class Trail:
    def __init__(self, entries: Documents[AuditEntry], clock: Clock, lifetime: timedelta) -> None:
        self._entries = entries
        self._clock = clock
        self._lifetime = lifetime

    async def note(
        self, identity: Identity | None, operation: str, target: str, status: int, address: str
    ) -> None:  # fmt: skip
        """Never raises: what was done is done, and the log has the entry where the store has not."""
        entry = AuditEntry(
            entry_id=new_ulid(), at=self._clock.now(), username=identity.username if identity else "",
            by=_credential(identity), token_id=identity.token.token_id if identity and identity.token else None,
            operation=operation, target=target[:LONGEST_TARGET], status=status, address=address,
        )  # fmt: skip
        try:
            await self._entries.save(entry)
        except WentliveError as error:
            log.error("audit_entry_not_stored", error=error.message, entry=entry.model_dump(mode="json"))

    async def page(self, limit: int, below: str | None, **equal: str) -> Sequence[AuditEntry]:
        """Newest first."""
        return await self._entries.page(limit, below, **equal)

    async def forget_old(self) -> None:
        await self._entries.remove_before(self._clock.now() - self._lifetime)


def _credential(identity: Identity | None) -> Credential:
    if identity is None:
        return "nobody"
    return "token" if identity.token else "session"
