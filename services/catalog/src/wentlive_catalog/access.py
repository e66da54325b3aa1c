"""Signing in: one admin for now, whose password is hashed once at start and never kept."""

import asyncio
import hmac
from datetime import timedelta

import structlog
from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError
from pydantic import SecretStr
from wentlive_common.clock import Clock
from wentlive_common.errors import Unauthenticated

from wentlive_catalog.domain.sessions import LoginThrottle, Session, TooManyTries, hash_token, new_session
from wentlive_catalog.metrics import CatalogMetrics
from wentlive_catalog.ports import CatalogStore

log = structlog.get_logger(__name__)

PARALLEL_HASHES = 2
"""Each costs tens of megabytes and a tenth of a second; guessing must not starve everybody else."""


class WrongLogin(Unauthenticated):
    """That name and password do not go together."""


class Access:
    """Opens, knows and closes sessions."""

    def __init__(
        self, store: CatalogStore, clock: Clock, metrics: CatalogMetrics, *,
        username: str, password: SecretStr, lifetime: timedelta,
    ) -> None:  # fmt: skip
        self._store = store
        self._clock = clock
        self._metrics = metrics
        self._username = username
        self._lifetime = lifetime
        self._hasher = PasswordHasher()
        self._password_hash = self._hasher.hash(password.get_secret_value())
        self._throttle = LoginThrottle()
        self._hashing = asyncio.Semaphore(PARALLEL_HASHES)

    async def sign_in(self, username: str, password: SecretStr, address: str) -> tuple[str, Session]:
        """A token and its session; raises WrongLogin or TooManyTries. An unknown name takes as long as a known one."""
        try:
            self._throttle.begin(address, username, self._clock.monotonic())
        except TooManyTries:
            self._metrics.login("throttled")
            raise
        async with self._hashing:
            right_password = await asyncio.to_thread(self._verifies, password.get_secret_value())
        right_name = hmac.compare_digest(username.encode(), self._username.encode())
        if not (right_name and right_password):
            self._metrics.login("refused")
            log.warning("login_refused", address=address)
            raise WrongLogin
        self._throttle.succeeded(address, username)
        token, session = new_session(self._username, self._clock.now(), self._lifetime)
        await self._store.open_session(session)
        self._metrics.login("accepted")
        return token, session

    async def who(self, token: str) -> Session | None:
        """The session that `token` opens, unless it expired or was closed."""
        session = await self._store.session(hash_token(token))
        return session if session and session.expires_at > self._clock.now() else None

    async def sign_out(self, session: Session) -> None:
        await self._store.close_session(session.token_hash)

    def _verifies(self, password: str) -> bool:
        try:
            return self._hasher.verify(self._password_hash, password)
        except VerifyMismatchError:
            return False
