"""Who is signed in, and how often a name may be guessed at."""

import hashlib
import secrets
from collections import OrderedDict
from datetime import datetime, timedelta

from wentlive_common.errors import Transient
from wentlive_common.model import UtcDatetime

from wentlive_catalog.documents import Document, DocumentKind

FREE_TRIES = 5
FREE_NAMES = 25
"""Wrong tries from one address, whatever names they give."""
ANY_NAME = "*"
LONGEST_LOCK = 300.0
REMEMBERED = 10_000


class Session(Document):
    """A signed-in browser. Only the token's hash is stored: a stolen database opens no door."""

    token_hash: str
    username: str
    created_at: UtcDatetime
    expires_at: UtcDatetime
    address: str = ""
    """Where it was opened from."""
    agent: str = ""
    """What the browser calls itself."""

    @property
    def session_id(self) -> str:
        """Names it without telling the hash."""
        return self.token_hash[:16]


SESSIONS = DocumentKind("sessions", Session, "token_hash", fields=("username",), moment="expires_at")


def new_session(
    username: str, now: datetime, lifetime: timedelta, address: str = "", agent: str = ""
) -> tuple[str, Session]:
    """A fresh token, to be given out once, and the session it opens."""
    token = secrets.token_urlsafe(32)
    return token, Session(
        token_hash=hash_token(token), username=username, created_at=now, expires_at=now + lifetime,
        address=address, agent=agent[:200],
    )  # fmt: skip


def hash_token(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


class TooManyTries(Transient):
    """Too many wrong passwords. Wait a little, then try again."""

    def __init__(self, retry_after: float) -> None:
        super().__init__(f"Too many wrong passwords. Try again in {max(1, round(retry_after))} s.")
        self.retry_after = max(1, round(retry_after))


class LoginThrottle:
    """Counts tries by address and name, and by address alone, so that nobody walks through all names.

    The first few are free, then each wait is twice as long as the last.
    """

    def __init__(self) -> None:
        self._tries: OrderedDict[tuple[str, str], tuple[int, float]] = OrderedDict()

    def begin(self, address: str, name: str, now: float) -> None:
        """Counts a try before it is judged, so that many at once do not slip through; raises `TooManyTries`."""
        limits = {(address, name): FREE_TRIES, (address, ANY_NAME): FREE_NAMES}
        for key in limits:
            _, free_at = self._tries.get(key, (0, 0.0))
            if now < free_at:
                raise TooManyTries(free_at - now)
        for key, free in limits.items():
            self._count(key, free, now)

    def succeeded(self, address: str, name: str) -> None:
        for key in ((address, name), (address, ANY_NAME)):
            self._tries.pop(key, None)

    def _count(self, key: tuple[str, str], free: int, now: float) -> None:
        count, free_at = self._tries.get(key, (0, 0.0))
        if count and now > free_at + LONGEST_LOCK:
            count = 0
        lock = min(LONGEST_LOCK, 2.0 ** (count + 1 - free)) if count + 1 >= free else 0.0
        self._tries[key] = (count + 1, now + lock)
        self._tries.move_to_end(key)
        while len(self._tries) > REMEMBERED:
            self._tries.popitem(last=False)
