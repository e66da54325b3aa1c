"""The people of this installation: the first admin, who else may sign in, and what goes with somebody who leaves."""

import hmac
from collections.abc import Awaitable, Callable, Sequence

import structlog
from pydantic import SecretStr
from wentlive_common.clock import Clock
from wentlive_common.errors import AlreadyExists, Conflict, Forbidden

from wentlive_catalog.documents import Documents
from wentlive_catalog.domain.sessions import LoginThrottle, Session
from wentlive_catalog.domain.tokens import ApiToken
from wentlive_catalog.domain.users import (
    LastAdmin,
    ManagedUser,
    NoSuchUser,
    Role,
    User,
    UserExists,
    WrongPassword,
)
from wentlive_catalog.passwords import Passwords

log = structlog.get_logger(__name__)

MOST_USERS = 1000
SETUP = "set-up"
"""What guesses of the set-up code are counted as."""


class TooManyUsers(Conflict):
    """There are as many users as this installation takes."""


class AlreadySetUp(Conflict):
    """This installation is set up already: sign in."""


class WrongSetupCode(Forbidden):
    """Set this installation up from the machine it runs on, or with the code of WENTLIVE_CATALOG_SETUP_CODE."""


class People:
    """Changes of users. `farewell` lets go of all that somebody has before they are deleted."""

    def __init__(
        self, users: Documents[User], sessions: Documents[Session], tokens: Documents[ApiToken], passwords: Passwords,
        throttle: LoginThrottle, clock: Clock, farewell: Callable[[str], Awaitable[None]],
    ) -> None:  # fmt: skip
        self._users = users
        self._sessions = sessions
        self._tokens = tokens
        self._passwords = passwords
        self._throttle = throttle
        self._clock = clock
        self._farewell = farewell

    async def all(self) -> Sequence[User]:
        """By name."""
        return sorted(await self._users.page(MOST_USERS), key=lambda user: user.username)

    async def user(self, username: str) -> User:
        user = await self._users.get(username)
        if user is None:
            raise NoSuchUser
        return user

    async def is_empty(self) -> bool:
        """Whether nobody could sign in: it waits to be set up."""
        return not await self._users.page(1)

    async def manage_admin(self, username: str, password: SecretStr) -> None:
        """At start: the admin of the settings exists and has the settings' password."""
        secret = password.get_secret_value()
        known = await self._users.get(username)
        if known and known.managed and known.rules and await self._passwords.verified(known.password_hash, secret):
            return
        admin = known or User(username=username, role="admin", password_hash="", created_at=self._clock.now())
        wanted = {
            "role": "admin", "disabled": False, "managed": True, "password_hash": await self._passwords.hashed(secret)
        }  # fmt: skip
        try:
            await self._users.save(admin.model_copy(update=wanted))
        except Conflict:
            log.info("admin_made_by_another_catalog")
            return
        if known:
            await self._sessions.remove_where(username=username)

    async def set_up(
        self, username: str, password: str, code: SecretStr, wanted_code: SecretStr | None, address: str,
        *, here: bool,
    ) -> User:  # fmt: skip
        """The first admin. `here` says that the request came from this very machine."""
        self._throttle.begin(address, SETUP, self._clock.monotonic())
        right_code = wanted_code is not None and hmac.compare_digest(
            wanted_code.get_secret_value().encode(), code.get_secret_value().encode()
        )
        if not await self.is_empty():
            raise AlreadySetUp
        if not (right_code or (here and wanted_code is None)):
            raise WrongSetupCode
        self._throttle.succeeded(address, SETUP)
        return await self.create(username, password, "admin")

    async def create(self, username: str, password: str, role: Role) -> User:
        if len(await self._users.page(MOST_USERS)) >= MOST_USERS:
            raise TooManyUsers
        password_hash = await self._passwords.hashed(password)
        user = User(username=username, role=role, password_hash=password_hash, created_at=self._clock.now())
        try:
            return await self._users.save(user)
        except (AlreadyExists, Conflict) as error:
            raise UserExists from error

    async def change(
        self, known: User, *, role: Role | None = None, disabled: bool | None = None, password: str | None = None
    ) -> User:
        """By an admin. Whoever can do less from now on, or has a new password, is signed out everywhere."""
        if known.managed:
            raise ManagedUser
        update: dict[str, object] = {"role": role or known.role}
        update["disabled"] = known.disabled if disabled is None else disabled
        if password is not None:
            update["password_hash"] = await self._passwords.hashed(password)
        wanted = known.model_copy(update=update)
        if wanted == known:
            return known
        if known.rules and not wanted.rules:
            await self._check_another_admin(known.username)
        saved = await self._users.save(wanted)
        await self._sessions.remove_where(username=known.username)
        if password is not None:
            await self._tokens.remove_where(username=known.username)
        return saved

    async def change_password(self, user: User, current: str, wanted: str, keep: Session | None) -> None:
        """By themselves; their other sessions end."""
        if user.managed:
            raise ManagedUser
        if not await self._passwords.verified(user.password_hash, current):
            raise WrongPassword
        password_hash = await self._passwords.hashed(wanted)
        await self._users.save(user.model_copy(update={"password_hash": password_hash}))
        for session in await self._sessions.page(MOST_USERS, username=user.username):
            if keep is None or session.token_hash != keep.token_hash:
                await self._sessions.remove(session.token_hash)

    async def delete(self, username: str) -> None:
        """Disabled first, so that nothing of theirs comes back while it is being let go of; each step can be redone."""
        user = await self.user(username)
        if user.managed:
            raise ManagedUser
        if user.rules:
            await self._check_another_admin(username)
        if not user.disabled:
            await self._users.save(user.model_copy(update={"disabled": True}))
        await self._sessions.remove_where(username=username)
        await self._tokens.remove_where(username=username)
        await self._farewell(username)
        await self._users.remove(username)

    async def _check_another_admin(self, username: str) -> None:
        if not any(user.rules and user.username != username for user in await self._users.page(MOST_USERS)):
            raise LastAdmin
