"""All kinds of documents there are: what a database makes ready at start, and what a move from one to another takes."""

from typing import Any

from wentlive_catalog.documents import DocumentKind
from wentlive_catalog.domain.answers import ANSWERS
from wentlive_catalog.domain.audit import AUDIT
from wentlive_catalog.domain.links import LINKS
from wentlive_catalog.domain.notices import DELIVERIES, TARGETS
from wentlive_catalog.domain.retention import RETENTION
from wentlive_catalog.domain.sessions import SESSIONS
from wentlive_catalog.domain.tokens import TOKENS
from wentlive_catalog.domain.users import USERS
from wentlive_catalog.keepsakes import IDENTITY

KINDS: tuple[DocumentKind[Any], ...] = (
    USERS, SESSIONS, TOKENS, LINKS, AUDIT, ANSWERS, RETENTION, IDENTITY, TARGETS, DELIVERIES,
)  # fmt: skip
