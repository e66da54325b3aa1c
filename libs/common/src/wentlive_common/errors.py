"""The error tree that every package hangs its own errors on.

WentliveError
├── Transient            the same call may succeed later: retry with backoff
│   └── StoreUnavailable a database does not answer
├── Permanent            no retry will help: dead-letter it, show it
│   └── InvalidInput     somebody gave us something that cannot be what it should be (HTTP 422)
├── NotFound             the thing is not there (HTTP 404)
├── Conflict             somebody else was first, or it changed meanwhile (HTTP 409)
│   └── AlreadyExists    something with this key is there already
├── Unauthenticated      nobody is known to be asking (HTTP 401)
└── Forbidden            somebody is asking who may not (HTTP 403)

A class's docstring is its default message, so it says what happened and what to do.
"""

import inspect
from collections.abc import Generator
from contextlib import contextmanager


class WentliveError(Exception):
    """Something in Wentlive went wrong."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or " ".join(inspect.cleandoc(self.__doc__ or "").split()))

    @property
    def message(self) -> str:
        return str(self.args[0])


class Transient(WentliveError):
    """It did not work this time; it is worth another try."""


class StoreUnavailable(Transient):
    """The database does not answer; it will be tried again."""


class Permanent(WentliveError):
    """It will not work, however often it is tried."""


class InvalidInput(Permanent):
    """What was given cannot be used."""


class NotFound(WentliveError):
    """There is no such thing."""


class Conflict(WentliveError):
    """It was changed or created by somebody else meanwhile; read it again and retry."""


class AlreadyExists(Conflict):
    """Something with this key is stored already."""


class Unauthenticated(WentliveError):
    """Sign in first, or send a valid token."""


class Forbidden(WentliveError):
    """You may not do this."""


@contextmanager
def translated(*errors: type[Exception], into: type[WentliveError], message: str) -> Generator[None]:
    """Turns a client library's `errors` into ours at an adapter's edge; the cause stays chained."""
    try:
        yield
    except errors as error:
        raise into(f"{message}: {type(error).__name__}: {error}") from error
