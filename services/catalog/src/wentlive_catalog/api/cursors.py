"""Cursors of pages: opaque to callers, good for the order that they were given out for and no other."""

import base64
import binascii
import json

from pydantic import ValidationError
from wentlive_common.errors import InvalidInput

from wentlive_catalog.domain.library import ORDERS, Position, RecordingOrder

LONGEST_CURSOR = 200


class InvalidCursor(InvalidInput):
    """This cursor is not one that was given out here, or not for this order."""


def write_cursor(position: Position | None, order: RecordingOrder = "newest") -> str | None:
    if position is None:
        return None
    text = json.dumps([order, position.recording_id, position.value], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def read_cursor(cursor: str | None, order: RecordingOrder = "newest") -> Position | None:
    if cursor is None:
        return None
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        given_for, recording_id, value = json.loads(text, parse_constant=_refuse)
        position = Position(recording_id=recording_id, value=value)
    except (binascii.Error, ValueError, TypeError, RecursionError, ValidationError) as error:
        raise InvalidCursor from error
    if given_for != order or (position.value is None) != (ORDERS[order][0] == "recording_id"):
        raise InvalidCursor
    return position


def _refuse(name: str) -> None:
    raise ValueError(name)
