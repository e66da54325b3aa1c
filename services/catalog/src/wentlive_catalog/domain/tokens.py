"""API tokens: what a program shows instead of a session, with an end and no more rights than it needs."""

import hashlib
import hmac
import secrets
from datetime import datetime
from typing import Literal

from pydantic import Field
from wentlive_common.errors import NotFound
from wentlive_common.ids import Ulid, new_ulid
from wentlive_common.model import UtcDatetime

from wentlive_catalog.documents import Document, DocumentKind

Scope = Literal["read", "follow", "record", "share", "feed", "admin"]
"""`read` sees, `follow` keeps the list of creators, `record` acts on recordings, `share` gives links away, `feed` reads
the RSS feed alone, `admin` runs the installation. Never more than its owner's role allows."""

PREFIX = "wl"


class NoSuchToken(NotFound):
    """You have no such token."""


class ApiToken(Document):
    """A token without its secret: a stolen database opens no door."""

    token_id: Ulid
    secret_hash: str = Field(repr=False)
    username: str
    name: str
    scopes: tuple[Scope, ...]
    created_at: UtcDatetime
    expires_at: UtcDatetime
    used_at: UtcDatetime | None = None
    """To the hour."""

    def is_opened_by(self, secret: str, now: datetime) -> bool:
        return hmac.compare_digest(self.secret_hash, _hash(secret)) and now < self.expires_at


TOKENS = DocumentKind("tokens", ApiToken, "token_id", fields=("username",), moment="expires_at")


def new_token(
    username: str, name: str, scopes: tuple[Scope, ...], now: datetime, expires_at: datetime
) -> tuple[str, ApiToken]:
    """The text to give out once, and what is kept of it."""
    secret = secrets.token_urlsafe(32)
    token = ApiToken(
        token_id=new_ulid(), secret_hash=_hash(secret), username=username, name=name,
        scopes=tuple(sorted(set(scopes))), created_at=now, expires_at=expires_at,
    )  # fmt: skip
    return f"{PREFIX}_{token.token_id}_{secret}", token


def parse_token(text: str) -> tuple[str, str] | None:
    """Its id and its secret; None when it is not one of ours."""
    prefix, _, rest = text.partition("_")
    token_id, _, secret = rest.partition("_")
    return (token_id, secret) if prefix == PREFIX and token_id and secret else None


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
