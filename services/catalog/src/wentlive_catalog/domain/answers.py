"""Answers kept for a day, so that a program that asks twice with one idempotency key changes things once."""

from datetime import datetime, timedelta

from pydantic import Field
from wentlive_common.errors import Conflict, InvalidInput
from wentlive_common.model import UtcDatetime

from wentlive_catalog.documents import Document, DocumentKind

KEPT = timedelta(days=1)
GIVEN_UP = timedelta(minutes=5)
"""A request that gave no answer in this time died with its process."""


class KeyReused(InvalidInput):
    """This idempotency key came with another request before; take a new key for each."""


class StillAtIt(Conflict):
    """A request with this idempotency key is still being carried out; ask again in a moment."""


class SecretTold(Conflict):
    """This was done by an earlier request with this idempotency key, and its secret was told to that one only."""


class Answer(Document):
    """One answer; without a status while the request is being carried out."""

    key: str
    """Of whom, what and which: a hash."""
    fingerprint: str
    """Of the request's body."""
    at: UtcDatetime
    status: int | None = None
    headers: tuple[tuple[str, str], ...] = ()
    body: str = Field(default="", repr=False)
    secret: bool = False
    """It told a secret, and is not kept."""

    def is_abandoned(self, now: datetime) -> bool:
        return self.status is None and now - self.at > GIVEN_UP


ANSWERS = DocumentKind("answers", Answer, "key", moment="at")
