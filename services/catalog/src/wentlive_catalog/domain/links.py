"""Links that show one recording to whoever has them, for a while and so many times, and nothing else."""

import hashlib
import secrets
from datetime import datetime, timedelta
from typing import Annotated

from pydantic import Field
from wentlive_common.errors import NotFound
from wentlive_common.ids import Ulid, new_ulid
from wentlive_common.model import UtcDatetime

from wentlive_catalog.documents import Document, DocumentKind

SAME_VISIT = timedelta(hours=6)
"""A browser that opened a link may go on with it so long without counting again, never beyond the link's end."""

PartFilter = Annotated[str, Field(pattern=r"^a[1-9][0-9]{0,3}-p[1-9][0-9]{0,4}$")]


class NoSuchLink(NotFound):
    """This link does not exist, has run out, or was taken back."""


class SharedLink(Document):
    """Only the token's hash is stored; the URL is told once, to whom it was made for."""

    link_id: Ulid
    token_hash: str = Field(repr=False)
    recording_id: Ulid
    part: PartFilter | None = None
    """None: the whole recording."""
    download: bool = True
    """Whether files may be saved, besides being watched."""
    note: str = ""
    """For whom it is; only its maker reads it."""
    username: str
    """Who made it."""
    created_at: UtcDatetime
    expires_at: UtcDatetime
    max_uses: int | None = None
    uses: int = 0
    used_at: UtcDatetime | None = None
    revoked_at: UtcDatetime | None = None

    def works(self, now: datetime) -> bool:
        return now < self.expires_at and self.revoked_at is None

    def is_used_up(self) -> bool:
        return self.max_uses is not None and self.uses >= self.max_uses


LINKS = DocumentKind(
    "links", SharedLink, "link_id", fields=("username", "recording_id", "token_hash"), moment="expires_at"
)


def new_shared_link(
    recording_id: str, username: str, now: datetime, lifetime: timedelta, *, part: str | None, download: bool,
    max_uses: int | None, note: str,
) -> tuple[str, SharedLink]:  # fmt: skip
    """The token that goes into the URL, and what is kept of it."""
    token = secrets.token_urlsafe(24)
    return token, SharedLink(
        link_id=new_ulid(), token_hash=hash_link(token), recording_id=recording_id, part=part, download=download,
        note=note, username=username, created_at=now, expires_at=now + lifetime, max_uses=max_uses,
    )  # fmt: skip


def hash_link(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def used(link: SharedLink, now: datetime) -> SharedLink:
    return link.model_copy(update={"uses": link.uses + 1, "used_at": now})


def revoked(link: SharedLink, now: datetime) -> SharedLink:
    return link.model_copy(update={"revoked_at": link.revoked_at or now})
