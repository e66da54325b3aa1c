"""Identifiers: ULIDs in lower case, so that they sort by time and fit every name rule (26 characters)."""

from datetime import datetime
from typing import Annotated

from pydantic import StringConstraints
from ulid import ULID

Ulid = Annotated[str, StringConstraints(pattern=r"^[0-7][0-9a-hjkmnp-tv-z]{25}$")]


def new_ulid() -> str:
    return str(ULID()).lower()


def first_ulid_at(moment: datetime) -> str:
    """The lowest identifier that can be made at this moment: where it begins in an order by identifier."""
    return str(ULID.from_datetime(moment)).lower()[:10] + "0" * 16
