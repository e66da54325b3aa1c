"""Identifiers: ULIDs in lower case, so that they sort by time and fit every name rule (26 characters)."""

from typing import Annotated

from pydantic import StringConstraints
from ulid import ULID

Ulid = Annotated[str, StringConstraints(pattern=r"^[0-7][0-9a-hjkmnp-tv-z]{25}$")]


def new_ulid() -> str:
    return str(ULID()).lower()
