"""Who did what, for admins."""

from typing import Annotated

from fastapi import APIRouter, Query
from wentlive_common.ids import Ulid
from wentlive_common.model import UtcDatetime

from wentlive_catalog.api.context import Here
from wentlive_catalog.api.problems import documented
from wentlive_catalog.api.shapes import Output
from wentlive_catalog.domain.audit import AuditEntry, Credential
from wentlive_catalog.domain.users import Username

router = APIRouter(prefix="/audit", tags=["audit"])


class AuditEntryOut(Output):
    entry_id: str
    at: UtcDatetime
    username: str
    """Empty when nobody was known."""
    by: Credential
    token_id: str | None
    operation: str
    """The operation's id, as in this document."""
    target: str
    status: int
    """How it was answered; below 400 it was done."""
    address: str


class AuditPage(Output):
    items: list[AuditEntryOut]
    next_cursor: str | None
    """Send it as `cursor` for the page that follows; null on the last one."""


@router.get("", operation_id="listAudit", responses=documented(422))
async def list_audit(
    here: Here,
    username: Annotated[Username | None, Query()] = None,
    operation: Annotated[str | None, Query(max_length=64, pattern=r"^[a-zA-Z]+$", examples=["deleteRecording"])] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[Ulid | None, Query(description="`next_cursor` of the page before.")] = None,
) -> AuditPage:
    """Every request that could have changed something, newest first; kept for a year unless set otherwise."""
    equal = {name: value for name, value in {"username": username, "operation": operation}.items() if value}
    found = await here.trail.page(limit + 1, cursor, **equal)
    page = [_entry_out(entry) for entry in found[:limit]]
    return AuditPage(items=page, next_cursor=page[-1].entry_id if len(found) > limit else None)


def _entry_out(entry: AuditEntry) -> AuditEntryOut:
    return AuditEntryOut(**entry.model_dump(include=set(AuditEntryOut.model_fields)))
