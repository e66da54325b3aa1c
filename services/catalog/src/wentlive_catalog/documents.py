"""Small things kept by key (users, sessions, tokens, links ...): declared once, stored alike in every database."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, Protocol, TypeVar

from pydantic import Field
from wentlive_common.model import Model


class Document(Model):
    """What is kept under a key. Each save raises the version, and a save of an outdated one is a Conflict."""

    version: int = Field(default=0, ge=0)
    """0 means never stored."""


DocumentT = TypeVar("DocumentT", bound=Document)


@dataclass(frozen=True, slots=True)
class DocumentKind(Generic[DocumentT]):
    """One sort of document: databases make its table or collection, with an index for each field named here."""

    name: str
    model: type[DocumentT]
    key: str
    """The field that tells them apart; a ULID where pages of them are wanted in order of time."""
    fields: tuple[str, ...] = ()
    """Text fields that they are looked up by."""
    moment: str | None = None
    """The moment by which old ones are removed."""

    def key_of(self, document: DocumentT) -> str:
        return str(getattr(document, self.key))


class Documents(Protocol[DocumentT]):
    """All documents of one kind."""

    async def get(self, key: str) -> DocumentT | None: ...

    async def save(self, document: DocumentT) -> DocumentT:
        """Stores it with its version raised by one; raises Conflict unless the stored version is the given one."""
        ...

    async def remove(self, key: str) -> bool:
        """Says whether it was there."""
        ...

    async def remove_where(self, **equal: str) -> int:
        """Removes all whose declared fields are so; at least one must be named. Says how many."""
        ...

    async def remove_before(self, moment: datetime) -> int:
        """Removes those whose moment lies before; says how many."""
        ...

    async def page(self, limit: int, below: str | None = None, **equal: str) -> Sequence[DocumentT]:
        """By key, the highest first, going on below a key; only those whose declared fields are so."""
        ...
