"""The trail of who did what: one entry for each request that could have changed something."""

from typing import Literal

from wentlive_common.ids import Ulid
from wentlive_common.model import UtcDatetime

from wentlive_catalog.documents import Document, DocumentKind

Credential = Literal["session", "token", "link", "nobody"]


class AuditEntry(Document):
    """What was asked for and how it was answered; never what was in the request's body."""

    entry_id: Ulid
    at: UtcDatetime
    username: str
    """Empty when nobody was known."""
    by: Credential
    token_id: str | None = None
    operation: str
    """The operation's id, as in the API's document."""
    target: str
    """What it was done to, such as `handle=owl`; from the address, or as the operation noted it."""
    status: int
    """HTTP's: below 400 it was done."""
    address: str


AUDIT = DocumentKind("audit", AuditEntry, "entry_id", fields=("username", "operation"), moment="at")
