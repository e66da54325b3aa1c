"""Who is asking: opens, knows and closes sessions, and recognises API tokens."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from pydantic import SecretStr, TypeAdapter, ValidationError
from wentlive_common.clock import Clock
from wentlive_common.errors import Conflict, InvalidInput, NotFound, Unauthenticated

from wentlive_catalog.documents import Documents
from wentlive_catalog.domain.rights import check
from wentlive_catalog.domain.sessions import LoginThrottle, Session, TooManyTries, hash_token, new_session
from wentlive_catalog.domain.tokens import ApiToken, NoSuchToken, Scope, new_token, parse_token
from wentlive_catalog.domain.users import Role, User, Username
from wentlive_catalog.metrics import CatalogMetrics
from wentlive_catalog.passwords import Passwords

log = structlog.get_logger(__name__)

MOST_OF_ONES_OWN = 200
"""Sessions, and tokens, of one person."""
LONGEST_TOKEN = timedelta(days=366)
_USERNAME: TypeAdapter[str] = TypeAdapter(Username)


class WrongLogin(Unauthenticated):
    """That name and password do not go together."""


class NoSuchSession(NotFound):
    """You have no such session."""


class TooManyTokens(Conflict):
    """You have as many API tokens as one person may have; revoke one first."""


class TokenTooLong(InvalidInput):
    """An API token ends after at most 366 days, and not in the past."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Somebody who is asking, by a session or by a token."""

    user: User
    session: Session | None = None
    token: ApiToken | None = None

    @property
    def username(self) -> str:
        return self.user.username

    @property
    def role(self) -> Role:
        return self.user.role

    @property
    def is_admin(self) -> bool:
        return self.user.role == "admin"

    @property
    def scopes(self) -> tuple[Scope, ...] | None:
        """None: all that the role allows."""
        return self.token.scopes if self.token else None

    @property
    def expires_at(self) -> datetime:
        proof = self.session or self.token
        if proof is None:
            raise TypeError("an identity rests on a session or on a token")
        return proof.expires_at

    def check(self, operation: str | None) -> None:
        """Raises Forbidden, which says what is missing."""
        check(operation, self.role, self.scopes)


class Access:
    def __init__(
        self, users: Documents[User], sessions: Documents[Session], tokens: Documents[ApiToken], passwords: Passwords,
        throttle: LoginThrottle, clock: Clock, metrics: CatalogMetrics, lifetime: timedelta,
    ) -> None:  # fmt: skip
        self._users = users
        self._sessions = sessions
        self._tokens = tokens
        self._passwords = passwords
        self._clock = clock
        self._metrics = metrics
        self._lifetime = lifetime
        self._throttle = throttle

    async def sign_in(
        self, username: str, password: SecretStr, address: str, agent: str = ""
    ) -> tuple[str, Session]:  # fmt: skip
        """A token and its session; raises WrongLogin or TooManyTries. An unknown name takes as long as a known one."""
        name = _tidy(username)
        try:
            self._throttle.begin(address, name, self._clock.monotonic())
        except TooManyTries:
            self._metrics.login("throttled")
            raise
        user = await self._users.get(name)
        known_hash = user.password_hash if user and not user.disabled else None
        if not await self._passwords.verified(known_hash, password.get_secret_value()) or user is None:
            self._metrics.login("refused")
            log.warning("login_refused", address=address)
            raise WrongLogin
        self._throttle.succeeded(address, name)
        token, session = new_session(name, self._clock.now(), self._lifetime, address, agent)
        await self._sessions.save(session)
        await self._note_sign_in(user, password)
        self._metrics.login("accepted")
        return token, session

    async def _note_sign_in(self, user: User, password: SecretStr) -> None:
        update: dict[str, object] = {"signed_in_at": self._clock.now()}
        if self._passwords.is_outdated(user.password_hash):
            update["password_hash"] = await self._passwords.hashed(password.get_secret_value())
        try:
            await self._users.save(user.model_copy(update=update))
        except Conflict:
            log.info("sign_in_not_noted", username=user.username)

    async def by_session(self, token: str) -> Identity | None:
        """Whose session `token` opens, unless it expired or was closed."""
        session = await self._sessions.get(hash_token(token))
        if session is None or session.expires_at <= self._clock.now():
            return None
        user = await self._users.get(session.username)
        return Identity(user, session=session) if user and not user.disabled else None

    async def by_token(self, text: str) -> Identity | None:
        """Whose API token this is, unless it expired or was revoked."""
        parsed, now = parse_token(text), self._clock.now()
        token = await self._tokens.get(parsed[0]) if parsed else None
        if parsed is None or token is None or not token.is_opened_by(parsed[1], now):
            return None
        user = await self._users.get(token.username)
        if user is None or user.disabled:
            return None
        await self._note_use(token, now)
        return Identity(user, token=token)

    async def _note_use(self, token: ApiToken, now: datetime) -> None:
        if token.used_at and now - token.used_at < timedelta(hours=1):
            return
        try:
            await self._tokens.save(token.model_copy(update={"used_at": now}))
        except Conflict:
            return  # another request of this hour noted it, or it was revoked

    async def still(self, identity: Identity) -> bool:
        """Whether who asked then could ask now."""
        if identity.expires_at <= self._clock.now():
            return False
        user = await self._users.get(identity.username)
        if user is None or user.disabled:
            return False
        if identity.session:
            return await self._sessions.get(identity.session.token_hash) is not None
        return identity.token is not None and await self._tokens.get(identity.token.token_id) is not None

    async def sign_out(self, session: Session) -> None:
        await self._sessions.remove(session.token_hash)

    async def sessions(self, username: str) -> Sequence[Session]:
        """Those that are open, the newest first."""
        found = await self._sessions.page(MOST_OF_ONES_OWN, username=username)
        now = self._clock.now()
        return sorted((one for one in found if one.expires_at > now), key=lambda one: one.created_at, reverse=True)

    async def close_session(self, username: str, session_id: str) -> None:
        for session in await self._sessions.page(MOST_OF_ONES_OWN, username=username):
            if session.session_id == session_id:
                await self._sessions.remove(session.token_hash)
                return
        raise NoSuchSession

    async def tokens(self, username: str) -> Sequence[ApiToken]:
        return await self._tokens.page(MOST_OF_ONES_OWN, username=username)

    async def create_token(
        self, username: str, name: str, scopes: tuple[Scope, ...], lifetime: timedelta
    ) -> tuple[str, ApiToken]:
        """Its text, which is told this once, and what is kept of it."""
        if not timedelta() < lifetime <= LONGEST_TOKEN:
            raise TokenTooLong
        if len(await self.tokens(username)) >= MOST_OF_ONES_OWN:
            raise TooManyTokens
        now = self._clock.now()
        text, token = new_token(username, name, scopes, now, now + lifetime)
        return text, await self._tokens.save(token)

    async def revoke_token(self, username: str, token_id: str) -> None:
        token = await self._tokens.get(token_id)
        if token is None or token.username != username:
            raise NoSuchToken
        await self._tokens.remove(token_id)

    async def forget_expired(self) -> None:
        for documents in (self._sessions, self._tokens):
            await documents.remove_before(self._clock.now())


def _tidy(username: str) -> str:
    """As names are kept; one that cannot be anybody's stays as it is, and takes as long."""
    try:
        return _USERNAME.validate_python(username)
    except ValidationError:
        return username
