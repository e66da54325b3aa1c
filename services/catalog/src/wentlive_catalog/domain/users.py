"""People who sign in, and what their role lets them do."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints
from wentlive_common.errors import Conflict, InvalidInput, NotFound
from wentlive_common.model import UtcDatetime

from wentlive_catalog.documents import Document, DocumentKind

Role = Literal["viewer", "member", "admin"]
"""From the least to the most: who watches, who follows and keeps, who runs it."""

ROLES: tuple[Role, ...] = ("viewer", "member", "admin")

Username = Annotated[
    str,
    BeforeValidator(lambda name: name.strip().lower() if isinstance(name, str) else name),
    StringConstraints(pattern=r"^[a-z0-9][a-z0-9._@-]{0,63}$"),
]
"""In lower case, however somebody writes it."""

SHORTEST_PASSWORD = 8
LONGEST_PASSWORD = 1000


def _long_enough(password: str) -> str:
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        raise ValueError(f"take {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters")
    return password


Password = Annotated[str, AfterValidator(_long_enough)]


class NoSuchUser(NotFound):
    """There is no user of this name."""


class UserExists(Conflict):
    """There is a user of this name already; take another name."""


class LastAdmin(Conflict):
    """This is the last admin who can sign in. Make somebody else an admin first."""


class ManagedUser(Conflict):
    """This user's name, role and password come from the settings of this installation; change them there."""


class WrongPassword(InvalidInput):
    """That is not your password."""


class User(Document):
    """Somebody who may sign in. The password is kept as an argon2 hash only."""

    username: Username
    role: Role
    password_hash: str = Field(repr=False)
    created_at: UtcDatetime
    disabled: bool = False
    """Cannot sign in, and neither can their tokens; what they follow stays."""
    managed: bool = False
    """By the settings: made and kept up to date at each start."""
    signed_in_at: UtcDatetime | None = None

    @property
    def rules(self) -> bool:
        """Whether they can run this installation."""
        return self.role == "admin" and not self.disabled


USERS = DocumentKind("users", User, "username")
