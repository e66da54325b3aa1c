"""Whom a call is about."""

import re
from typing import NamedTuple

from wentlive_common.errors import InvalidInput
from wentlive_common.handle import parse_handle

from wentlive_tiktok.status import Profile

_ID = re.compile(r"[0-9]{1,24}")


class Question(NamedTuple):
    """One call: a handle, and what is known about its owner already."""

    handle: str
    creator_id: str | None = None
    open_room: str | None = None

    def is_about(self, profile: Profile) -> bool:
        """By id where it is known: a handle can have been given up and taken by somebody else."""
        if self.creator_id is not None:
            return profile.creator_id == self.creator_id
        return profile.handle == self.handle


def make_question(handle: str, creator_id: str | None, open_room: str | None) -> Question:
    """The question in TikTok's spelling; raises InvalidInput for what cannot be asked."""
    for given in (creator_id, open_room):
        if given is not None and not _ID.fullmatch(given):
            raise InvalidInput("An id of TikTok's is a number of at most 24 digits.")
    return Question(parse_handle(handle), creator_id, open_room)
